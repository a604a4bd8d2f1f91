/* Strategies out of shared objects: the example, and objects that are wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static int build(const char *name, const char *source) {
  return nas_run(NULL, NULL, "cd '%s' && %s -shared -fPIC -D_GNU_SOURCE -I'%s' '%s' -o %s.so 2>&1", nas_test_folder(),
                 getenv("CC") ? getenv("CC") : "cc", nas_source_folder(), source, name);
}

static void build_text(const char *name, const char *text) {
  assert_int_equal(nas_run(NULL, NULL, "printf '%%s' '%s' > '%s/%s.c'", text, nas_test_folder(), name), 0);
  char path[512];
  assert_true(snprintf(path, sizeof path, "%s/%s.c", nas_test_folder(), name) > 0);
  assert_int_equal(build(name, path), 0);
}

static void build_example(void) {
  char path[512];
  if (nas_run(NULL, NULL, "command -v cc") != 0) nas_skip("no C compiler to build the plugin with");
  assert_true(snprintf(path, sizeof path, "%s/examples/plugin-strategy/hill_climbing.c", nas_source_folder()) > 0);
  assert_int_equal(build("hill", path), 0);
}

static void the_example_passes_all_checks(void **state) {
  (void)state;
  char *out;
  build_example();
  assert_int_equal(nas_run(&out, NULL, "cd '%s' && '%s' strategy check hill-climbing --plugin hill.so",
                           nas_test_folder(), nas_program()),
                   0);
  assert_non_null(strstr(out, "resumed by replay"));
  free(out);
}

static void the_example_searches(void **state) {
  (void)state;
  build_example();
  assert_int_equal(nas_run(NULL, NULL,
                           "cd '%s' && '%s' search '%s/examples/random.yaml' -o strategy=hill-climbing "
                           "-o budget.trials=12 -o evaluator=noop -o dataset=shapes --db a.db -q --plugin hill.so",
                           nas_test_folder(), nas_program(), nas_source_folder()),
                   0);
}

/* Beside a strategy of the registry, with an option of its own; and an option that it does not have. */
static void the_example_is_replayed(void **state) {
  (void)state;
  char *out;
  build_example();
  assert_int_equal(nas_run(NULL, NULL,
                           "cd '%s' && '%s' search '%s/examples/random.yaml' -o space=declared -o strategy=enumerate "
                           "-o evaluator=noop -o dataset=shapes --db a.db -q",
                           nas_test_folder(), nas_program(), nas_source_folder()),
                   0);
  assert_int_equal(nas_run(&out, NULL,
                           "cd '%s' && '%s' replay a.db --strategy hill-climbing:warmup=2,random --budget 20 "
                           "--runs 3 -q --csv --plugin hill.so",
                           nas_test_folder(), nas_program()),
                   0);
  assert_non_null(strstr(out, "\nhill-climbing:warmup=2,20,"));
  assert_non_null(strstr(out, "\nrandom,20,"));
  free(out);
  assert_int_equal(
      nas_run(NULL, &out, "cd '%s' && '%s' replay a.db --strategy hill-climbing:warmpu=2 --budget 20 --plugin hill.so",
              nas_test_folder(), nas_program()),
      2);
  assert_non_null(strstr(out, "did you mean 'warmup'"));
  free(out);
}

static void refused(const char *file, const char *why) {
  char *err;
  assert_int_not_equal(
      nas_run(NULL, &err, "cd '%s' && '%s' strategy list --plugin %s", nas_test_folder(), nas_program(), file), 0);
  if (!strstr(err, why)) fail_msg("expected '%s' in: %s", why, err);
  free(err);
}

static void wrong_objects_are_refused_with_the_reason(void **state) {
  (void)state;
  if (nas_run(NULL, NULL, "command -v cc") != 0) nas_skip("no C compiler to build the plugin with");
  refused("absent.so", "no plugin there");
  assert_int_equal(nas_run(NULL, NULL, "echo text > '%s/text.so'", nas_test_folder()), 0);
  refused("text.so", "does not load");
  build_text("empty", "int nothing;");
  refused("empty.so", "no symbol nas_strategy_plugin_v1");
  build_text("old", "#include \"search/plugin.h\"\nconst nas_strategy_plugin nas_strategy_plugin_v1 = {99, 0};");
  refused("old.so", "built for strategy ABI 99");
  build_text("half",
             "#include \"search/plugin.h\"\nstatic const nas_strategy_type t = {.name = \"t\", .version = 1, "
             ".summary = \"s\", .citation = \"c\"};\nstatic const nas_strategy_type *const all[] = {&t, 0};\n"
             "const nas_strategy_plugin nas_strategy_plugin_v1 = {NAS_STRATEGY_ABI, all};");
  refused("half.so", "needs tell");
}

NAS_SUITE(Plugin, NAS_CASE(the_example_passes_all_checks), NAS_CASE(the_example_searches),
          NAS_CASE(the_example_is_replayed), NAS_CASE(wrong_objects_are_refused_with_the_reason))
