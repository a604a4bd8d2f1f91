/* nascent db stats: what operations (or neuron types) and edges do to a figure. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/db.h"
#include "cli/db_figure.h"

typedef struct group {
  char place[24]; /* "0-1", a position, or "" for the whole cell */
  const char *name;
  double n, mean, squares, low, high; /* squares: sum of squared deviations, after Welford */
} group;

static void put(group *g, double x) {
  g->low = g->n > 0 ? fmin(g->low, x) : x;
  g->high = g->n > 0 ? fmax(g->high, x) : x;
  double before = x - g->mean;
  g->mean += before / ++g->n;
  g->squares += before * (x - g->mean);
}

/* What is left of all when one group is taken out. */
static double mean_without(const group *all, const group *g) {
  return all->n > g->n ? (all->mean * all->n - g->mean * g->n) / (all->n - g->n) : (double)NAN;
}

static void add_row(nas_table *t, const group *g, const group *all) {
  nas_table_cell(t, "%s", g->place);
  nas_table_cell(t, "%s", g->name);
  nas_table_cell(t, "%.0f", g->n);
  nas_table_cell(t, "%.4f", g->n > 0 ? g->mean : (double)NAN);
  nas_table_cell(t, "%.4f", g->n > 1 ? sqrt(g->squares / (g->n - 1)) : (double)NAN);
  nas_table_cell(t, "%.4f", g->n > 0 ? g->low : (double)NAN);
  nas_table_cell(t, "%.4f", g->n > 0 ? g->high : (double)NAN);
  nas_table_cell(t, "%.4f", g->mean - mean_without(all, g));
}

typedef struct survey {
  group *groups, all;
  size_t n, cap;
} survey;

static group *group_of(survey *s, const char *place, const char *name) {
  for (size_t i = 0; i < s->n; i++)
    if (strcmp(s->groups[i].place, place) == 0 && strcmp(s->groups[i].name, name) == 0) return &s->groups[i];
  if (s->n == s->cap) {
    size_t cap = s->cap ? 2 * s->cap : 64;
    group *grown = realloc(s->groups, cap * sizeof *grown);
    if (!grown) return NULL;
    s->groups = grown;
    s->cap = cap;
  }
  group *g = &s->groups[s->n++];
  *g = (group){.name = name};
  nas_text_put(g->place, sizeof g->place, "%s", place);
  return g;
}

static nas_status make_groups(survey *s, const nas_space *space, bool by_edge, nas_err *err) {
  for (uint8_t gene = 0; gene < nas_space_genes(space); gene++) {
    char place[24] = "";
    uint8_t from, to;
    if (by_edge && nas_space_edge(space, gene, &from, &to)) nas_text_put(place, sizeof place, "%d-%d", from, to);
    else if (by_edge) nas_text_put(place, sizeof place, "%d", gene);
    for (uint8_t c = 0; c < nas_space_choices(space, gene); c++)
      if (!group_of(s, place, nas_space_choice_name(space, gene, c))) return nas_fail_memory(err, "the statistics");
  }
  return NAS_OK;
}

static void add_cell(survey *s, const nas_space *space, const nas_arch *arch, bool by_edge, double x) {
  put(&s->all, x);
  for (uint8_t g = 0; g < arch->n; g++) {
    char place[24] = "";
    uint8_t from, to;
    bool seen = false; /* a cell counts once for an operation, however often it has it */
    for (uint8_t k = 0; !by_edge && k < g; k++)
      seen = seen || strcmp(nas_space_choice_name(space, k, arch->gene[k]),
                            nas_space_choice_name(space, g, arch->gene[g])) == 0;
    if (seen) continue;
    if (by_edge && nas_space_edge(space, g, &from, &to)) nas_text_put(place, sizeof place, "%d-%d", from, to);
    else if (by_edge) nas_text_put(place, sizeof place, "%d", g);
    group *into = group_of(s, place, nas_space_choice_name(space, g, arch->gene[g]));
    if (into) put(into, x);
  }
}

static nas_status take(nas_bench *b, const nas_figure *f, bool by_edge, survey *s, nas_err *err) {
  const double *values;
  const nas_space *space = nas_bench_space(b);
  NAS_TRY(nas_figure_column(b, f, &values, err));
  if (!space)
    return nas_fail(err, NAS_E_UNSUPPORTED, NULL, "this program does not have the table's space %s",
                    nas_bench_space_name(b));
  NAS_TRY(make_groups(s, space, by_edge, err));
  for (size_t i = 0; i < nas_bench_cells(b); i++)
    if (!isnan(values[i])) add_cell(s, space, &nas_bench_cell_at(b, i)->genes, by_edge, values[i]);
  return NAS_OK;
}

static nas_status run(const nas_cli *cli, const nas_figure_defaults *d, const char *metric, bool by_edge,
                      nas_err *err) {
  static const char *const columns[] = {"edge", "operation", "cells", "mean", "std", "min", "max", "effect"};
  nas_figure f;
  nas_bench *b = NULL;
  survey s = {.all = {.name = "all"}};
  NAS_TRY(nas_figure_read(metric, d, &f, err));
  NAS_TRY(nas_bench_open(cli->args[0], d->campaign, &b, err));
  nas_status status = take(b, &f, by_edge, &s, err);
  if (status == NAS_OK) {
    nas_table *t = nas_table_new("nascent.db-stats", columns, "llrrrrrr", 8);
    for (size_t i = 0; i < s.n; i++) add_row(t, &s.groups[i], &s.all);
    add_row(t, &s.all, &s.all);
    status = nas_table_print(t, cli, err);
  }
  nas_bench_close(b);
  free(s.groups);
  return status;
}

nas_status nas_db_stats_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  nas_figure_defaults d = {0};
  const char *metric = "valid_accuracy", *by = "operation";
  const nas_flag flags[] = {NAS_FIGURE_FLAGS(d),
                            {"metric", 'm', NAS_FLAG_TEXT, &metric, "FIGURE", "of every cell (default valid_accuracy)"},
                            {"by", 0, NAS_FLAG_TEXT, &by, "WHAT", "operation (default; neuron types too) or edge"},
                            {0}};
  const nas_usage usage = {
      "FILE", 1, 1, flags,
      "Mean, standard deviation and range of a figure over the cells that have an operation anywhere,\n"
      "or on each edge (or position). The effect is that mean less the mean of all other cells.\n"
      "FIGURE is METRIC[,dataset=D][,epochs=E][,epoch=K][,seed=S|mean][,recipe=R]."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  bool by_edge = strcmp(by, "edge") == 0 || strcmp(by, "position") == 0;
  if (!by_edge && strcmp(by, "operation") != 0 && strcmp(by, "neuron") != 0)
    return nas_fail(err, NAS_E_USAGE, "--by", "'%s' is neither operation nor edge", by);
  return run(cli, &d, metric, by_edge, err);
}
