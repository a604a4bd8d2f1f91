/* Pictures and listings of the spaces of neurons, through the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static char *out;

static const char *space(const char *arguments) {
  char *complaint;
  free(out);
  int code = nas_run(&out, &complaint, "%s space %s", nas_program(), arguments);
  if (code) fail_msg("space %s: exit %d, %s", arguments, code, complaint);
  free(complaint);
  return out;
}

static void finish(void) {
  free(out);
  out = NULL;
}

static int occurrences(const char *in, const char *part) {
  int n = 0;
  for (const char *p = in; (p = strstr(p, part)); p += strlen(part)) n++;
  return n;
}

/* Node 1 leads nowhere, so the edge into it is pale; `none` has no arrow; options that do not fit are left out. */
static void cells_are_drawn(void **state) {
  (void)state;
  const char *svg = space(
      "draw neuron-cell '|kan-bspline(grid=10;order=3)~0|+|avg_pool_3x3~0|none~1|+|selfonn(order=5)~0|none~1|"
      "skip_connect~2|' -o form=conv --input 1x8x8 -o match=params -o "
      "'operations=none,skip_connect,avg_pool_3x3,selfonn(order=5),kan-bspline(grid=10;order=3)'");
  assert_non_null(strstr(svg, "neuron cell #"));
  assert_non_null(strstr(svg, "width 16, 3 \u00d7 3 windows, 1 \u00d7 1 cell, matched by params"));
  assert_int_equal(occurrences(svg, "<circle "), 4);
  assert_int_equal(occurrences(svg, "<g class=\"edge\""), 6);
  assert_int_equal(occurrences(svg, "marker-end="), 4);
  assert_int_equal(occurrences(svg, "(without effect)"), 1);
  assert_int_equal(occurrences(svg, "kan-bspline(\u2026)</text>"), 1);
  assert_int_equal(occurrences(svg, "selfonn(order=5)</text>"), 1);
  assert_non_null(strstr(svg, "|kan-bspline(grid=10;order=3)~0|+|"));
  finish();
}

/* A text form of any length is written on lines that fit, all of it. */
static void long_texts_are_wrapped(void **state) {
  (void)state;
  const char *svg = space(
      "draw neuron-cell '|kan-bspline(grid=10;order=3)~0|+|kan-bspline(grid=10;order=3)~0|pade(kind=a;m=3;n=2)~1|+|"
      "kan-bspline(grid=10;order=3)~0|pade(kind=a;m=3;n=2)~1|pade(kind=a;m=3;n=2)~2|' -o "
      "'operations=none,kan-bspline(grid=10;order=3),pade(kind=a;m=3;n=2)'");
  int lines = 0;
  size_t letters = 0;
  for (const char *p = svg; (p = strstr(p, "monospace\">")); lines++) {
    p += strlen("monospace\">");
    size_t n = strcspn(p, "<");
    assert_true((double)n * 6.7 <= 700);
    letters += n;
  }
  assert_int_equal(lines, 2);
  assert_int_equal(
      letters, 3 * strlen("kan-bspline(grid=10;order=3)~0|") + 3 * strlen("pade(kind=a;m=3;n=2)~1|") + strlen("|+|+|"));
  finish();
}

static void networks_are_drawn(void **state) {
  (void)state;
  const char *svg = space("draw neuron-mlp 'kan-rbf:16:layer:tanh|pade:128:batch' --input 1x8x8");
  assert_non_null(strstr(svg, "network of 2 layers and a head"));
  assert_int_equal(occurrences(svg, "<rect "), 1 + 4); /* the ground, input, two layers, head */
  assert_non_null(strstr(svg, ">16 neurons<"));
  assert_non_null(strstr(svg, ">layer norm, tanh<"));
  assert_non_null(strstr(svg, ">10 outputs<"));
  finish();
}

static void assert_accepted(const char *tool, const char *options, const char *format) {
  if (nas_run(NULL, NULL, "command -v %s", tool) != 0) nas_skip("no %s here", tool);
  static const char *const archs[] = {"neuron-cell 117690", "neuron-mlp 'kan-rbf:16:layer:tanh|linear:64:none:relu'"};
  for (int i = 0; i < 2; i++) {
    char *complaint;
    int code = nas_run(NULL, &complaint, "%s space draw %s --format %s >%s/picture && %s %s %s/picture >/dev/null",
                       nas_program(), archs[i], format, nas_test_folder(), tool, options, nas_test_folder());
    if (code) fail_msg("%s %s: %s", tool, archs[i], complaint);
    free(complaint);
  }
}

static void graphviz_accepts_them(void **state) {
  (void)state;
  assert_accepted("dot", "-Tsvg", "dot");
}

static void they_are_well_formed(void **state) {
  (void)state;
  assert_accepted("xmllint", "--noout", "svg");
}

/* 2.2e9 networks: the first lines come at once, with the heading once, and so does the end of a pipe. */
static void listings_of_any_length_begin_at_once(void **state) {
  (void)state;
  char *lines;
  assert_int_equal(nas_run(&lines, NULL, "%s space enumerate neuron-mlp --input 1x4x4 | head -n 2500", nas_program()),
                   0);
  assert_int_equal(occurrences(lines, "\n"), 2500);
  assert_int_equal(occurrences(lines, "index"), 1);
  free(lines);
  assert_int_equal(occurrences(space("enumerate neuron-mlp --input 1x4x4 -n 2001 --csv"), "\n"), 2002);
  const char *json = space("enumerate neuron-mlp --input 1x4x4 -n 2000 --json");
  assert_int_equal(occurrences(json, "\"rows\": ["), 1);
  assert_int_equal(occurrences(json, "\n  {"), 2000);
  assert_int_equal(occurrences(json, "},\n"), 1999);
  assert_string_equal(json + strlen(json) - 5, "}\n]}\n");
  finish();
}

NAS_SUITE(NeuronDraw, NAS_CASE(cells_are_drawn), NAS_CASE(long_texts_are_wrapped), NAS_CASE(networks_are_drawn),
          NAS_CASE(graphviz_accepts_them), NAS_CASE(they_are_well_formed),
          NAS_CASE(listings_of_any_length_begin_at_once))
