/* Spaces that are declared: text forms, indices, and what a declaration must not say. */
#include <string.h>

#include "harness.h"
#include "space/space.h"

static nas_status open_declared(const char *const *settings, nas_space **out) {
  nas_settings list = {0};
  for (int i = 0; settings[i]; i += 2) assert_ok(nas_settings_put(&list, settings[i], settings[i + 1], "test", NULL));
  nas_status status = nas_space_open("declared:x", &list, out, nas_test_err());
  nas_settings_free(&list);
  return status;
}

#define DECLARED(space, ...) assert_ok(open_declared((const char *const[]){__VA_ARGS__, NULL}, space))
#define REFUSED(part, ...)                                                                                             \
  do {                                                                                                                 \
    nas_space *none;                                                                                                   \
    nas_status refused = open_declared((const char *const[]){__VA_ARGS__, NULL}, &none);                               \
    if (refused == NAS_OK || !strstr(nas_test_err()->msg, part)) fail_msg("no '%s' in %s", part, nas_test_err()->msg); \
  } while (0)

static void check_text(const nas_space *space, const char *text, const char *formatted, uint64_t index) {
  nas_arch arch, again;
  char out[NAS_ARCH_TEXT_MAX];
  uint64_t number;
  assert_ok(nas_space_parse(space, text, &arch, nas_test_err()));
  assert_ok(nas_space_format(space, &arch, out, nas_test_err()));
  assert_string_equal(out, formatted);
  assert_true(nas_space_index(space, &arch, &number));
  assert_int_equal(number, index);
  assert_ok(nas_space_at(space, index, &again, nas_test_err()));
  assert_true(nas_arch_same(&arch, &again));
}

static void names_in_any_dress(void **state) {
  (void)state;
  nas_space *s;
  DECLARED(&s, "ops", "none,skip,conv", "positions", "4");
  assert_int_equal(nas_space_size(s), 81);
  check_text(s, "conv,none,skip,skip", "conv,none,skip,skip", 2 * 27 + 0 * 9 + 1 * 3 + 1);
  check_text(s, "['conv', 'none', 'skip', 'skip']", "conv,none,skip,skip", 58);
  check_text(s, "(2, 0, 1, 1)", "conv,none,skip,skip", 58);
  check_text(s, "58", "conv,none,skip,skip", 58);
  nas_arch arch;
  assert_fails(nas_space_parse(s, "conv,none,skp,skip", &arch, nas_test_err()), NAS_E_UNKNOWN_NAME, "'skip'");
  assert_string_equal(nas_test_err()->where, "arch:11");
  assert_fails(nas_space_parse(s, "conv,none,skip", &arch, nas_test_err()), NAS_E_BAD_INPUT, "3 operations");
  assert_fails(nas_space_parse(s, "(2, 0, 3, 1)", &arch, nas_test_err()), NAS_E_UNKNOWN_NAME, "'2'");
  assert_fails(nas_space_parse(s, "81", &arch, nas_test_err()), NAS_E_OUT_OF_RANGE, "0..80");
  nas_net *net;
  assert_ok(nas_space_at(s, 0, &arch, nas_test_err()));
  assert_fails(nas_space_net(s, &arch, (nas_task){{3, 8, 8}, 10}, &net, nas_test_err()), NAS_E_UNSUPPORTED, "networks");
  nas_space_close(s);
}

/* Digits of exactly the right number are an architecture, fewer are an index. */
static void digits_are_text(void **state) {
  (void)state;
  nas_space *s;
  DECLARED(&s, "ops", "a,b,c", "positions", "8", "form", "digits");
  check_text(s, "01220121", "01220121", 0 + 729 + 2 * 243 + 2 * 81 + 0 + 9 + 2 * 3 + 1);
  check_text(s, "1393", "01220121", 1393);
  nas_arch arch;
  assert_fails(nas_space_parse(s, "01230121", &arch, nas_test_err()), NAS_E_BAD_INPUT, "1 operations");
  nas_space_close(s);
}

static void cells_have_edges(void **state) {
  (void)state;
  nas_space *s;
  uint8_t from, to;
  DECLARED(&s, "ops", "none,conv", "edges", "0-1,0-2,1-2", "form", "cell");
  check_text(s, "|conv~0|+|none~0|conv~1|", "|conv~0|+|none~0|conv~1|", 5);
  assert_true(nas_space_edge(s, 2, &from, &to) && from == 1 && to == 2);
  nas_space_close(s);
  DECLARED(&s, "ops", "none,conv", "positions", "3");
  assert_false(nas_space_edge(s, 2, &from, &to));
  nas_space_close(s);
}

static void positions_differ(void **state) {
  (void)state;
  nas_space *s;
  DECLARED(&s, "choices", "2*3x3,5x5;16,32,64", "separator", ":");
  assert_int_equal(nas_space_genes(s), 3);
  assert_int_equal(nas_space_size(s), 12);
  check_text(s, "5x5:3x3:32", "5x5:3x3:32", 2 * 3 + 1);
  nas_space_close(s);
}

static void contradictions_are_refused(void **state) {
  (void)state;
  REFUSED("do not agree", "ops", "a,b", "positions", "4", "edges", "0-1,0-2");
  REFUSED("twice", "ops", "a,b,a");
  REFUSED("0-1,0-2", "ops", "a,b", "edges", "1-0");
  REFUSED("0-1,0-2", "ops", "a,b", "edges", "0-1;0-2");
  REFUSED("needs edges", "ops", "a,b", "form", "cell");
  REFUSED("stands in the name", "ops", "a-b,c", "separator", "-");
  REFUSED("at most 64", "choices", "70*a,b");
  REFUSED("order of the nodes", "ops", "a,b", "form", "cell", "edges", "0-2,0-1");
}

NAS_SUITE(Declared, NAS_CASE(names_in_any_dress), NAS_CASE(digits_are_text), NAS_CASE(cells_have_edges),
          NAS_CASE(positions_differ), NAS_CASE(contradictions_are_refused))
