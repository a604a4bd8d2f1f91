/* Pictures of nas-bench-201 cells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "space/space.h"

static nas_space *space;
static nas_str text;

static const char *draw(const char *arch_text, const char *format) {
  nas_arch arch;
  if (!space) assert_ok(nas_space_open("nas-bench-201", NULL, &space, nas_test_err()));
  nas_str_clear(&text);
  assert_ok(nas_space_parse(space, arch_text, &arch, nas_test_err()));
  assert_ok(nas_space_draw(space, &arch, (nas_task){{3, 32, 32}, 10}, format, &text, nas_test_err()));
  return nas_str_text(&text);
}

static void finish(void) {
  nas_str_free(&text);
  nas_space_close(space);
  space = NULL;
}

static int occurrences(const char *in, const char *part) {
  int n = 0;
  for (const char *p = in; (p = strstr(p, part)); p += strlen(part)) n++;
  return n;
}

#define DEAD "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"

static void json_describes_the_cell(void **state) {
  (void)state;
  assert_string_equal(draw(DEAD, "json"),
                      "{\"schema\": \"nascent.architecture\", \"space\": \"nas-bench-201\", \"arch\": \"" DEAD
                      "\", \"index\": 11482, \"canonical\": \"#+(#+#)@avg_pool_3x3+0\", \"class\": 991, \"genes\": "
                      "[\"none\", \"none\", "
                      "\"nor_conv_3x3\", \"skip_connect\", \"nor_conv_1x1\", \"avg_pool_3x3\"], \"edges\": ["
                      "{\"from\": 0, \"to\": 1, \"op\": \"none\", \"live\": false}, "
                      "{\"from\": 0, \"to\": 2, \"op\": \"none\", \"live\": false}, "
                      "{\"from\": 1, \"to\": 2, \"op\": \"nor_conv_3x3\", \"live\": false}, "
                      "{\"from\": 0, \"to\": 3, \"op\": \"skip_connect\", \"live\": true}, "
                      "{\"from\": 1, \"to\": 3, \"op\": \"nor_conv_1x1\", \"live\": false}, "
                      "{\"from\": 2, \"to\": 3, \"op\": \"avg_pool_3x3\", \"live\": false}]}\n");
  finish();
}

/* An edge into a node that nothing reads has no effect either. */
static void knows_edges_that_lead_nowhere(void **state) {
  (void)state;
  const char *json = draw("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|", "json");
  assert_int_equal(occurrences(json, "\"live\": true"), 1);
  assert_int_equal(occurrences(draw("9930", "json"), "\"live\": true"), 6);
  finish();
}

static void svg_shows_title_edges_and_arch(void **state) {
  (void)state;
  const char *svg = draw("9930", "svg");
  assert_non_null(strstr(svg, "NAS-Bench-201 cell #9930"));
  assert_non_null(strstr(svg, "1,288,506 parameters"));
  assert_non_null(strstr(svg, "184,730,250 MACs"));
  assert_non_null(strstr(svg, "|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|</text>"));
  assert_int_equal(occurrences(svg, "<circle "), 4);
  assert_int_equal(occurrences(svg, "<g class=\"edge\">"), 6);
  assert_int_equal(occurrences(svg, "conv 3\u00d73</text>"), 5);
  assert_int_equal(occurrences(svg, "skip</text>"), 1);
  svg = draw(DEAD, "svg");
  assert_int_equal(occurrences(svg, "(without effect)"), 3);
  assert_int_equal(occurrences(svg, "marker-end="), 4); /* none edges have no arrow and no label */
  assert_null(strstr(svg, "none</text>"));
  finish();
}

/* Labels of the drawn edges as boxes, from the picture itself: no two meet, whatever the operations. */
static void svg_labels_do_not_meet(void **state) {
  (void)state;
  static const char *const widest =
      "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|"
      "avg_pool_3x3~2|";
  double x[16], y[16], size[16];
  size_t length[16], n = 0;
  for (const char *p = draw(widest, "svg"); (p = strstr(p, "<text x=")) && n < 16; p++) {
    const char *font = strstr(p, "font-size=\""), *from = strchr(p, '>');
    assert_true(sscanf(p, "<text x=\"%lf\" y=\"%lf\"", &x[n], &y[n]) == 2 && font && from);
    size[n] = strtod(font + strlen("font-size=\""), NULL);
    length[n++] = strcspn(from + 1, "<");
  }
  assert_int_equal(n, 3 + 6 + 4 + 1); /* title lines, edges, nodes, arch */
  for (size_t i = 0; i < n; i++) {
    double half = 0.31 * size[i] * (double)length[i]; /* texts are centred; letters are about 0.6 of the size wide */
    assert_true(x[i] - half >= 0 && x[i] + half <= 720 && y[i] - size[i] >= 0 && y[i] <= 380);
    for (size_t j = 0; j < i; j++) {
      double other = 0.31 * size[j] * (double)length[j];
      bool beside = x[i] + half < x[j] - other || x[j] + other < x[i] - half;
      bool apart = y[i] + 0.25 * size[i] < y[j] - 0.8 * size[j] || y[j] + 0.25 * size[j] < y[i] - 0.8 * size[i];
      assert_true(beside || apart);
    }
  }
  finish();
}

/* Hands a picture of each of a few dozen cells to a program that must accept it. */
static void assert_program_accepts(const char *program, const char *command, const char *format) {
  if (nas_run(NULL, NULL, "command -v %s", program) != 0) nas_skip("no %s here", program);
  char path[256], at[16];
  snprintf(path, sizeof path, "%s/cell", nas_test_folder());
  for (int index = 0; index < 15625; index += 625) {
    snprintf(at, sizeof at, "%d", index);
    const char *picture = draw(at, format);
    assert_ok(nas_file_write_atomic(path, picture, strlen(picture), nas_test_err()));
    char *complaint;
    int status = nas_run(NULL, &complaint, "%s %s >/dev/null", command, path);
    if (status != 0 || *complaint) fail_msg("%s of cell %d: %s", command, index, complaint);
    free(complaint);
  }
  finish();
}

static void graphviz_accepts_dot(void **state) {
  (void)state;
  assert_program_accepts("dot", "dot -Tplain", "dot");
}

static void svg_is_well_formed(void **state) {
  (void)state;
  assert_program_accepts("rsvg-convert", "rsvg-convert -f svg", "svg");
}

static void refuses_unknown_formats(void **state) {
  (void)state;
  nas_arch arch = {.n = 6};
  assert_ok(nas_space_open("nas-bench-201", NULL, &space, nas_test_err()));
  assert_fails(nas_space_draw(space, &arch, (nas_task){{3, 32, 32}, 10}, "png", &text, nas_test_err()), NAS_E_BAD_INPUT,
               "svg, dot or json");
  finish();
}

NAS_SUITE(NasBench201Draw, NAS_CASE(json_describes_the_cell), NAS_CASE(knows_edges_that_lead_nowhere),
          NAS_CASE(svg_shows_title_edges_and_arch), NAS_CASE(svg_labels_do_not_meet), NAS_CASE(graphviz_accepts_dot),
          NAS_CASE(svg_is_well_formed), NAS_CASE(refuses_unknown_formats))
