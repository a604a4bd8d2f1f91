/* Grammar, sampling, mutation and neighbours of nas-bench-201. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "space/space.h"

static nas_space *open_space(void) {
  nas_space *space;
  assert_ok(nas_space_open("nas-bench-201", NULL, &space, nas_test_err()));
  return space;
}

#define GOOD "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"

static void reads_the_published_grammar(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_arch arch;
  assert_ok(nas_space_parse(space, GOOD, &arch, nas_test_err()));
  static const uint8_t genes[] = {0, 1, 2, 3, 4, 0}; /* none, skip, 1x1, 3x3, pool: the published order */
  assert_int_equal(arch.n, 6);
  assert_memory_equal(arch.gene, genes, 6);
  nas_space_close(space);
}

static void names_the_column_of_an_error(void **state) {
  (void)state;
  static const struct {
    const char *text;
    nas_status code;
    const char *where, *message;
  } rows[] = {
      {"", NAS_E_BAD_INPUT, "arch:1", "ends early: expected '|'"},
      {"none~0|", NAS_E_BAD_INPUT, "arch:1", "expected '|' before the edges of a node, found 'n'"},
      {"|", NAS_E_BAD_INPUT, "arch:2", "an operation name is missing"},
      {"|none", NAS_E_BAD_INPUT, "arch:6", "ends early: expected '~'"},
      {"|none|", NAS_E_BAD_INPUT, "arch:6", "expected '~' after the operation, found '|'"},
      {"|none~", NAS_E_BAD_INPUT, "arch:7", "input 0 of node 1 must be written ~0"},
      {"|none~1|", NAS_E_BAD_INPUT, "arch:7", "found '~1'"},
      {"|none~00|", NAS_E_BAD_INPUT, "arch:7", "found '~00'"},
      {"|none~0", NAS_E_BAD_INPUT, "arch:8", "ends early: expected '|'"},
      {"|none~0|", NAS_E_BAD_INPUT, "arch:9", "expected '+'"},
      {"|none~0|none~1|", NAS_E_BAD_INPUT, "arch:9", "expected '+' between two nodes, found 'n'"},
      {"|none~0|+|nor_conv_3x4~0|", NAS_E_UNKNOWN_NAME, "arch:11", "did you mean 'nor_conv_3x3'?"},
      {"|skip~0|", NAS_E_UNKNOWN_NAME, "arch:2", "the operations are none, skip_connect"},
      {"|NONE~0|", NAS_E_UNKNOWN_NAME, "arch:2", "no operation is called 'NONE'"},
      {"|\x01\xff\n~0|", NAS_E_UNKNOWN_NAME, "arch:2", "'?\?\?'"},
      {"|none~0|+|none~1|none~0|", NAS_E_BAD_INPUT, "arch:16", "input 0 of node 2 must be written ~0"},
      {GOOD "+", NAS_E_BAD_INPUT, "arch:80", "the cell is complete, but '+' follows"},
      {GOOD " ", NAS_E_BAD_INPUT, "arch:80", "complete"},
      {" " GOOD, NAS_E_BAD_INPUT, "arch:1", "found ' '"},
      {"15625", NAS_E_OUT_OF_RANGE, "arch:1", "0..15624"},
      {"99999999999999999999999999", NAS_E_OUT_OF_RANGE, "arch:1", "0..15624"},
      {"-1", NAS_E_BAD_INPUT, "arch:1", "expected '|'"},
      {"12x", NAS_E_BAD_INPUT, "arch:1", "expected '|'"},
  };
  nas_space *space = open_space();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_arch arch = {.n = 77};
    assert_fails(nas_space_parse(space, rows[i].text, &arch, nas_test_err()), rows[i].code, rows[i].message);
    assert_string_equal(nas_test_err()->where, rows[i].where);
    assert_int_equal(arch.n, 77); /* untouched */
  }
  nas_space_close(space);
}

static void takes_an_index_for_a_text(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_arch a, b;
  char text[NAS_ARCH_TEXT_MAX];
  assert_ok(nas_space_parse(space, "9930", &a, nas_test_err()));
  assert_ok(nas_space_format(space, &a, text, nas_test_err()));
  assert_string_equal(
      text, "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|");
  assert_ok(nas_space_parse(space, "0009930", &b, nas_test_err()));
  assert_true(nas_arch_same(&a, &b));
  nas_space_close(space);
}

/* Unique strings worked out by hand from the published rule. */
static void canonical_text_follows_the_published_rule(void **state) {
  (void)state;
  static const struct {
    const char *arch, *canonical;
  } rows[] = {
      /* Node 1 is "#"; its edges are "#" whatever they are. */
      {"|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|", "#+#+0"},
      /* The sum of two zeros is "#+#" and does not vanish behind an operation. */
      {"|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|", "#+(#+#)@avg_pool_3x3+0"},
      {"|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|", "#+#+#+#"},
      {"|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|", "0+0+0+0"},
      {"|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|",
       "#+(#+(0)@avg_pool_3x3)@nor_conv_1x1+(0)@nor_conv_3x3"},
  };
  nas_space *space = open_space();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_arch arch;
    char text[NAS_ARCH_TEXT_MAX];
    assert_ok(nas_space_parse(space, rows[i].arch, &arch, nas_test_err()));
    assert_ok(nas_space_canonical(space, &arch, text, nas_test_err()));
    assert_string_equal(text, rows[i].canonical);
  }
  nas_space_close(space);
}

/* Pearson's statistic of counts against a uniform law. */
static double chi_square(const int *counts, int cells, int n) {
  double expected = (double)n / cells, sum = 0;
  for (int i = 0; i < cells; i++) sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  return sum;
}

/* 99.9 % bounds of chi-square with k degrees of freedom, k large: k + 3.09 sqrt(2 k), both ways. */
static void assert_uniform(const int *counts, int cells, int n) {
  double freedom = cells - 1, spread = 3.09 * 1.4142135623730951 * sqrt(freedom);
  assert_close(chi_square(counts, cells, n), freedom, spread / freedom);
}

static void samples_uniformly(void **state) {
  (void)state;
  enum { CELLS = 15625, CLASSES = 6466, N = 10 * CELLS };
  nas_space *space = open_space();
  int *cells = calloc(CELLS, sizeof *cells), *classes = calloc(CLASSES, sizeof *classes);
  assert_non_null(cells);
  assert_non_null(classes);
  for (uint32_t i = 0; i < N; i++) {
    nas_rng rng = nas_rng_make(5, i, NAS_STREAM_SAMPLE);
    nas_arch arch, first;
    uint64_t number;
    assert_ok(nas_space_sample(space, rng, 0, false, &arch, nas_test_err()));
    assert_true(nas_space_index(space, &arch, &number));
    cells[number]++;
    assert_ok(nas_space_sample(space, rng, 100, true, &arch, nas_test_err()));
    assert_true(nas_space_class(space, &arch, &number));
    classes[number]++;
    assert_ok(nas_space_class_first(space, number, &first, nas_test_err()));
    assert_true(nas_arch_same(&arch, &first));
  }
  assert_uniform(cells, CELLS, N);
  assert_uniform(classes, CLASSES, N);
  free(cells);
  free(classes);
  nas_space_close(space);
}

static int differing_genes(const nas_arch *a, const nas_arch *b, int *which) {
  int n = 0;
  for (int i = 0; i < a->n; i++)
    if (a->gene[i] != b->gene[i]) *which = i, n++;
  return n;
}

static void mutation_changes_one_gene_uniformly(void **state) {
  (void)state;
  enum { N = 24000 };
  nas_space *space = open_space();
  nas_arch parent, child;
  int counts[6 * 5] = {0}, gene = 0;
  assert_ok(nas_space_parse(space, GOOD, &parent, nas_test_err()));
  for (uint32_t i = 0; i < N; i++) {
    assert_ok(nas_space_mutate(space, &parent, nas_rng_make(1, i, NAS_STREAM_SAMPLE), 7, &child, nas_test_err()));
    assert_int_equal(differing_genes(&parent, &child, &gene), 1);
    counts[gene * 5 + child.gene[gene]]++;
  }
  int possible[24], n = 0;
  for (int g = 0; g < 6; g++)
    for (int c = 0; c < 5; c++)
      if (c == parent.gene[g]) assert_int_equal(counts[g * 5 + c], 0);
      else possible[n++] = counts[g * 5 + c];
  assert_true(chi_square(possible, 24, N) < 49.73); /* 99.9 % of chi-square with 23 degrees of freedom */
  nas_space_close(space);
}

static void neighbours_are_all_cells_one_edge_away(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_err *e = nas_test_err();
  nas_arch arch, neighbour;
  uint64_t index, seen[24];
  int gene = 0, last = 0;
  assert_ok(nas_space_parse(space, GOOD, &arch, e));
  assert_int_equal(nas_space_neighbours(space), 24);
  for (uint32_t k = 0; k < 24; k++) {
    assert_ok(nas_space_neighbour(space, &arch, k, &neighbour, e));
    assert_int_equal(differing_genes(&arch, &neighbour, &gene), 1);
    assert_int_equal(gene, k / 4);
    if (k % 4) assert_true(neighbour.gene[gene] > last);
    last = neighbour.gene[gene];
    assert_true(nas_space_index(space, &neighbour, &index));
    for (uint32_t j = 0; j < k; j++) assert_true(seen[j] != index);
    seen[k] = index;
  }
  assert_fails(nas_space_neighbour(space, &arch, 24, &neighbour, e), NAS_E_OUT_OF_RANGE, "0..23");
  nas_space_close(space);
}

static void refuses_genes_that_are_none(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_err *e = nas_test_err();
  nas_arch wide = {.n = 6, .gene = {0, 0, 5}}, brief = {.n = 5}, out;
  char text[NAS_ARCH_TEXT_MAX];
  uint64_t number;
  nas_net *net;
  nas_str picture = {0};
  assert_fails(nas_space_format(space, &wide, text, e), NAS_E_BAD_INPUT, "gene 2");
  assert_fails(nas_space_canonical(space, &brief, text, e), NAS_E_BAD_INPUT, "has 6 genes, this one has 5");
  assert_fails(nas_space_net(space, &wide, (nas_task){{3, 32, 32}, 10}, &net, e), NAS_E_BAD_INPUT, "gene 2");
  assert_fails(nas_space_mutate(space, &wide, nas_rng_make(0, 0, 1), 0, &out, e), NAS_E_BAD_INPUT, "gene 2");
  assert_fails(nas_space_neighbour(space, &brief, 0, &out, e), NAS_E_BAD_INPUT, "6 genes");
  assert_fails(nas_space_draw(space, &brief, (nas_task){{3, 32, 32}, 10}, "svg", &picture, e), NAS_E_BAD_INPUT,
               "6 genes");
  assert_false(nas_space_index(space, &wide, &number));
  assert_false(nas_space_class(space, &wide, &number));
  assert_fails(nas_space_at(space, 15625, &out, e), NAS_E_OUT_OF_RANGE, "0..15624");
  assert_fails(nas_space_class_first(space, 6466, &out, e), NAS_E_OUT_OF_RANGE, "0..6465");
  nas_space_close(space);
}

static void refuses_unknown_names_and_options(void **state) {
  (void)state;
  nas_space *space;
  nas_settings settings = {0};
  nas_err *e = nas_test_err();
  assert_fails(nas_space_open("nas-bench-21", NULL, &space, e), NAS_E_UNKNOWN_NAME, "did you mean 'nas-bench-201'?");
  assert_null(space);
  assert_ok(nas_settings_put(&settings, "chanels", "8", "x.yaml:2:3", e));
  assert_fails(nas_space_open("nas-bench-201", &settings, &space, e), NAS_E_UNKNOWN_NAME, "did you mean 'channels'?");
  assert_string_equal(e->where, "x.yaml:2:3");
  nas_settings_free(&settings);
  settings = (nas_settings){0};
  assert_ok(nas_settings_put(&settings, "cells", "0", "-o cells=0", e));
  assert_fails(nas_space_open("nas-bench-201", &settings, &space, e), NAS_E_OUT_OF_RANGE, "1..100");
  nas_settings_free(&settings);
}

NAS_SUITE(NasBench201, NAS_CASE(reads_the_published_grammar), NAS_CASE(names_the_column_of_an_error),
          NAS_CASE(takes_an_index_for_a_text), NAS_CASE(canonical_text_follows_the_published_rule),
          NAS_CASE(samples_uniformly), NAS_CASE(mutation_changes_one_gene_uniformly),
          NAS_CASE(neighbours_are_all_cells_one_edge_away), NAS_CASE(refuses_genes_that_are_none),
          NAS_CASE(refuses_unknown_names_and_options))
