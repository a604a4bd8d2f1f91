/* What `nascent replay` prints: a table of one kind of rows, or the whole as one JSON object. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/replay.h"

static const char *axis_name(const nas_replay_session *s) {
  return s->curve_axis == NAS_REPLAY_SECONDS ? "seconds" : "evaluations";
}

static const char *figure_name(const nas_replay_difference *d) {
  return d->of_test ? "test_accuracy" : "valid_accuracy";
}

/* People read rounded figures, programs all digits. */
static bool for_people(const nas_replay_session *s) { return !s->cli->json && !s->cli->csv; }

static void add_number(const nas_replay_session *s, nas_table *t, int decimals, double value) {
  char text[32];
  if (!isfinite(value)) nas_table_cell(t, for_people(s) ? "-" : "");
  else if (for_people(s)) nas_table_cell(t, "%.*f", decimals, value);
  else nas_table_cell(t, "%s", nas_text_double(text, value));
}

/* ---- tables ---- */

static nas_status print_strategies(const nas_replay_session *s, nas_err *err) {
  static const char *const columns[] = {
      "name",     "evaluations_mean",  "valid_mean",       "valid_std",    "test_mean",
      "test_std", "valid_regret_mean", "test_regret_mean", "seconds_mean", "runs"};
  nas_table *t = nas_table_new("nascent.replay-strategies", columns, "lrrrrrrrrr", 10);
  for (size_t i = 0; i < s->n_contenders; i++) {
    const nas_replay_summary *m = &s->contenders[i].summary;
    nas_table_cell(t, "%s", s->contenders[i].name);
    add_number(s, t, 1, m->evaluations_mean);
    add_number(s, t, 2, m->valid_mean);
    add_number(s, t, 2, m->valid_std);
    add_number(s, t, 2, m->test_mean);
    add_number(s, t, 2, m->test_std);
    add_number(s, t, 2, m->valid_regret_mean);
    add_number(s, t, 2, m->test_regret_mean);
    add_number(s, t, 0, m->seconds_mean);
    nas_table_cell(t, "%zu", m->runs);
  }
  return nas_table_print(t, s->cli, err);
}

static nas_status print_differences(const nas_replay_session *s, nas_err *err) {
  static const char *const columns[] = {"metric", "a", "b", "difference", "low", "high", "p", "p_holm", "runs"};
  nas_table *t = nas_table_new("nascent.replay-differences", columns, "lllrrrrrr", 9);
  for (size_t i = 0; i < s->n_differences; i++) {
    const nas_replay_difference *d = &s->differences[i];
    nas_table_cell(t, "%s", figure_name(d));
    nas_table_cell(t, "%s", s->contenders[d->a].name);
    nas_table_cell(t, "%s", s->contenders[d->b].name);
    add_number(s, t, 3, d->mean);
    add_number(s, t, 3, d->low);
    add_number(s, t, 3, d->high);
    for (int k = 0; k < 2; k++) {
      double p = k ? d->p_holm : d->p;
      if (for_people(s) && p < 1e-4) nas_table_cell(t, "%.1e", p);
      else add_number(s, t, 4, p);
    }
    nas_table_cell(t, "%zu", d->runs);
  }
  return nas_table_print(t, s->cli, err);
}

static nas_status print_curves(const nas_replay_session *s, nas_err *err) {
  const char *const columns[] = {"name",
                                 axis_name(s),
                                 "valid_regret_low",
                                 "valid_regret_median",
                                 "valid_regret_high",
                                 "test_regret_low",
                                 "test_regret_median",
                                 "test_regret_high"};
  nas_table *t = nas_table_new("nascent.replay-curves", columns, "lrrrrrrr", 8);
  for (size_t i = 0; i < s->n_contenders; i++)
    for (size_t k = 0; k < s->n_moments; k++) {
      const nas_replay_point *p = &s->contenders[i].curve[k];
      nas_table_cell(t, "%s", s->contenders[i].name);
      add_number(s, t, 0, p->x);
      for (int q = 0; q < 2; q++) {
        nas_replay_quartiles of = q ? p->test : p->valid;
        add_number(s, t, 3, of.low);
        add_number(s, t, 3, of.median);
        add_number(s, t, 3, of.high);
      }
    }
  return nas_table_print(t, s->cli, err);
}

static nas_status add_run(const nas_replay_session *s, nas_table *t, const nas_replay_run *run, nas_err *err) {
  static const char *const ends[] = {"budget", "exhausted", "stalled"};
  const nas_replay_table *table = s->recorded.table;
  char arch[NAS_ARCH_TEXT_MAX] = "";
  double figures[4] = {NAN, NAN, NAN, NAN}; /* when it was found; its accuracies */
  uint64_t index;
  bool indexed = false;
  if (run->n_steps) {
    const nas_replay_step *last = &run->steps[run->n_steps - 1];
    NAS_TRY(nas_space_format(table->space, &table->arch[last->row], arch, err));
    indexed = nas_space_index(table->space, &table->arch[last->row], &index);
    figures[0] = last->seconds;
    figures[1] = table->seen[last->row].valid_accuracy;
    figures[2] = table->report_valid[last->row];
    figures[3] = table->report_test[last->row];
  }
  nas_table_cell(t, "%llu", (unsigned long long)run->seed);
  nas_table_cell(t, "%llu", (unsigned long long)run->evaluations);
  nas_table_cell(t, "%llu", (unsigned long long)run->missing);
  add_number(s, t, 1, run->seconds);
  nas_table_cell(t, "%s", ends[run->end]);
  add_number(s, t, 1, figures[0]);
  for (int i = 1; i < 4; i++) add_number(s, t, 2, figures[i]);
  if (indexed) nas_table_cell(t, "%llu", (unsigned long long)index);
  else nas_table_cell(t, for_people(s) ? "-" : "");
  nas_table_cell(t, "%s", arch);
  return NAS_OK;
}

static nas_status print_runs(const nas_replay_session *s, nas_err *err) {
  static const char *const columns[] = {"name",          "run",   "seed",  "evaluations",           "missing",
                                        "seconds",       "end",   "found", "search_valid_accuracy", "valid_accuracy",
                                        "test_accuracy", "index", "arch"};
  nas_table *t = nas_table_new("nascent.replay-runs", columns, "lrrrrrlrrrrrl", 13);
  nas_status status = NAS_OK;
  for (size_t i = 0; i < s->n_contenders; i++)
    for (int64_t r = 0; r < s->runs && status == NAS_OK; r++) {
      nas_table_cell(t, "%s", s->contenders[i].name);
      nas_table_cell(t, "%lld", (long long)r);
      status = add_run(s, t, &s->contenders[i].runs[r], err);
    }
  if (status == NAS_OK) return nas_table_print(t, s->cli, err);
  nas_table_free(t);
  return status;
}

/* ---- the whole ---- */

static void add_member(nas_str *out, const char *name, double value) {
  nas_str_fmt(out, ", \"%s\": ", name);
  nas_str_json_number(out, value);
}

static void add_quartiles(nas_str *out, const char *name, nas_replay_quartiles q) {
  nas_str_fmt(out, ", \"%s\": {\"low\": ", name);
  nas_str_json_number(out, q.low);
  add_member(out, "median", q.median);
  add_member(out, "high", q.high);
  nas_str_add(out, "}");
}

static void add_curve_json(const nas_replay_session *s, const nas_contender *c, nas_str *out) {
  nas_str_add(out, ",\n   \"curve\": [");
  for (size_t k = 0; k < s->n_moments; k++) {
    nas_str_fmt(out, "%s\n    {\"%s\": ", k ? "," : "", axis_name(s));
    nas_str_json_number(out, c->curve[k].x);
    add_quartiles(out, "valid_regret", c->curve[k].valid);
    add_quartiles(out, "test_regret", c->curve[k].test);
    nas_str_add(out, "}");
  }
  nas_str_add(out, "]");
}

static void add_strategy_json(const nas_replay_session *s, const nas_contender *c, nas_str *out) {
  const nas_replay_summary *m = &c->summary;
  nas_str_add(out, "{\"name\": ");
  nas_str_json(out, c->name);
  nas_str_fmt(out, ", \"strategy\": \"%s@%d\", \"options\": %s,\n   \"runs\": %zu", c->type->name, c->type->version,
              nas_str_text(&c->options), m->runs);
  add_member(out, "evaluations_mean", m->evaluations_mean);
  add_member(out, "evaluations_std", m->evaluations_std);
  add_member(out, "seconds_mean", m->seconds_mean);
  add_member(out, "valid_mean", m->valid_mean);
  add_member(out, "valid_std", m->valid_std);
  add_member(out, "test_mean", m->test_mean);
  add_member(out, "test_std", m->test_std);
  add_member(out, "search_valid_mean", m->search_valid_mean);
  add_member(out, "valid_regret_mean", m->valid_regret_mean);
  add_member(out, "test_regret_mean", m->test_regret_mean);
  add_member(out, "missing_mean", m->missing_mean);
  nas_str_fmt(out, ", \"runs_without_choice\": %zu, \"runs_exhausted\": %zu, \"runs_stalled\": %zu", m->without_choice,
              m->exhausted, m->stalled);
  add_curve_json(s, c, out);
  nas_str_add(out, "}");
}

static void add_differences_json(const nas_replay_session *s, nas_str *out) {
  nas_str_fmt(out, "\n \"test\": \"%s\", \"differences\": [", s->test);
  for (size_t i = 0; i < s->n_differences; i++) {
    const nas_replay_difference *d = &s->differences[i];
    nas_str_fmt(out, "%s\n  {\"metric\": \"%s\", \"a\": ", i ? "," : "", figure_name(d));
    nas_str_json(out, s->contenders[d->a].name);
    nas_str_add(out, ", \"b\": ");
    nas_str_json(out, s->contenders[d->b].name);
    add_member(out, "difference", d->mean);
    add_member(out, "low", d->low);
    add_member(out, "high", d->high);
    add_member(out, "p", d->p);
    add_member(out, "p_holm", d->p_holm);
    nas_str_fmt(out, ", \"runs\": %zu}", d->runs);
  }
  nas_str_add(out, "]}\n");
}

static void add_heading_json(const nas_replay_session *s, nas_str *out) {
  const nas_replay_recorded *r = &s->recorded;
  nas_str_add(out, "{\"schema\": \"nascent.replay\", \"table\": ");
  nas_str_json(out, s->source.path);
  nas_str_fmt(out, ", \"space\": \"%s\", \"dataset\": ", nas_space_type_of(r->space)->name);
  nas_str_json(out, r->dataset);
  nas_str_fmt(out,
              ",\n \"search_epochs\": %lld, \"report_epochs\": %lld, \"architectures\": %zu, \"left_out\": %zu,\n "
              "\"runs\": %lld, \"workers\": %lld, \"seed\": %lld, \"budget_seconds\": ",
              (long long)r->search_epochs, (long long)r->report_epochs, r->table->n, r->left_out, (long long)s->runs,
              (long long)s->workers, (long long)s->seed);
  nas_str_json_number(out, s->limits.seconds);
  if (s->budget > 0) nas_str_fmt(out, ", \"budget_evaluations\": %lld", (long long)s->budget);
  else nas_str_add(out, ", \"budget_evaluations\": null");
  add_member(out, "valid_best", r->table->best_valid);
  add_member(out, "test_best", r->table->best_test);
}

static nas_status print_object(const nas_replay_session *s, nas_err *err) {
  nas_str out = {0};
  add_heading_json(s, &out);
  nas_str_add(&out, ",\n \"strategies\": [");
  for (size_t i = 0; i < s->n_contenders; i++) {
    nas_str_add(&out, i ? ",\n  " : "\n  ");
    add_strategy_json(s, &s->contenders[i], &out);
  }
  nas_str_add(&out, "],");
  add_differences_json(s, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

nas_status nas_replay_print(const nas_replay_session *s, nas_err *err) {
  if (strcmp(s->show, "curves") == 0) return print_curves(s, err);
  if (strcmp(s->show, "differences") == 0) return print_differences(s, err);
  if (strcmp(s->show, "runs") == 0) return print_runs(s, err);
  if (s->cli->json && !s->cli->json_lines) return print_object(s, err);
  NAS_TRY(print_strategies(s, err));
  if (!for_people(s) || s->n_differences == 0) return NAS_OK;
  NAS_TRY(nas_cli_print(strcmp(s->test, "bootstrap") == 0
                            ? "\ndifferences a - b over paired runs, 95 % interval and p by the bootstrap\n"
                            : "\ndifferences a - b over paired runs, 95 % interval by the bootstrap, p by Wilcoxon\n",
                        err));
  return print_differences(s, err);
}
