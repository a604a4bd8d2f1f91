#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void texts_grow(void **state) {
  (void)state;
  nas_str b = {0};
  assert_string_equal(nas_str_text(&b), "");
  for (int i = 0; i < 1000; i++) nas_str_fmt(&b, "%d,", i);
  assert_ok(nas_str_check(&b, nas_test_err()));
  assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
  assert_int_equal(b.len, strlen(b.s));
  assert_string_equal(b.s + b.len - 8, "998,999,");
  nas_str_clear(&b);
  assert_string_equal(nas_str_text(&b), "");
  nas_str_add_n(&b, "abcdef", 3);
  assert_string_equal(nas_str_text(&b), "abc");
  nas_str_free(&b);
  assert_null(b.s);
}

static void failure_is_sticky(void **state) {
  (void)state;
  nas_str b = {.failed = true};
  nas_str_add(&b, "lost");
  assert_string_equal(nas_str_text(&b), "");
  assert_fails(nas_str_check(&b, nas_test_err()), NAS_E_NO_MEMORY, "text");
}

static void json_escapes(void **state) {
  (void)state;
  static const struct {
    const char *text, *json;
  } rows[] = {{"plain", "\"plain\""},
              {"", "\"\""},
              {"say \"hi\"", "\"say \\\"hi\\\"\""},
              {"back\\slash", "\"back\\\\slash\""},
              {"a\nb", "\"a\\nb\""},
              {"tab\there", "\"tab\\u0009here\""},
              {"\x01\x1f", "\"\\u0001\\u001f\""},
              {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
              {NULL, "null"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_str b = {0};
    nas_str_json(&b, rows[i].text);
    assert_string_equal(nas_str_text(&b), rows[i].json);
    nas_str_free(&b);
  }
}

static void json_numbers_read_back(void **state) {
  (void)state;
  static const double values[] = {0,
                                  1,
                                  0.1,
                                  1.0 / 3,
                                  1e-300,
                                  5e-324,
                                  1.7976931348623157e308,
                                  -123.5,
                                  91.97998,
                                  123456789,
                                  2.5e-5,
                                  0x1.fffffffffffffp-1};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    nas_str b = {0};
    nas_str_json_number(&b, values[i]);
    assert_true(strtod(nas_str_text(&b), NULL) == values[i]);
    nas_str_free(&b);
  }
  nas_str b = {0};
  nas_str_json_number(&b, NAN);
  nas_str_json_number(&b, INFINITY);
  assert_string_equal(nas_str_text(&b), "nullnull");
  nas_str_free(&b);
}

static void doubles_are_short(void **state) {
  (void)state;
  char text[32];
  assert_string_equal(nas_text_double(text, 0.1), "0.1");
  assert_string_equal(nas_text_double(text, 1e-5), "1e-05");
  assert_string_equal(nas_text_double(text, 5e-4), "0.0005");
  assert_string_equal(nas_text_double(text, 3), "3");
  assert_string_equal(nas_text_double(text, 1.0 / 3), "0.3333333333333333");
}

/* The optimal-string-alignment distance of the literature: a swap of neighbours is one edit. */
static void edit_distance(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    int distance;
  } rows[] = {{"", "", 0},
              {"", "abc", 3},
              {"abc", "", 3},
              {"kitten", "sitting", 3},
              {"flaw", "lawn", 2},
              {"saturday", "sunday", 3},
              {"ab", "ba", 1},
              {"ca", "abc", 3},
              {"random", "randmo", 1},
              {"epochs", "epoch", 1},
              {"same", "same", 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(nas_edit_distance(rows[i].a, rows[i].b), rows[i].distance);
    assert_int_equal(nas_edit_distance(rows[i].b, rows[i].a), rows[i].distance);
  }
  char text[400];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  assert_int_equal(nas_edit_distance(text, text), 0);
}

static void guesses_typing_errors_only(void **state) {
  (void)state;
  nas_guess g = nas_guess_for("randm");
  nas_guess_add(&g, "regularized-evolution");
  nas_guess_add(&g, "random");
  nas_guess_add(&g, "grid");
  assert_string_equal(nas_guess_text(&g), ", did you mean 'random'?");
  g = nas_guess_for("xyzzy");
  nas_guess_add(&g, "random");
  assert_string_equal(nas_guess_text(&g), "");
}

static void whole_numbers(void **state) {
  (void)state;
  static const char *const bad[] = {"", " 1", "1 ", "1.5", "0x10", "1e3", "9223372036854775808", "--1", "a", "\t1"};
  int64_t v = 77;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(nas_text_int(bad[i], &v));
  assert_int_equal(v, 77);
  assert_true(nas_text_int("-9223372036854775808", &v) && v == INT64_MIN);
  assert_true(nas_text_int("9223372036854775807", &v) && v == INT64_MAX);
  assert_true(nas_text_int("+12", &v) && v == 12);
}

static void real_numbers(void **state) {
  (void)state;
  static const char *const bad[] = {"", " 1", "1 ", "nan", "inf", "-inf", "1e999", "abc", "1,5", "0.1x", "-nan"};
  double v = 77;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(nas_text_real(bad[i], &v));
  assert_true(v == 77);
  assert_true(nas_text_real("-2.5e-3", &v) && v == -2.5e-3);
  assert_true(nas_text_real(".5", &v) && v == .5);
  assert_true(nas_text_real("1e-400", &v) && v == 0); /* underflow is no error */
}

static void sizes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t bytes;
  } rows[] = {{"0", 0},           {"1024", 1024},      {"512KiB", 524288}, {"2GiB", 2147483648},
              {"1.5MB", 1500000}, {"1TiB", 1LL << 40}, {"3K", 3072},       {"7B", 7}};
  static const char *const bad[] = {"", "-1", "1X", "GiB", "1 GiB", "1e30", "nan", "1gib"};
  int64_t v = 77;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(nas_text_bytes(bad[i], &v));
  assert_int_equal(v, 77);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_true(nas_text_bytes(rows[i].text, &v));
    assert_int_equal(v, rows[i].bytes);
  }
}

static void seconds(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double seconds;
  } rows[] = {{"90", 90}, {"1.5", 1.5}, {"10m", 600}, {"2h", 7200}, {"1d", 86400}, {"3s", 3}, {"2min", 120}};
  static const char *const bad[] = {"", "-1", "1x", "m", "1 m", "inf"};
  double v = 77;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(nas_text_seconds(bad[i], &v));
  assert_true(v == 77);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_true(nas_text_seconds(rows[i].text, &v));
    assert_true(v == rows[i].seconds);
  }
}

static void sizes_for_people(void **state) {
  (void)state;
  char text[24];
  assert_string_equal(nas_text_size(text, 0), "0 B");
  assert_string_equal(nas_text_size(text, 1023), "1023 B");
  assert_string_equal(nas_text_size(text, 1536), "1.5 KiB");
  assert_string_equal(nas_text_size(text, (int64_t)200 << 20), "200 MiB");
  assert_string_equal(nas_text_size(text, (int64_t)5 << 40), "5.0 TiB");
}

static void put_says_whether_it_fits(void **state) {
  (void)state;
  char text[8];
  assert_true(nas_text_put(text, sizeof text, "%s", "1234567"));
  assert_false(nas_text_put(text, sizeof text, "%s", "12345678"));
  assert_string_equal(text, "1234567");
}

NAS_SUITE(Str, NAS_CASE(texts_grow), NAS_CASE(failure_is_sticky), NAS_CASE(json_escapes),
          NAS_CASE(json_numbers_read_back), NAS_CASE(doubles_are_short), NAS_CASE(edit_distance),
          NAS_CASE(guesses_typing_errors_only), NAS_CASE(whole_numbers), NAS_CASE(real_numbers), NAS_CASE(sizes),
          NAS_CASE(seconds), NAS_CASE(sizes_for_people), NAS_CASE(put_says_whether_it_fits))
