#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "jobs/campaign.h"

static const char good[] =
    "space:     {name: nas-bench-201, channels: 8, cells: 1}\n"
    "dataset:   {name: shapes}\n"
    "recipe:    {name: nas-bench-201, epochs: 12}\n"
    "strategy:  {name: regularized-evolution, population: 10, sample: 3}\n"
    "budget:    {trials: 100}\n"
    "seed:      7\n"
    "trial:     {seconds: 10m, memory: 2GiB}\n";

static nas_campaign parsed;

static nas_status parse(const char *text, const char *override) {
  nas_campaign_free(&parsed);
  return nas_campaign_parse("c.yaml", text, strlen(text), &override, override ? 1 : 0, &parsed, nas_test_err());
}

/* The good file with one more line. */
static nas_status with(const char *line) {
  char text[4096];
  snprintf(text, sizeof text, "%s%s\n", good, line);
  return parse(text, NULL);
}

static nas_status with_override(const char *override) { return parse(good, override); }

static void reads_every_section(void **state) {
  (void)state;
  assert_ok(parse(good, NULL));
  assert_string_equal(parsed.name, "c");
  assert_string_equal(parsed.space, "nas-bench-201");
  assert_string_equal(parsed.evaluator, "train"); /* by default */
  assert_string_equal(parsed.strategy, "regularized-evolution");
  assert_string_equal(nas_settings_get(&parsed.space_settings, "channels"), "8");
  assert_string_equal(nas_settings_get(&parsed.strategy_settings, "sample"), "3");
  assert_int_equal(parsed.budget.trials, 100);
  assert_int_equal(parsed.seed, 7);
  assert_close(parsed.trial.seconds, 600, 0);
  assert_int_equal(parsed.trial.memory, (int64_t)2 << 30);
  nas_campaign_free(&parsed);
}

static void takes_bare_names_and_block_style(void **state) {
  (void)state;
  assert_ok(
      parse("# a comment\nname: my-run_1.2\nspace: nas-bench-201\ndataset: shapes\nrecipe: quick\n"
            "strategy: 'random'\nbudget:\n  seconds: 2h\n  epochs: 50\n",
            NULL));
  assert_string_equal(parsed.name, "my-run_1.2");
  assert_string_equal(parsed.strategy, "random");
  assert_close(parsed.budget.seconds, 7200, 0);
  nas_campaign_free(&parsed);
}

static void names_the_place_of_each_mistake(void **state) {
  (void)state;
  const struct {
    const char *line;
    nas_status code;
    const char *part;
  } mistakes[] = {
      {"sapce: x", NAS_E_UNKNOWN_NAME, "did you mean 'space'"},
      {"sapce: x", NAS_E_UNKNOWN_NAME, "c.yaml:8:1"},
      {"evaluator: {name: noop, epohcs: 3}", NAS_E_UNKNOWN_NAME, "did you mean 'epochs'"},
      {"evaluator: {name: noop, epohcs: 3}", NAS_E_UNKNOWN_NAME, "c.yaml:8:25"},
      {"evaluator: nop", NAS_E_UNKNOWN_NAME, "did you mean 'noop'"},
      {"evaluator: nop", NAS_E_UNKNOWN_NAME, "c.yaml:8:1"},
      {"evaluator: {epochs: 3, name: }", NAS_E_BAD_INPUT, "c.yaml:8:30"},
      {"seed: 8", NAS_E_BAD_INPUT, "'seed' is given twice"},
      {"seed: 8", NAS_E_BAD_INPUT, "c.yaml:8:1"},
      {"budget: {trials: 1}", NAS_E_BAD_INPUT, "'budget' is given twice"},
      {"space: nas-bench-201", NAS_E_BAD_INPUT, "given twice"},
      {"evaluator: {name: noop, epochs: 1, epochs: 2}", NAS_E_BAD_INPUT, "'evaluator.epochs' is given twice"},
      {"evaluator: &a {name: noop}", NAS_E_BAD_INPUT, "anchors"},
      {"evaluator: *a", NAS_E_BAD_INPUT, "alias"},
      {"evaluator: !!python/object:os.system x", NAS_E_BAD_INPUT, "tags"},
      {"evaluator: !x noop", NAS_E_BAD_INPUT, "tags"},
      {"evaluator: [noop]", NAS_E_BAD_INPUT, "lists"},
      {"evaluator: {name: {deep: 1}}", NAS_E_BAD_INPUT, "must be a plain value"},
      {"? {a: b}\n: c", NAS_E_BAD_INPUT, "c.yaml:8:3"},
      {"data-dir: {a: b}", NAS_E_BAD_INPUT, "data-dir is a plain value"},
      {"data-dir: \"a\\nb\"", NAS_E_BAD_INPUT, "one line"},
      {"data-dir: \"a\\0b\"", NAS_E_BAD_INPUT, "one line"},
      {"evaluator.epochs: 3", NAS_E_BAD_INPUT, "write sections as mappings"},
      {"evaluator: {name: noop", NAS_E_BAD_INPUT, "not valid YAML"},
      {"\tevaluator: noop", NAS_E_BAD_INPUT, "not valid YAML"},
      {"---\nspace: x", NAS_E_BAD_INPUT, "only one document"},
      {"name: ../escape", NAS_E_BAD_INPUT, "the name '../escape'"},
      {"name: .hidden", NAS_E_BAD_INPUT, "the name '.hidden'"},
      {"evaluator: \xff\xfe", NAS_E_BAD_INPUT, "not valid YAML"},
      {"evaluator: {name: noop, fail: explode}", NAS_E_BAD_INPUT, "must be one of"},
      {"evaluator: {name: noop, seconds: soon}", NAS_E_BAD_INPUT, "a time such as"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    memset(nas_test_err(), 0, sizeof(nas_err));
    assert_fails(with(mistakes[i].line), mistakes[i].code, mistakes[i].part);
  }
}

static void asks_for_what_is_missing(void **state) {
  (void)state;
  assert_fails(parse("", NULL), NAS_E_BAD_INPUT, "mapping of sections");
  assert_fails(parse("just text", NULL), NAS_E_BAD_INPUT, "mapping of sections");
  assert_fails(parse("- a\n- b\n", NULL), NAS_E_BAD_INPUT, "lists");
  assert_fails(parse("seed: 1\n", NULL), NAS_E_BAD_INPUT, "no section 'space'; add `space: nas-bench-201`");
  assert_fails(parse("space: {channels: 8}\n", NULL), NAS_E_BAD_INPUT, "section space has no name");
  assert_fails(parse("space: nas-bench-201\ndataset: shapes\nrecipe: quick\nstrategy: random\n", NULL), NAS_E_BAD_INPUT,
               "the budget is empty");
  assert_fails(parse("space: nas-bench-201\ndataset: shapes\nrecipe: quick\nstrategy: random\nbudget: 100\n", NULL),
               NAS_E_BAD_INPUT, "budget must be a mapping, such as {trials: 100}");
}

static void checks_overrides_like_the_file(void **state) {
  (void)state;
  assert_ok(with_override("budget.trials=5"));
  assert_int_equal(parsed.budget.trials, 5);
  assert_ok(with_override("seed=9"));
  assert_int_equal(parsed.seed, 9);
  assert_ok(with_override("strategy.sample=5"));
  assert_string_equal(nas_settings_get(&parsed.strategy_settings, "sample"), "5");
  assert_string_equal(nas_settings_get(&parsed.strategy_settings, "population"), "10");
  assert_ok(with_override("strategy=random")); /* replaces the section with its options */
  assert_string_equal(parsed.strategy, "random");
  assert_int_equal(parsed.strategy_settings.n, 0);
  assert_fails(with_override("strategy.name=random"), NAS_E_UNKNOWN_NAME, "no option 'population'");
  assert_fails(with_override("budget.trials=0"), NAS_E_BAD_INPUT, "the budget is empty");
  assert_fails(with_override("budget.trials=-1"), NAS_E_OUT_OF_RANGE, "-o budget.trials=-1");
  assert_fails(with_override("strategy.smaple=5"), NAS_E_UNKNOWN_NAME, "did you mean 'sample'");
  assert_fails(with_override("strategi.sample=5"), NAS_E_UNKNOWN_NAME, "did you mean 'strategy'");
  assert_fails(with_override("seed"), NAS_E_USAGE, "section.key=value");
  assert_fails(with_override("=3"), NAS_E_USAGE, "section.key=value");
  assert_fails(with_override("seed="), NAS_E_USAGE, "section.key=value");
  assert_fails(with_override("trial.memory=lots"), NAS_E_BAD_INPUT, "a size such as 512MiB");
  nas_campaign_free(&parsed);
}

static void an_alias_bomb_is_refused_at_once(void **state) {
  (void)state;
  nas_str bomb = {0};
  nas_str_add(&bomb, "a: &a [x,x,x,x,x,x,x,x,x]\n");
  for (int c = 'b'; c < 'j'; c++)
    nas_str_fmt(&bomb, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1,
                c - 1);
  assert_fails(parse(nas_str_text(&bomb), NULL), NAS_E_BAD_INPUT, "c.yaml:1:4");
  nas_str_clear(&bomb);
  for (int i = 0; i < 100000; i++) nas_str_add(&bomb, "{a: ");
  assert_fails(parse(nas_str_text(&bomb), NULL), NAS_E_BAD_INPUT, "c.yaml:1");
  nas_str_free(&bomb);
}

static void records_every_option_canonically(void **state) {
  (void)state;
  nas_str a = {0}, b = {0};
  assert_ok(parse(good, NULL));
  assert_ok(nas_campaign_record(&parsed, &a, nas_test_err()));
  assert_non_null(strstr(nas_str_text(&a), "\nspace.name=nas-bench-201\nspace.channels=8\nspace.cells=1\n"));
  assert_non_null(strstr(nas_str_text(&a), "\nstrategy.mutations=1\n")); /* a default */
  assert_non_null(strstr(nas_str_text(&a), "\ntrial.memory=2147483648\n"));
  assert_non_null(strstr(nas_str_text(&a), "\nrecipe.epochs=12\n"));
  /* The same said otherwise gives the same record. */
  assert_ok(
      parse("budget:\n  trials: 100\nseed: 7\nevaluator: train\n"
            "strategy: {sample: 3, name: regularized-evolution}\n"
            "recipe: {name: nas-bench-201}\ndataset: shapes\n"
            "space: {cells: 1, channels: 8, name: nas-bench-201}\ntrial: {memory: 2048MiB, seconds: 600}\n",
            NULL));
  assert_ok(nas_campaign_record(&parsed, &b, nas_test_err()));
  assert_string_equal(nas_str_text(&a), nas_str_text(&b));
  nas_str_free(&a);
  nas_str_free(&b);
  nas_campaign_free(&parsed);
}

static void names_come_from_the_file(void **state) {
  (void)state;
  nas_campaign c;
  const struct {
    const char *path, *name;
  } cases[] = {
      {"/a/b/my run.yaml", "my-run"}, {"x", "x"}, {"dir.d/.yaml", "yaml"}, {"a.b.yml", "a.b"}, {"///", "campaign"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_ok(nas_campaign_parse(cases[i].path, good, strlen(good), NULL, 0, &c, nas_test_err()));
    assert_string_equal(c.name, cases[i].name);
    nas_campaign_free(&c);
  }
}

static void reports_files_that_cannot_be_read(void **state) {
  (void)state;
  nas_campaign c;
  assert_fails(nas_campaign_load("/no/such/file.yaml", NULL, 0, &c, nas_test_err()), NAS_E_NOT_FOUND, "file.yaml");
  char path[256];
  snprintf(path, sizeof path, "%s/big.yaml", nas_test_folder());
  char *big = malloc(2 << 20);
  memset(big, '#', 2 << 20);
  assert_ok(nas_file_write_atomic(path, big, 2 << 20, nas_test_err()));
  assert_true(nas_campaign_load(path, NULL, 0, &c, nas_test_err()) != NAS_OK);
  free(big);
}

static void the_examples_are_valid(void **state) {
  (void)state;
  char folder[512];
  int n = 0;
  snprintf(folder, sizeof folder, "%s/examples", nas_source_folder());
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  for (struct dirent *e; (e = readdir(dir));) {
    char path[1024];
    const char *dot = strrchr(e->d_name, '.');
    if (!dot || strcmp(dot, ".yaml") != 0) continue;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    assert_ok(nas_campaign_load(path, NULL, 0, &parsed, nas_test_err()));
    nas_campaign_free(&parsed);
    n++;
  }
  closedir(dir);
  assert_true(n >= 3);
}

NAS_SUITE(CampaignFile, NAS_CASE(reads_every_section), NAS_CASE(takes_bare_names_and_block_style),
          NAS_CASE(names_the_place_of_each_mistake), NAS_CASE(asks_for_what_is_missing),
          NAS_CASE(checks_overrides_like_the_file), NAS_CASE(an_alias_bomb_is_refused_at_once),
          NAS_CASE(records_every_option_canonically), NAS_CASE(names_come_from_the_file),
          NAS_CASE(reports_files_that_cannot_be_read), NAS_CASE(the_examples_are_valid))
