#include "search/replay_load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void nas_replay_recorded_close(nas_replay_recorded *r) {
  nas_replay_table_free(r->table);
  nas_bench_close(r->bench);
  *r = (nas_replay_recorded){0};
}

/* ---- which runs ---- */

static bool is_named(const char *have, const char *wanted) {
  size_t n = strlen(wanted);
  return strncmp(have, wanted, n) == 0 && (have[n] == '\0' || have[n] == '@');
}

static nas_status unknown_dataset(const nas_replay_source *source, const nas_bench_slice *slices, size_t n,
                                  nas_err *err) {
  nas_guess guess = nas_guess_for(source->dataset);
  nas_str all = {0};
  for (size_t i = 0; i < n; i++) {
    if (i && strcmp(slices[i].dataset, slices[i - 1].dataset) == 0) continue;
    char bare[96];
    if (nas_text_put(bare, sizeof bare, "%.*s", (int)strcspn(slices[i].dataset, "@"), slices[i].dataset))
      nas_guess_add(&guess, bare);
    nas_str_fmt(&all, "%s%s", all.len ? ", " : "", slices[i].dataset);
  }
  nas_status status = nas_fail(err, NAS_E_UNKNOWN_NAME, source->path, "the table has no data set '%s'%s (it has %s)",
                               source->dataset, nas_guess_text(&guess), nas_str_text(&all));
  nas_str_free(&all);
  return status;
}

/* The data set, and the shortest and the longest training on it. */
static nas_status find_runs(const nas_replay_source *source, nas_replay_recorded *r, nas_err *err) {
  const nas_bench_slice *slices, *first = NULL;
  size_t n;
  int64_t shortest = INT64_MAX, longest = 0;
  NAS_TRY(nas_bench_slices(r->bench, &slices, &n, err));
  for (size_t i = 0; i < n; i++) {
    if (source->dataset && !is_named(slices[i].dataset, source->dataset)) continue;
    if (source->recipe && !is_named(slices[i].recipe, source->recipe)) continue;
    if (first && strcmp(first->dataset, slices[i].dataset) != 0)
      return nas_fail(err, NAS_E_USAGE, source->path, "the table has several data sets (%s, %s): name one",
                      first->dataset, slices[i].dataset);
    if (!first) first = &slices[i];
    if (slices[i].epochs < shortest) shortest = slices[i].epochs;
    if (slices[i].epochs > longest) longest = slices[i].epochs;
  }
  if (!first && source->dataset && !source->recipe) return unknown_dataset(source, slices, n, err);
  if (!first) return nas_fail(err, NAS_E_NOT_FOUND, source->path, "the table has no finished trials like that");
  r->search_epochs = source->search_epochs ? source->search_epochs : shortest;
  r->report_epochs = source->report_epochs ? source->report_epochs : longest;
  if (!nas_text_put(r->dataset, sizeof r->dataset, "%s", first->dataset))
    return nas_fail(err, NAS_E_UNSUPPORTED, source->path, "the name of the data set is too long");
  return NAS_OK;
}

/* The runs of just the search epochs, or that epoch of the report runs. */
static nas_status find_search(const nas_replay_source *source, const nas_replay_recorded *r, nas_bench_where *out,
                              nas_err *err) {
  const nas_bench_slice *slices;
  size_t n;
  *out = (nas_bench_where){
      .dataset = r->dataset, .recipe = source->recipe, .epochs = r->search_epochs, .seed = NAS_BENCH_MEAN};
  NAS_TRY(nas_bench_slices(r->bench, &slices, &n, err));
  bool own = false;
  for (size_t i = 0; i < n; i++)
    own = own || (strcmp(slices[i].dataset, r->dataset) == 0 && slices[i].epochs == r->search_epochs);
  if (own || r->search_epochs > r->report_epochs)
    return NAS_OK; /* the latter is refused with a list of what there is */
  out->epochs = r->report_epochs;
  out->epoch = r->search_epochs;
  return NAS_OK;
}

/* ---- the figures ---- */

typedef struct columns {
  const double *search_valid, *valid, *test, *params, *macs;
  const double *train_seconds[2], *valid_seconds[2]; /* of the search runs and of the report runs */
} columns;

static nas_status read_columns(nas_bench *b, const nas_bench_where *search, const nas_bench_where *report, columns *c,
                               nas_err *err) {
  NAS_TRY(nas_bench_column(b, "valid_accuracy", search, &c->search_valid, err));
  NAS_TRY(nas_bench_column(b, "valid_accuracy", report, &c->valid, err));
  NAS_TRY(nas_bench_column(b, "test_accuracy", report, &c->test, err));
  NAS_TRY(nas_bench_column(b, "params", report, &c->params, err));
  NAS_TRY(nas_bench_column(b, "macs", report, &c->macs, err));
  nas_bench_where of_run = *search;
  of_run.epoch = 0;
  for (int i = 0; i < 2; i++) {
    const nas_bench_where *where = i ? report : &of_run;
    NAS_TRY(nas_bench_column(b, "train_seconds_per_epoch", where, &c->train_seconds[i], err));
    NAS_TRY(nas_bench_column(b, "valid_seconds", where, &c->valid_seconds[i], err));
  }
  return NAS_OK;
}

static double known(const double *const of[2], size_t cell) { return isnan(of[0][cell]) ? of[1][cell] : of[0][cell]; }

static nas_status fill(nas_replay_recorded *r, const columns *c, nas_err *err) {
  size_t cells = nas_bench_cells(r->bench);
  r->timed = true;
  for (size_t i = 0; i < cells; i++) {
    nas_replay_row row = {.arch = nas_bench_cell_at(r->bench, i)->genes,
                          .valid_accuracy = c->search_valid[i],
                          .report_valid = c->valid[i],
                          .report_test = c->test[i],
                          .params = c->params[i],
                          .macs = c->macs[i]};
    if (isnan(row.valid_accuracy) || isnan(row.report_valid)) {
      r->left_out++;
      continue;
    }
    double train = known(c->train_seconds, i), valid = known(c->valid_seconds, i);
    row.seconds = (double)r->search_epochs * train + (isnan(valid) ? 0 : valid);
    if (isnan(row.seconds)) {
      row.seconds = 0;
      r->timed = false;
    }
    NAS_TRY(nas_replay_table_add(r->table, &row, err));
  }
  for (size_t i = 0; i < r->table->n && !r->timed; i++) r->table->seen[i].seconds = 0;
  return NAS_OK;
}

nas_status nas_replay_load(const nas_replay_source *source, nas_replay_recorded *out, nas_err *err) {
  *out = (nas_replay_recorded){0};
  NAS_TRY(nas_bench_open(source->path, source->campaign, &out->bench, err));
  out->space = nas_bench_space(out->bench);
  if (!out->space)
    return nas_fail(err, NAS_E_UNSUPPORTED, source->path, "this program does not have the table's space %s",
                    nas_bench_space_name(out->bench));
  NAS_TRY(find_runs(source, out, err));
  nas_bench_where search,
      report = {
          .dataset = out->dataset, .recipe = source->recipe, .epochs = out->report_epochs, .seed = NAS_BENCH_MEAN};
  columns c;
  NAS_TRY(find_search(source, out, &search, err));
  NAS_TRY(read_columns(out->bench, &search, &report, &c, err));
  NAS_TRY(nas_replay_table_new(out->space, &out->table, err));
  NAS_TRY(fill(out, &c, err));
  if (out->table->n) return NAS_OK;
  return nas_fail(err, NAS_E_NOT_FOUND, source->path,
                  "no architecture has validation accuracies on %s after %lld epochs and after %lld", out->dataset,
                  (long long)out->search_epochs, (long long)out->report_epochs);
}

/* ---- the curves ---- */

/* Fills one epoch of all rows' curves and their training times; false when a row has none. */
static nas_status read_epoch(const nas_replay_recorded *r, nas_bench_where *where, int32_t epoch, double *curve,
                             bool *complete, nas_err *err) {
  const nas_replay_table *t = r->table;
  const double *column;
  where->epoch = epoch == r->search_epochs && where->epochs == r->search_epochs ? 0 : epoch;
  NAS_TRY(nas_bench_column(r->bench, "valid_accuracy", where, &column, err));
  for (size_t i = 0; i < nas_bench_cells(r->bench); i++) {
    int64_t row = nas_replay_table_find(t, &nas_bench_cell_at(r->bench, i)->genes);
    if (row == NAS_REPLAY_NO_ROW) continue;
    curve[(size_t)row * (size_t)r->search_epochs + (size_t)epoch - 1] = column[i];
    if (isnan(column[i])) *complete = false;
  }
  return NAS_OK;
}

static nas_status read_curves(const nas_replay_recorded *r, const nas_replay_source *source, int64_t epochs,
                              double *curve, bool *complete, nas_err *err) {
  nas_bench_where where = {.dataset = r->dataset, .recipe = source->recipe, .epochs = epochs, .seed = NAS_BENCH_MEAN};
  *complete = true;
  for (int32_t e = 1; e <= r->search_epochs && *complete; e++) {
    nas_err none = {0};
    nas_status status = read_epoch(r, &where, e, curve, complete, &none);
    if (status == NAS_E_NOT_FOUND) *complete = false;
    else if (status != NAS_OK) {
      if (err) *err = none;
      return status;
    }
  }
  return NAS_OK;
}

/* Training time of an epoch: that of the search runs, else of the report runs. */
static nas_status read_times(const nas_replay_recorded *r, const nas_replay_source *source, double *seconds,
                             nas_err *err) {
  const double *columns[2] = {NULL, NULL};
  const int64_t epochs[2] = {r->search_epochs, r->report_epochs};
  for (int i = 0; i < 2; i++) {
    const nas_bench_where where = {
        .dataset = r->dataset, .recipe = source->recipe, .epochs = epochs[i], .seed = NAS_BENCH_MEAN};
    nas_err none;
    nas_status status = nas_bench_column(r->bench, "train_seconds_per_epoch", &where, &columns[i], &none);
    if (status == NAS_E_NOT_FOUND && i == 0) columns[0] = NULL;
    else if (status != NAS_OK) {
      if (err) *err = none;
      return status;
    }
  }
  for (size_t i = 0; i < nas_bench_cells(r->bench); i++) {
    int64_t row = nas_replay_table_find(r->table, &nas_bench_cell_at(r->bench, i)->genes);
    if (row == NAS_REPLAY_NO_ROW) continue;
    double own = columns[0] ? columns[0][i] : NAN;
    seconds[row] = isnan(own) ? columns[1][i] : own;
  }
  return NAS_OK;
}

nas_status nas_replay_load_curves(nas_replay_recorded *r, const nas_replay_source *source, nas_err *err) {
  size_t n = r->table->n;
  double *curve = calloc(n * (size_t)r->search_epochs + 1, sizeof *curve), *seconds = calloc(n + 1, sizeof *seconds);
  bool complete = false;
  nas_status status = curve && seconds ? NAS_OK : nas_fail_memory(err, "the curves of a replay");
  if (status == NAS_OK && !r->timed)
    status = nas_fail(err, NAS_E_BAD_INPUT, source->path, "strategies of several fidelities need training times");
  if (status == NAS_OK) status = read_curves(r, source, r->search_epochs, curve, &complete, err);
  if (status == NAS_OK && !complete) status = read_curves(r, source, r->report_epochs, curve, &complete, err);
  if (status == NAS_OK && !complete)
    status = nas_fail(err, NAS_E_NOT_FOUND, source->path,
                      "the table does not have the validation accuracy after each of the %lld epochs, which strategies "
                      "of several fidelities need",
                      (long long)r->search_epochs);
  if (status == NAS_OK) status = read_times(r, source, seconds, err);
  if (status == NAS_OK) status = nas_replay_table_set_curves(r->table, (int32_t)r->search_epochs, curve, seconds, err);
  free(curve);
  free(seconds);
  return status;
}

nas_status nas_replay_defaults(const nas_strategy_type *type, nas_settings *out, nas_err *err) {
  const nas_option *unique = nas_options_find(type->options, "unique");
  if (!unique || unique->type != NAS_OPTION_FLAG) return NAS_OK;
  return nas_settings_put(out, "unique", "false", "a replay's default", err);
}
