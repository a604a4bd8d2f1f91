#include "base/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

typedef struct values {
  int64_t count, memory, ahead;
  double rate, limit;
  bool flip;
  char name[8], kind[16];
} values;

static const nas_option table[] = {NAS_OPT_INT(values, count, "count", "10", 2, 100, "how many"),
                                   NAS_OPT_REAL(values, rate, "rate", "0.1", 0, 1, "how fast"),
                                   NAS_OPT_FLAG(values, flip, "flip", "false", "whether to turn"),
                                   NAS_OPT_TEXT(values, name, "name", "", "what it is called"),
                                   NAS_OPT_CHOICE(values, kind, "kind", "cosine", "cosine|step|none", "which"),
                                   NAS_OPT_BYTES(values, memory, "memory", "1MiB", 0, 0x1p40, "how much"),
                                   NAS_OPT_SECONDS(values, limit, "limit", "10m", 0, 1e6, "how long"),
                                   NAS_OPT_INT_OR(values, ahead, "ahead", "auto", "auto", 0, 9, "how far"),
                                   NAS_OPT_END};

static nas_status set(values *v, const char *key, const char *value) {
  return nas_options_set(table, v, "recipe test", key, value, "file.yaml:2:3", nas_test_err());
}

static void defaults(void **state) {
  (void)state;
  values v = {0};
  nas_options_defaults(table, &v);
  assert_int_equal(v.count, 10);
  assert_true(v.rate == 0.1 && v.limit == 600);
  assert_false(v.flip);
  assert_string_equal(v.name, "");
  assert_string_equal(v.kind, "cosine");
  assert_int_equal(v.memory, 1 << 20);
  assert_int_equal(v.ahead, -1);
}

static void sets_every_type(void **state) {
  (void)state;
  values v = {0};
  assert_ok(set(&v, "count", "2"));
  assert_ok(set(&v, "rate", "1"));
  assert_ok(set(&v, "flip", "yes"));
  assert_ok(set(&v, "name", "seven77"));
  assert_ok(set(&v, "kind", "step"));
  assert_ok(set(&v, "memory", "2GiB"));
  assert_ok(set(&v, "limit", "2h"));
  assert_int_equal(v.count, 2);
  assert_true(v.rate == 1 && v.limit == 7200 && v.flip);
  assert_string_equal(v.name, "seven77");
  assert_string_equal(v.kind, "step");
  assert_int_equal(v.memory, (int64_t)2 << 30);
  assert_ok(set(&v, "ahead", "9"));
  assert_int_equal(v.ahead, 9);
  assert_ok(set(&v, "ahead", "auto"));
  assert_int_equal(v.ahead, -1);
  assert_ok(set(&v, "flip", "off"));
  assert_false(v.flip);
  assert_ok(set(&v, "name", "x")); /* no rest of the longer text */
  assert_memory_equal(v.name, "x\0\0\0\0\0\0", 8);
}

static void refuses_bad_values(void **state) {
  (void)state;
  static const struct {
    const char *key, *value;
    nas_status code;
    const char *part;
  } rows[] = {
      {"count", "1", NAS_E_OUT_OF_RANGE, "count of recipe test is 1; it must lie in 2..100"},
      {"count", "101", NAS_E_OUT_OF_RANGE, "2..100"},
      {"count", "1.5", NAS_E_BAD_INPUT, "'1.5'; it must be a whole number"},
      {"count", "", NAS_E_BAD_INPUT, "a whole number"},
      {"rate", "1.0001", NAS_E_OUT_OF_RANGE, "0..1"},
      {"rate", "-1e-9", NAS_E_OUT_OF_RANGE, "0..1"},
      {"rate", "nan", NAS_E_BAD_INPUT, "a number"},
      {"flip", "maybe", NAS_E_BAD_INPUT, "true or false"},
      {"flip", "true|yes", NAS_E_BAD_INPUT, "true or false"},
      {"name", "eight888", NAS_E_BAD_INPUT, "longer than 7"},
      {"kind", "cos", NAS_E_BAD_INPUT, "one of cosine|step|none"},
      {"kind", "", NAS_E_BAD_INPUT, "one of"},
      {"memory", "2XB", NAS_E_BAD_INPUT, "a size such as"},
      {"memory", "2TiB", NAS_E_OUT_OF_RANGE, "0.."},
      {"limit", "soon", NAS_E_BAD_INPUT, "a time such as"},
      {"ahead", "automatic", NAS_E_BAD_INPUT, "it must be a whole number or auto"},
      {"ahead", "-1", NAS_E_OUT_OF_RANGE, "it must lie in 0..9 or be auto"},
      {"count", "auto", NAS_E_BAD_INPUT, "it must be a whole number"},
      {"coutn", "3", NAS_E_UNKNOWN_NAME, "recipe test has no option 'coutn', did you mean 'count'?"},
      {"zzzzzz", "3", NAS_E_UNKNOWN_NAME, "no option 'zzzzzz'"},
  };
  values before = {0};
  nas_options_defaults(table, &before);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    values v;
    memcpy(&v, &before, sizeof v);
    assert_fails(set(&v, rows[i].key, rows[i].value), rows[i].code, rows[i].part);
    assert_string_equal(nas_test_err()->where, "file.yaml:2:3");
    assert_memory_equal(&v, &before, sizeof v);
  }
}

static void fill_takes_the_last_of_a_key(void **state) {
  (void)state;
  nas_settings s = {0};
  values v = {0};
  assert_ok(nas_settings_put(&s, "count", "3", "a:1", nas_test_err()));
  assert_ok(nas_settings_put(&s, "rate", "0.5", "a:2", nas_test_err()));
  assert_ok(nas_settings_put(&s, "count", "4", "-o count=4", nas_test_err()));
  assert_int_equal(s.n, 2);
  assert_ok(nas_options_fill(table, &v, "t", &s, nas_test_err()));
  assert_int_equal(v.count, 4);
  assert_true(v.rate == 0.5 && v.limit == 600);
  assert_string_equal(nas_settings_get(&s, "count"), "4");
  assert_null(nas_settings_get(&s, "absent"));
  assert_ok(nas_settings_put(&s, "kidn", "step", "a:9", nas_test_err()));
  assert_fails(nas_options_fill(table, &v, "t", &s, nas_test_err()), NAS_E_UNKNOWN_NAME, "a:9");
  nas_settings_free(&s);
  assert_ok(nas_options_fill(table, &v, "t", NULL, nas_test_err()));
  assert_int_equal(v.count, 10);
}

static void settings_have_limits(void **state) {
  (void)state;
  nas_settings s = {0};
  char text[600];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  assert_fails(nas_settings_put(&s, text, "1", "w", nas_test_err()), NAS_E_BAD_INPUT, "longer than 63");
  assert_fails(nas_settings_put(&s, "k", text, "w", nas_test_err()), NAS_E_BAD_INPUT, "longer than 447");
  assert_fails(nas_settings_parse(&s, "no equals sign\n", "w", nas_test_err()), NAS_E_BAD_INPUT, "key=value");
  for (int i = 0; i < 100; i++) {
    char key[16];
    snprintf(key, sizeof key, "k%d", i);
    assert_ok(nas_settings_put(&s, key, "v", NULL, nas_test_err()));
  }
  assert_int_equal(s.n, 100);
  assert_string_equal(nas_settings_get(&s, "k99"), "v");
  nas_settings_free(&s);
}

/* The stored record gives the same values and, formatted anew, the same text. */
static void the_record_reads_back(void **state) {
  (void)state;
  values v = {0}, again = {0};
  nas_options_defaults(table, &v);
  assert_ok(set(&v, "rate", "0.30000000000000004"));
  assert_ok(set(&v, "flip", "1"));
  assert_ok(set(&v, "name", "a=b c"));
  nas_str record = {0}, second = {0};
  nas_options_format(table, &v, &record);
  assert_string_equal(nas_str_text(&record),
                      "count=10\nrate=0.30000000000000004\nflip=true\nname=a=b c\nkind=cosine\nmemory=1048576\n"
                      "limit=600\nahead=auto\n");
  nas_settings s = {0};
  assert_ok(nas_settings_parse(&s, nas_str_text(&record), "db", nas_test_err()));
  assert_ok(nas_options_fill(table, &again, "t", &s, nas_test_err()));
  assert_memory_equal(&again, &v, sizeof v);
  nas_settings_format(&s, &second);
  assert_string_equal(nas_str_text(&second), nas_str_text(&record));
  nas_settings_free(&s);
  nas_str_free(&record);
  nas_str_free(&second);
}

static void the_record_is_canonical(void **state) {
  (void)state;
  values a = {0}, b = {0};
  nas_options_defaults(table, &a);
  nas_options_defaults(table, &b);
  assert_ok(set(&a, "limit", "1h"));
  assert_ok(set(&b, "limit", "3600.0"));
  assert_ok(set(&a, "memory", "1KiB"));
  assert_ok(set(&b, "memory", "1024"));
  assert_ok(set(&a, "rate", "1e-1"));
  nas_str x = {0}, y = {0};
  nas_options_format(table, &a, &x);
  nas_options_format(table, &b, &y);
  assert_string_equal(nas_str_text(&x), nas_str_text(&y));
  nas_str_free(&x);
  nas_str_free(&y);
}

static void prints_json_and_help(void **state) {
  (void)state;
  values v = {0};
  nas_options_defaults(table, &v);
  assert_ok(set(&v, "name", "a\"b"));
  nas_str out = {0};
  nas_options_json(table, &v, &out);
  assert_string_equal(nas_str_text(&out),
                      "{\"count\": 10, \"rate\": 0.1, \"flip\": false, \"name\": \"a\\\"b\", \"kind\": \"cosine\", "
                      "\"memory\": 1048576, \"limit\": 600, \"ahead\": \"auto\"}");
  nas_str_clear(&out);
  nas_options_help(table, &out);
  for (const nas_option *o = table; o->name; o++) {
    assert_non_null(strstr(nas_str_text(&out), o->name));
    assert_non_null(strstr(nas_str_text(&out), o->help));
  }
  assert_non_null(strstr(nas_str_text(&out), "2..100"));
  assert_non_null(strstr(nas_str_text(&out), "auto|0..9"));
  nas_str_clear(&out);
  nas_options_help_json(table, &out);
  assert_non_null(strstr(nas_str_text(&out),
                         "{\"name\": \"kind\", \"type\": \"choice\", \"default\": \"cosine\", "
                         "\"choices\": \"cosine|step|none\", \"help\": \"which\"}"));
  assert_non_null(strstr(nas_str_text(&out), "\"min\": 2, \"max\": 100"));
  nas_str_free(&out);
}

NAS_SUITE(Options, NAS_CASE(defaults), NAS_CASE(sets_every_type), NAS_CASE(refuses_bad_values),
          NAS_CASE(fill_takes_the_last_of_a_key), NAS_CASE(settings_have_limits), NAS_CASE(the_record_reads_back),
          NAS_CASE(the_record_is_canonical), NAS_CASE(prints_json_and_help))
