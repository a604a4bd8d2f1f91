/* What every strategy of the registry must do. */
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "harness.h"
#include "search/conformance.h"
#include "train/neuron.h"

enum { ASKS = 120 };

typedef void (*check)(const nas_strategy_type *type, const nas_space *space);

/* Of this name, NULL: of all. */
static void for_each_in(nas_space *space, const char *name, check run) {
  size_t n = 0;
  for (const nas_strategy_type *const *t = nas_strategy_types(); *t; t++, n++)
    if (!(*t)->recall && (!name || strcmp(name, (*t)->name) == 0)) /* what consults something outside has own tests */
      run(*t, space);
  assert_true(n >= 2);
  nas_space_close(space);
}

static void for_each(check run) { for_each_in(nas_drive_space(), NULL, run); }

static void check_description(const nas_strategy_type *type, const nas_space *space) {
  (void)space;
  assert_true(strlen(type->name) > 0 && strlen(type->summary) > 0 && strlen(type->citation) > 0);
  assert_true(type->version >= 1);
  assert_true((type->ask == NULL) != (type->propose == NULL));
  assert_non_null(type->tell);
  void *values = calloc(1, type->options_size + 1);
  nas_settings defaults = {0};
  for (const nas_option *o = type->options; o && o->name; o++)
    assert_ok(nas_settings_put(&defaults, o->name, o->fallback, "default", nas_test_err()));
  assert_ok(nas_options_fill(type->options, values, type->name, &defaults, nas_test_err()));
  nas_settings_free(&defaults);
  free(values);
}

static void describes_itself(void **state) {
  (void)state;
  for_each(check_description);
}

static void check_same(const nas_strategy_type *type, const nas_space *space) {
  nas_history a = {0}, b = {0}, c = {0};
  nas_strategy *first = nas_drive_open(type->name, NULL, space, 7), *again = nas_drive_open(type->name, NULL, space, 7),
               *other = nas_drive_open(type->name, NULL, space, 8);
  nas_drive(first, &a, ASKS, 4, 3, 7);
  nas_drive(again, &b, ASKS, 4, 3, 7);
  nas_drive(other, &c, ASKS, 4, 3, 7);
  assert_memory_equal(a.arch, b.arch, sizeof a.arch);
  if (type->seedless) assert_memory_equal(a.arch, c.arch, sizeof a.arch);
  else assert_memory_not_equal(a.arch, c.arch, sizeof a.arch); /* the seed is used */
  nas_strategy_close(first);
  nas_strategy_close(again);
  nas_strategy_close(other);
}

static void repeats_itself_for_the_same_seed(void **state) {
  (void)state;
  for_each(check_same);
}

static void check_replay(const nas_strategy_type *type, const nas_space *space) {
  nas_history whole = {0}, half = {0};
  nas_strategy *s = nas_drive_open(type->name, NULL, space, 1), *restored = nas_drive_open(type->name, NULL, space, 1);
  nas_drive(s, &half, ASKS / 2, 5, 9, 6);
  whole = half;
  nas_drive(s, &whole, ASKS, 5, 9, 6);
  nas_drive_replay(restored, &half, 6);
  nas_drive(restored, &half, ASKS, 5, 9, 6);
  assert_int_equal(half.n_events, whole.n_events);
  assert_memory_equal(half.arch, whole.arch, sizeof whole.arch);
  nas_strategy_close(s);
  nas_strategy_close(restored);
}

static void is_restored_by_replaying_asks_and_tells(void **state) {
  (void)state;
  for_each(check_replay);
}

static void check_valid(const nas_strategy_type *type, const nas_space *space) {
  const uint64_t orders[] = {0, 1, 2}, failures[] = {0, 1, 2}; /* 1: every trial fails */
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 3; k++) {
      nas_history h = {0};
      nas_strategy *s = nas_drive_open(type->name, NULL, space, i);
      nas_drive(s, &h, ASKS, 1 + 8 * k, orders[i], failures[k]);
      for (size_t a = 0; a < ASKS; a++) {
        char text[NAS_ARCH_TEXT_MAX];
        nas_arch back;
        assert_ok(nas_space_format(space, &h.arch[a], text, nas_test_err()));
        assert_ok(nas_space_parse(space, text, &back, nas_test_err()));
        assert_true(nas_arch_same(&back, &h.arch[a]));
      }
      nas_strategy_close(s);
    }
}

static void proposes_members_of_the_space_whatever_comes_back(void **state) {
  (void)state;
  for_each(check_valid);
}

static void check_misuse(const nas_strategy_type *type, const nas_space *space) {
  nas_history h = {0};
  nas_strategy *s = nas_drive_open(type->name, NULL, space, 1);
  nas_proposal p;
  assert_fails(nas_strategy_propose(s, 1, &p, nas_test_err()), NAS_E_INTERNAL, "in turn");
  nas_tell early = nas_drive_tell(&h, 0, 0);
  assert_fails(nas_strategy_tell(s, &early, nas_test_err()), NAS_E_INTERNAL, "only 0 were made");
  assert_ok(nas_strategy_propose(s, 0, &p, nas_test_err()));
  h.arch[0] = p.arch;
  nas_tell tell = nas_drive_tell(&h, 0, 0);
  assert_ok(nas_strategy_tell(s, &tell, nas_test_err()));
  assert_fails(nas_strategy_tell(s, &tell, nas_test_err()), NAS_E_INTERNAL, "twice");
  nas_strategy_close(s);
}

static void refuses_asks_and_tells_out_of_the_protocol(void **state) {
  (void)state;
  for_each(check_misuse);
}

static void check_options(const nas_strategy_type *type, const nas_space *space) {
  nas_settings wrong = {0};
  nas_strategy *s;
  assert_ok(nas_settings_put(&wrong, "no-such-option", "1", "file:1:2", nas_test_err()));
  assert_fails(nas_strategy_open(type->name, &wrong, space, 0, &s, nas_test_err()), NAS_E_UNKNOWN_NAME,
               "no-such-option");
  assert_null(s);
  nas_settings_free(&wrong);
}

static void refuses_unknown_options(void **state) {
  (void)state;
  for_each(check_options);
}

static void guesses_the_name(void **state) {
  (void)state;
  const nas_strategy_type *type;
  assert_fails(nas_strategy_find("randm", &type, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'random'");
  assert_fails(nas_strategy_find("", &type, nas_test_err()), NAS_E_UNKNOWN_NAME, "no strategy ''");
}

static void check_all(const nas_strategy_type *type, const nas_space *space, uint64_t asks) {
  nas_conformance checks[NAS_CONFORMANCE_CHECKS];
  assert_ok(nas_conformance_check(type, NULL, space, asks, checks, nas_test_err()));
  for (int i = 0; i < NAS_CONFORMANCE_CHECKS; i++)
    if (*checks[i].fault) fail_msg("%s: %s: %s", type->name, checks[i].name, checks[i].fault);
}

static void check_conformance(const nas_strategy_type *type, const nas_space *space) {
  check_all(type, space, NAS_TEST_SANITIZED ? NAS_CONFORMANCE_BRIEF : NAS_CONFORMANCE_ASKS);
}

static void check_briefly(const nas_strategy_type *type, const nas_space *space) {
  check_all(type, space, NAS_CONFORMANCE_BRIEF);
}

static void passes_the_conformance_checks(void **state) {
  (void)state;
  for_each(check_conformance);
}

/* Sequences of layers with widths and neuron types. */
static void passes_them_in_a_space_of_networks_long(void **state) {
  (void)state;
  nas_space *space;
  nas_neurons_introduce();
  assert_ok(nas_space_open("neuron-mlp", NULL, &space, nas_test_err()));
  for_each_in(space, NULL, check_briefly);
}

/* Its kernels compare cells, and neurons have other operations than convolutional cells. */
static void gp_passes_them_in_a_space_of_neurons(void **state) {
  (void)state;
  nas_space *space;
  nas_neurons_introduce();
  assert_ok(nas_space_open("neuron-cell", NULL, &space, nas_test_err()));
  for_each_in(space, "gp", check_briefly);
}

NAS_SUITE(Strategy, NAS_CASE(describes_itself), NAS_CASE(repeats_itself_for_the_same_seed),
          NAS_CASE(is_restored_by_replaying_asks_and_tells),
          NAS_CASE(proposes_members_of_the_space_whatever_comes_back),
          NAS_CASE(refuses_asks_and_tells_out_of_the_protocol), NAS_CASE(refuses_unknown_options),
          NAS_CASE(guesses_the_name), NAS_CASE(passes_the_conformance_checks),
          NAS_CASE(passes_them_in_a_space_of_networks_long), NAS_CASE(gp_passes_them_in_a_space_of_neurons))
