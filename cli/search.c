/* nascent search: runs a campaign, then prints what it found. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-db/bench-db.h"
#include "bench-db/query.h"
#include "cli/commands.h"
#include "cli/search.h"
#include "jobs/campaign.h"
#include "search/plugin.h"

enum { TOP = 10, COLUMNS = 8 };

/* ---- the leaderboard ---- */

typedef struct leaders {
  nas_db_trial *top[TOP];
  size_t n_top;
  int64_t outcomes[NAS_OUTCOME_COUNT], unfinished;
} leaders;

static const nas_epoch *last_epoch(const nas_db_trial *t) {
  return t->result.n_epochs ? &t->result.epochs[t->result.n_epochs - 1] : NULL;
}

static double final_accuracy(const nas_db_trial *t) {
  const nas_epoch *last = last_epoch(t);
  bool ok = t->finished && t->result.outcome == NAS_OUTCOME_OK && last && !isnan(last->valid_accuracy);
  return ok ? last->valid_accuracy : -INFINITY;
}

static nas_status load_top(nas_db *db, int64_t campaign, leaders *l, nas_err *err) {
  const nas_db_best_query query = {.campaign = campaign, .top = TOP};
  nas_rows rows = {0};
  NAS_TRY(nas_db_best(db, &query, &rows, err));
  nas_status status = NAS_OK;
  for (size_t i = 0; i < rows.n && status == NAS_OK; i++) {
    status = nas_db_trial_load(db, nas_rows_at(&rows, i, "trial")->integer, &l->top[i], err);
    if (status == NAS_OK) l->n_top++;
  }
  nas_rows_free(&rows);
  return status;
}

static nas_status count_outcomes(nas_db *db, int64_t campaign, leaders *l, nas_err *err) {
  char sql[128];
  nas_rows rows = {0};
  snprintf(sql, sizeof sql, "SELECT outcome, count(*) AS n FROM trial WHERE campaign = %lld GROUP BY outcome",
           (long long)campaign);
  NAS_TRY(nas_db_sql(db, sql, nas_rows_sink(&rows), err));
  for (size_t i = 0; i < rows.n; i++) {
    const nas_value *outcome = nas_rows_at(&rows, i, "outcome");
    int64_t n = nas_rows_at(&rows, i, "n")->integer;
    nas_outcome which;
    if (outcome->kind == NAS_VALUE_NULL) l->unfinished = n;
    else if (nas_outcome_from_text(outcome->text, &which)) l->outcomes[which] = n;
  }
  nas_rows_free(&rows);
  return NAS_OK;
}

static nas_status load_leaders(const char *path, int64_t campaign, leaders *l, nas_err *err) {
  nas_db *db;
  NAS_TRY(nas_db_open(path, NAS_DB_READ, &db, err));
  nas_status status = load_top(db, campaign, l, err);
  if (status == NAS_OK) status = count_outcomes(db, campaign, l, err);
  nas_db_close(db);
  return status;
}

/* ---- printing ---- */

static const char *const columns[COLUMNS] = {"rank",          "trial",  "arch", "valid_accuracy",
                                             "test_accuracy", "params", "macs", "seconds"};

static void add_number(nas_str *out, double value, const char *format) {
  if (isnan(value)) nas_str_add(out, "-");
  else nas_str_fmt(out, format ? format : "%.2f", value);
}

static nas_status print_board(const nas_cli *cli, const leaders *l, nas_err *err) {
  nas_table *t = nas_table_new("nascent.search", columns, "rrlrrrrr", COLUMNS);
  for (size_t i = 0; i < l->n_top; i++) {
    const nas_db_trial *row = l->top[i];
    nas_str test = {0}, seconds = {0};
    add_number(&test, last_epoch(row)->test_accuracy, "%.2f");
    add_number(&seconds, nas_result_metric(&row->result, "seconds"), "%.1f");
    nas_table_cell(t, "%zu", i + 1);
    nas_table_cell(t, "%lld", (long long)row->id);
    nas_table_cell(t, "%s", row->arch);
    nas_table_cell(t, "%.2f", final_accuracy(row));
    nas_table_cell(t, "%s", nas_str_text(&test));
    nas_table_cell(t, "%lld", (long long)row->params);
    nas_table_cell(t, "%lld", (long long)row->macs);
    nas_table_cell(t, "%s", nas_str_text(&seconds));
    nas_str_free(&test);
    nas_str_free(&seconds);
  }
  return nas_table_print(t, cli, err);
}

static void add_row_json(nas_str *out, size_t rank, const nas_db_trial *row) {
  nas_str_fmt(out, "{\"rank\": %zu, \"trial\": %lld, \"arch\": ", rank, (long long)row->id);
  nas_str_json(out, row->arch);
  nas_str_add(out, ", \"valid_accuracy\": ");
  nas_str_json_number(out, final_accuracy(row));
  nas_str_add(out, ", \"test_accuracy\": ");
  nas_str_json_number(out, last_epoch(row)->test_accuracy);
  nas_str_fmt(out, ", \"params\": %lld, \"macs\": %lld, \"seconds\": ", (long long)row->params, (long long)row->macs);
  nas_str_json_number(out, nas_result_metric(&row->result, "seconds"));
  nas_str_add(out, "}");
}

static nas_status print_json(const nas_campaign *c, const char *db, const nas_campaign_summary *s, const leaders *l,
                             nas_err *err) {
  nas_str out = {0};
  nas_str_add(&out, "{\"schema\": \"nascent.search\", \"name\": ");
  nas_str_json(&out, c->name);
  nas_str_add(&out, ", \"db\": ");
  nas_str_json(&out, db);
  nas_str_fmt(&out, ", \"campaign\": %lld, \"done\": %lld, \"failed\": %lld, \"unfinished\": %lld, \"seconds\": ",
              (long long)s->campaign, (long long)s->done, (long long)s->failed, (long long)l->unfinished);
  nas_str_json_number(&out, s->seconds);
  nas_str_add(&out, ", \"outcomes\": {");
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++)
    nas_str_fmt(&out, "%s\"%s\": %lld", i ? ", " : "", nas_outcome_text((nas_outcome)i), (long long)l->outcomes[i]);
  nas_str_add(&out, "}, \"rows\": [");
  for (size_t i = 0; i < l->n_top; i++) {
    nas_str_add(&out, i ? ",\n  " : "\n  ");
    add_row_json(&out, i + 1, l->top[i]);
  }
  nas_str_add(&out, l->n_top ? "\n]}\n" : "]}\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

/* In one piece: mpirun forwards both streams, and what is written in parts may have the other stream between them. */
static void talk(const nas_cli *cli, const char *db, const nas_campaign_summary *s, const leaders *l) {
  if (cli->quiet) return;
  nas_str line = {0};
  nas_str_fmt(&line, "%lld trials in %s, %.1f s:", (long long)s->done, db, s->seconds);
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++)
    if (l->outcomes[i]) nas_str_fmt(&line, " %lld %s", (long long)l->outcomes[i], nas_outcome_text((nas_outcome)i));
  if (l->unfinished) nas_str_fmt(&line, " %lld unfinished", (long long)l->unfinished);
  nas_str_add(&line, "\n");
  fputs(nas_str_text(&line), stderr);
  nas_str_free(&line);
}

static nas_status report(const nas_cli *cli, const nas_campaign *c, const char *db, const nas_campaign_summary *s,
                         nas_err *err) {
  leaders l = {0};
  nas_status status = load_leaders(db, s->campaign, &l, err);
  /* Before the table: mpirun forwards both streams and would put a later line into the middle of it. */
  if (status == NAS_OK) talk(cli, db, s, &l);
  if (status == NAS_OK && cli->json && !cli->json_lines) status = print_json(c, db, s, &l, err);
  else if (status == NAS_OK) status = print_board(cli, &l, err);
  for (size_t i = 0; i < l.n_top; i++) nas_db_trial_free(l.top[i]);
  return status;
}

/* ---- the command ---- */

static nas_status verdict(const nas_campaign_summary *s, const char *db, nas_err *err) {
  if (s->preempted)
    return nas_fail(err, s->signal == SIGINT ? NAS_E_INTERRUPTED : NAS_E_PREEMPTED, db,
                    "stopped after %lld trials; the same command with --resume goes on", (long long)s->done);
  if (s->failed)
    return nas_fail(err, NAS_E_FAILED_TRIALS, db, "finished; %lld of %lld trials failed (see `nascent db query`)",
                    (long long)s->failed, (long long)s->done);
  return NAS_OK;
}

static nas_status check(nas_cli *cli, nas_err *err) {
  nas_campaign campaign;
  NAS_TRY(nas_cli_campaign(cli, &campaign, err));
  nas_status status = nas_search_check(cli, cli->args[0], &campaign, err);
  nas_campaign_free(&campaign);
  return status;
}

static nas_status search(nas_cli *cli, const char *db, bool resume, nas_err *err) {
  nas_campaign campaign;
  nas_campaign_summary summary;
  char path[160];
  nas_status status = nas_cli_campaign(cli, &campaign, err);
  if (status != NAS_OK) return nas_jobs_fail(status, err);
  nas_text_put(path, sizeof path, "%s.db", campaign.name);
  const nas_campaign_run_options options = {
      .db = db ? db : path, .resume = resume, .quiet = cli->quiet, .verbose = cli->verbose};
  status = nas_campaign_run(&campaign, &options, &summary, err);
  if (status == NAS_OK && summary.coordinator) status = report(cli, &campaign, options.db, &summary, err);
  if (status == NAS_OK && summary.coordinator) status = verdict(&summary, options.db, err);
  nas_campaign_free(&campaign);
  return status;
}

/* What the strategy would send; nothing is run and nothing is written. */
static nas_status dry_run(nas_cli *cli, nas_err *err) {
  nas_campaign campaign;
  nas_str out = {0};
  NAS_TRY(nas_cli_campaign(cli, &campaign, err));
  nas_status status = nas_campaign_preview(&campaign, &out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  if (status == NAS_E_UNSUPPORTED) {
    if (!cli->quiet)
      fprintf(stderr, "the campaign is sound; strategy %s sends nothing out of the program\n", campaign.strategy);
    status = NAS_OK;
  }
  nas_str_free(&out);
  nas_campaign_free(&campaign);
  return status;
}

nas_status nas_cmd_search(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *db = NULL, *plugin = NULL;
  bool resume = false, dry = false, check_only = false, done;
  const nas_flag flags[] = {
      {"db", 0, NAS_FLAG_TEXT, &db, "FILE", "the table (default: the campaign's name.db)"},
      {"resume", 0, NAS_FLAG_SWITCH, &resume, NULL, "go on with the table's last campaign (or begin)"},
      {"check", 0, NAS_FLAG_SWITCH, &check_only, NULL,
       "check the file and print the resolved configuration, run nothing"},
      {"dry-run", 0, NAS_FLAG_SWITCH, &dry, NULL, "check everything and print the first prompt of a language model"},
      {"plugin", 0, NAS_FLAG_TEXT, &plugin, "FILE.so", "a shared object with more strategies"},
      {0}};
  const nas_usage usage = {"CAMPAIGN.yaml", 1, 1, flags,
                           "Runs a campaign, alone or under mpirun (rank 0 coordinates, the others evaluate), and\n"
                           "prints the best ten. -o overrides one key of the file, such as -o budget.trials=20.\n"
                           "Exit status 3: finished, but some trials failed; 75: stopped by a signal, run again\n"
                           "with --resume."};
  nas_status status = nas_cli_parse(cli, argc, argv, &usage, &done, err);
  if (status == NAS_OK && !done && plugin) status = nas_strategy_plugin_load(plugin, err);
  /* Every rank has the same command line: the first one reports its faults, the others leave quietly, for a launcher
   * takes the first failing rank as reason to kill the rest. */
  if (status != NAS_OK) return nas_jobs_is_secondary_rank() ? NAS_OK : status;
  if (done) return NAS_OK;
  if (dry) return nas_jobs_is_secondary_rank() ? NAS_OK : dry_run(cli, err);
  if (check_only) return nas_jobs_is_secondary_rank() ? NAS_OK : check(cli, err);
  return search(cli, db, resume, err);
}
