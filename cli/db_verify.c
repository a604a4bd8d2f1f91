/* nascent db verify: is a table sound? */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/db.h"

static nas_status print_verdict(const nas_cli *cli, const nas_rows *problems, int n_checks, nas_err *err) {
  static const char *const people[] = {"check", "what", NULL};
  if (cli->csv || cli->json_lines) return nas_db_print(cli, "nascent.db-verify", problems, NULL, err);
  nas_str out = {0};
  if (cli->json) {
    nas_str_fmt(&out, "{\"schema\": \"nascent.db-verify\", \"sound\": %s, \"checks\": %d, \"rows\": ",
                problems->n ? "false" : "true", n_checks);
    nas_db_json_rows(problems, &out);
    nas_str_add(&out, "}\n");
  } else if (problems->n == 0) {
    nas_str_fmt(&out, "sound: %d checks found no problem\n", n_checks);
  }
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  if (status == NAS_OK && !cli->json && problems->n) status = nas_db_print_people(cli, problems, people, err);
  return status;
}

/* Trials that training can repeat, `n` of them drawn without replacement by their ids. */
static nas_status draw_trials(nas_db *db, int64_t n, nas_rows *out, nas_err *err) {
  nas_str sql = {0};
  /* A multiplicative hash of the id: the same trials each time, spread over the table. */
  nas_str_fmt(&sql,
              "SELECT t.id FROM trial t JOIN campaign c ON c.id = t.campaign JOIN learning_curve l ON l.trial = t.id "
              "WHERE t.outcome = 'ok' AND c.evaluator LIKE 'train@%%' ORDER BY (t.id * 2654435761) & 4294967295 LIMIT "
              "%lld",
              (long long)n);
  nas_status status = nas_str_check(&sql, err);
  if (status == NAS_OK) status = nas_db_sql(db, sql.s, nas_rows_sink(out), err);
  nas_str_free(&sql);
  return status;
}

/* Trains trials again in this process; each that comes out otherwise is a problem. */
static nas_status reproduce(const nas_cli *cli, const nas_rows *trials, nas_rows *problems, nas_err *err) {
  for (size_t i = 0; i < trials->n; i++) {
    char what[300];
    nas_err own = {0};
    long long number = trials->values[i].integer;
    if (!cli->quiet) fprintf(stderr, "training trial %lld again (%zu of %zu)\n", number, i + 1, trials->n);
    nas_status status = nas_reproduce_trial(cli->args[0], number, &own);
    if (status == NAS_OK) continue;
    if (status != NAS_E_MISMATCH) {
      if (err) *err = own;
      return status;
    }
    nas_text_put(what, sizeof what, "trial %lld does not reproduce: %.220s", number, own.msg);
    nas_value row[] = {{.kind = NAS_VALUE_TEXT, .text = "reproduction"},
                       {.kind = NAS_VALUE_TEXT, .text = what},
                       {.kind = NAS_VALUE_INTEGER}};
    nas_row_sink sink = nas_rows_sink(problems);
    NAS_TRY(sink.row(sink.arg, 3, row, err));
  }
  return NAS_OK;
}

static void note_conflicts(const nas_cli *cli, nas_db *db) {
  nas_rows n = {0};
  if (!cli->quiet && nas_db_sql(db, "SELECT count(*) FROM conflict", nas_rows_sink(&n), NULL) == NAS_OK && n.n == 1 &&
      n.values[0].integer > 0)
    fprintf(stderr,
            "note: %lld trials contradict an earlier one of the same architecture, recipe and seed (view conflict)\n",
            (long long)n.values[0].integer);
  nas_rows_free(&n);
}

nas_status nas_db_verify_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  int64_t sample = 0;
  const nas_flag flags[] = {
      {"reproduce", 0, NAS_FLAG_INT, &sample, "N", "train N trials again, drawn over the table, and compare the bits"},
      {0}};
  const nas_usage usage = {"FILE", 1, 1, flags,
                           "Checks the file, its references, schema and digests, what its rows must agree on, and\n"
                           "parameters and MACs, which are counted again from the architectures.\n"
                           "Exit status: 0 sound, 1 rows disagree, 4 damaged."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_rows problems = {0}, trials = {0};
  int n_checks;
  nas_status status = nas_db_verify(db, &problems, &n_checks, err);
  if (status == NAS_OK && problems.n == 0) note_conflicts(cli, db);
  if (status == NAS_OK && sample > 0 && problems.n == 0) status = draw_trials(db, sample, &trials, err);
  if (status == NAS_OK && sample > 0 && problems.n == 0) {
    if (trials.n == 0 && !cli->quiet) fprintf(stderr, "note: the table has no trial that training can repeat\n");
    status = reproduce(cli, &trials, &problems, err);
    n_checks++;
  }
  nas_rows_free(&trials);
  if (status == NAS_OK) status = print_verdict(cli, &problems, n_checks, err);
  bool damaged = false;
  for (size_t i = 0; i < problems.n; i++) damaged = damaged || nas_rows_at(&problems, i, "damaged")->integer == 1;
  if (status == NAS_OK && problems.n)
    status =
        nas_fail(err, damaged ? NAS_E_DB_UNREADABLE : NAS_E_MISMATCH, cli->args[0], "%zu problem%s found%s", problems.n,
                 problems.n == 1 ? "" : "s", damaged ? "; restore the table from a copy or a snapshot" : "");
  nas_rows_free(&problems);
  nas_db_close(db);
  return status;
}
