/* nascent status: how far a campaign has come, while it runs (from its heartbeat) and afterwards (from the table). */
#include "cli/status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "cli/commands.h"

static const double watch_seconds = 1;

/* ---- for people ---- */

static void add_number(nas_str *out, double value, const char *format) {
  if (isnan(value)) nas_str_add(out, "-");
  else nas_str_fmt(out, format, value);
}

static void add_counts(const nas_status_report *r, nas_str *out) {
  nas_str_fmt(out, "done       %lld", (long long)r->done);
  if (r->budget > 0) nas_str_fmt(out, " of %lld", (long long)r->budget);
  nas_str_add(out, " trials");
  const char *separator = ": ";
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++) {
    if (!r->outcomes[i]) continue;
    nas_str_fmt(out, "%s%lld %s", separator, (long long)r->outcomes[i], nas_outcome_text((nas_outcome)i));
    separator = ", ";
  }
  if (r->unfinished) nas_str_fmt(out, "%s%lld unfinished", separator, (long long)r->unfinished);
  nas_str_add(out, "\n");
}

static void add_pace(const nas_status_report *r, nas_str *out) {
  char left[16];
  if (!r->live) return;
  nas_str_add(out, "rate       ");
  add_number(out, r->rate, "%.3g trials/s");
  if (!isnan(r->eta)) nas_str_fmt(out, "   left %s", nas_progress_time(left, r->eta));
  nas_str_fmt(out, "   workers %.0f %% busy\n", 100 * r->utilisation);
}

static void add_summary(const nas_status_report *r, nas_str *out) {
  nas_str_fmt(out, "campaign   %s: %s", r->name, r->state);
  if (r->live) nas_str_fmt(out, " (process %lld, heard of %.0f s ago)", (long long)r->pid, r->age);
  nas_str_add(out, "\n");
  if (r->why[0]) nas_str_fmt(out, "paused     %s\n", r->why);
  add_counts(r, out);
  nas_str_add(out, "best       ");
  add_number(out, r->best, "%.2f %%");
  nas_str_fmt(out, "%s%s\n", r->best_arch[0] ? "  " : "", r->best_arch);
  add_pace(r, out);
}

static void cell_number(nas_table *t, double value, const char *format) {
  nas_str text = {0};
  add_number(&text, value, format);
  nas_table_cell(t, "%s", nas_str_text(&text));
  nas_str_free(&text);
}

static nas_status print_running(const nas_cli *cli, const nas_status_report *r, nas_err *err) {
  static const char *const columns[] = {"trial",      "attempt",        "worker", "epoch", "%",
                                        "train_loss", "valid_accuracy", "age",    "arch"};
  char age[16];
  if (r->n_running == 0) return NAS_OK;
  nas_table *t = nas_table_new("nascent.status", columns, "rrrrrrrrl", 9);
  for (size_t i = 0; i < r->n_running; i++) {
    const nas_status_trial *a = &r->running[i];
    nas_table_cell(t, "%lld", (long long)a->trial);
    nas_table_cell(t, "%lld", (long long)a->attempt);
    nas_table_cell(t, "%lld", (long long)a->worker);
    nas_table_cell(t, "%lld", (long long)a->epoch);
    nas_table_cell(t, "%.0f", 100 * a->share);
    cell_number(t, a->train_loss, "%.4f");
    cell_number(t, a->valid_accuracy, "%.2f");
    nas_table_cell(t, "%s", nas_progress_time(age, a->seconds));
    nas_table_cell(t, "%s", a->arch);
  }
  NAS_TRY(nas_cli_print("\nrunning\n", err));
  return nas_table_print(t, cli, err);
}

static nas_status print_workers(const nas_cli *cli, const nas_status_report *r, nas_err *err) {
  static const char *const columns[] = {"worker", "host", "process", "state", "% busy"};
  if (r->n_workers == 0) return NAS_OK;
  nas_table *t = nas_table_new("nascent.status", columns, "rlrlr", 5);
  for (size_t i = 0; i < r->n_workers; i++) {
    const nas_status_worker *w = &r->workers[i];
    nas_table_cell(t, "%lld", (long long)w->worker);
    nas_table_cell(t, "%s", w->host);
    nas_table_cell(t, "%lld", (long long)w->pid);
    nas_table_cell(t, "%s", w->state);
    nas_table_cell(t, "%.0f", 100 * w->utilisation);
  }
  NAS_TRY(nas_cli_print("\nworkers\n", err));
  return nas_table_print(t, cli, err);
}

static nas_status print_people(const nas_cli *cli, const nas_status_report *r, nas_err *err) {
  nas_str out = {0};
  add_summary(r, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  if (status == NAS_OK) status = print_running(cli, r, err);
  return status == NAS_OK ? print_workers(cli, r, err) : status;
}

/* ---- for programs ---- */

static void add_key(nas_str *out, const char *key, double value) {
  nas_str_fmt(out, ", \"%s\": ", key);
  nas_str_json_number(out, value);
}

static void add_text(nas_str *out, const char *key, const char *value) {
  nas_str_fmt(out, ", \"%s\": ", key);
  nas_str_json(out, value);
}

static void add_trial_json(const nas_status_trial *a, nas_str *out) {
  nas_str_fmt(out, "{\"trial\": %lld, \"attempt\": %lld, \"worker\": %lld, \"epoch\": %lld", (long long)a->trial,
              (long long)a->attempt, (long long)a->worker, (long long)a->epoch);
  add_key(out, "share", a->share);
  add_key(out, "train_loss", a->train_loss);
  add_key(out, "valid_accuracy", a->valid_accuracy);
  add_key(out, "seconds", a->seconds);
  add_text(out, "arch", a->arch);
  nas_str_add(out, "}");
}

static void add_worker_json(const nas_status_worker *w, nas_str *out) {
  nas_str_fmt(out, "{\"worker\": %lld", (long long)w->worker);
  add_text(out, "host", w->host);
  nas_str_fmt(out, ", \"pid\": %lld", (long long)w->pid);
  add_text(out, "state", w->state);
  add_key(out, "utilisation", w->utilisation);
  nas_str_add(out, "}");
}

static nas_status print_json(const nas_status_report *r, nas_err *err) {
  nas_str out = {0};
  nas_str_add(&out, "{\"schema\": \"nascent.status\"");
  add_text(&out, "name", r->name);
  nas_str_fmt(&out, ", \"campaign\": %lld", (long long)r->campaign);
  add_text(&out, "state", r->state);
  nas_str_fmt(&out, ", \"live\": %s, \"done\": %lld, \"failed\": %lld, \"unfinished\": %lld",
              r->live ? "true" : "false", (long long)r->done, (long long)r->failed, (long long)r->unfinished);
  nas_str_add(&out, ", \"outcomes\": {");
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++)
    nas_str_fmt(&out, "%s\"%s\": %lld", i ? ", " : "", nas_outcome_text((nas_outcome)i), (long long)r->outcomes[i]);
  nas_str_add(&out, "}");
  add_key(&out, "best_valid_accuracy", r->best);
  add_text(&out, "best_arch", r->best_arch);
  add_key(&out, "age", r->age);
  add_key(&out, "rate", r->rate);
  add_key(&out, "eta_seconds", r->eta);
  add_key(&out, "utilisation", r->live ? r->utilisation : NAN);
  nas_str_add(&out, ",\n\"running\": [");
  for (size_t i = 0; i < r->n_running; i++) {
    nas_str_add(&out, i ? ",\n  " : "\n  ");
    add_trial_json(&r->running[i], &out);
  }
  nas_str_add(&out, "],\n\"workers\": [");
  for (size_t i = 0; i < r->n_workers; i++) {
    nas_str_add(&out, i ? ",\n  " : "\n  ");
    add_worker_json(&r->workers[i], &out);
  }
  nas_str_add(&out, "]}\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

/* ---- the command ---- */

static nas_status show(const nas_cli *cli, const char *db, const char *folder, bool redraw, bool *live, nas_err *err) {
  nas_status_report r = {0};
  nas_status status = nas_status_read(db, folder, &r, err);
  *live = r.live;
  if (status == NAS_OK && redraw) status = nas_cli_print("\033[H\033[2J", err);
  if (status == NAS_OK) status = cli->json ? print_json(&r, err) : print_people(cli, &r, err);
  nas_status_free(&r);
  return status;
}

nas_status nas_cmd_status(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *folder = NULL;
  bool watch = false, done, live;
  const nas_flag flags[] = {
      {"watch", 'w', NAS_FLAG_SWITCH, &watch, NULL, "show it again every second until the campaign has ended"},
      {"folder", 0, NAS_FLAG_TEXT, &folder, "FOLDER",
       "the campaign's run.folder (default: the table's name with .work)"},
      {0}};
  const nas_usage usage = {
      "DB", 1, 1, flags,
      "How far the newest campaign of a table has come: outcomes, the best, running trials, workers.\n"
      "While it runs this comes from its heartbeat and disturbs nothing; afterwards from the table."};
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  do {
    NAS_TRY(show(cli, cli->args[0], folder, watch && !cli->json && isatty(STDOUT_FILENO), &live, err));
    fflush(stdout);
    if (watch && live) nanosleep(&(struct timespec){(time_t)watch_seconds, 0}, NULL);
  } while (watch && live);
  return NAS_OK;
}
