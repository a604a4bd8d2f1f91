/* nascent reproduce: trains a recorded trial again and compares the curve bit by bit. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "base/version.h"
#include "bench-db/bench-db.h"
#include "cli/commands.h"
#include "jobs/machine.h"
#include "jobs/setup.h"
#include "search/strategy.h"

typedef struct session {
  nas_cli *cli;
  nas_db_campaign *campaign;
  nas_db_trial *trial;
  nas_campaign named; /* the recorded names and options */
  nas_setup setup;
  nas_progress progress;
  nas_err difference; /* code OK while there is none */
  bool silent;        /* equal bits are not worth a word */
} session;

static volatile sig_atomic_t stop;

static void on_signal(int number) {
  (void)number;
  stop = 1;
}

/* ---- what the table says ---- */

/* "name@version" with its options; the version must be this program's. */
static nas_status take(const char *what, const char *recorded, const char *options, int version, char name[64],
                       nas_settings *settings, nas_err *err) {
  const char *at = strrchr(recorded, '@');
  int64_t number;
  if (!at || !nas_text_int(at + 1, &number) || !nas_text_put(name, 64, "%.*s", (int)(at - recorded), recorded))
    return nas_fail(err, NAS_E_DB_UNREADABLE, NULL, "the %s '%s' is not of the form name@version", what, recorded);
  if (version >= 0 && number != version)
    return nas_fail(err, NAS_E_MISMATCH, NULL, "the trial was made with %s %s, this program has %s@%d", what, recorded,
                    name, version);
  return settings ? nas_settings_parse(settings, options, "the table", err) : NAS_OK;
}

static nas_status load(session *s, const char *path, int64_t id, nas_err *err) {
  nas_db *db;
  NAS_TRY(nas_db_open(path, NAS_DB_READ, &db, err));
  nas_status status = nas_db_trial_load(db, id, &s->trial, err);
  if (status == NAS_OK) status = nas_db_campaign_load(db, s->trial->campaign, &s->campaign, err);
  nas_db_close(db);
  return status;
}

static nas_status check_trial(const session *s, const char *path, nas_err *err) {
  const nas_db_trial *t = s->trial;
  if (!t->finished)
    return nas_fail(err, NAS_E_BAD_INPUT, path,
                    "trial %" PRId64 " is not finished: there is nothing to compare with (search --resume goes on)",
                    t->id);
  if (t->result.outcome != NAS_OUTCOME_OK)
    return nas_fail(err, NAS_E_BAD_INPUT, path, "trial %" PRId64 " ended as %s (%s): only trials that are ok repeat",
                    t->id, nas_outcome_text(t->result.outcome), t->result.cause.msg);
  if (t->result.n_epochs == 0)
    return nas_fail(err, NAS_E_BAD_INPUT, path, "trial %" PRId64 " has no training curve to compare with", t->id);
  return NAS_OK;
}

static nas_status open_parts(session *s, nas_err *err) {
  const nas_db_campaign *c = s->campaign;
  nas_campaign *n = &s->named;
  NAS_TRY(take("space", c->space, c->space_options, -1, n->space, &n->space_settings, err));
  NAS_TRY(take("data set", c->dataset.name, c->dataset.options, -1, n->dataset, &n->dataset_settings, err));
  NAS_TRY(take("recipe", c->recipe.name, c->recipe.options, -1, n->recipe, &n->recipe_settings, err));
  NAS_TRY(take("evaluator", c->evaluator, c->evaluator_options, -1, n->evaluator, &n->evaluator_settings, err));
  if (s->cli->data_dir) nas_text_put(n->data_dir, sizeof n->data_dir, "%s", s->cli->data_dir);
  NAS_TRY(nas_setup_open(&s->setup, n, err));
  char name[64];
  int space = nas_space_type_of(s->setup.space)->version, evaluator = s->setup.evaluator->version;
  NAS_TRY(take("space", c->space, "", space, name, NULL, err));
  NAS_TRY(take("evaluator", c->evaluator, "", evaluator, name, NULL, err));
  return take("data set", c->dataset.name, "", s->setup.data->type->version, name, NULL, err);
}

static nas_status check_data(const session *s, nas_err *err) {
  const nas_db_dataset *was = &s->campaign->dataset;
  const nas_dataset *is = s->setup.data;
  if (strcmp(was->digest, is->digest) != 0)
    return nas_fail(err, NAS_E_MISMATCH, s->named.dataset, "the trial saw other data: digest %.64s, here %.64s",
                    was->digest, is->digest);
  if (strcmp(was->split, is->split) != 0)
    return nas_fail(err, NAS_E_MISMATCH, s->named.dataset, "the trial saw another split: %.64s, here %.64s", was->split,
                    is->split);
  return NAS_OK;
}

/* ---- comparing ---- */

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void compare_epoch(session *s, const nas_epoch *now) {
  const nas_result *r = &s->trial->result;
  size_t k = (size_t)now->epoch - 1;
  if (s->difference.code != NAS_OK || now->epoch < 1 || k >= r->n_epochs || nas_epoch_same(&r->epochs[k], now)) return;
  const nas_epoch *was = &r->epochs[k];
  const struct {
    const char *name;
    double was, is;
  } fields[] = {{"epoch", was->epoch, now->epoch},
                {"train_loss", was->train_loss, now->train_loss},
                {"train_accuracy", was->train_accuracy, now->train_accuracy},
                {"valid_loss", was->valid_loss, now->valid_loss},
                {"valid_accuracy", was->valid_accuracy, now->valid_accuracy},
                {"test_loss", was->test_loss, now->test_loss},
                {"test_accuracy", was->test_accuracy, now->test_accuracy}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    char a[32], b[32];
    if (same_bits(fields[i].was, fields[i].is)) continue;
    nas_fail(&s->difference, NAS_E_MISMATCH, NULL, "trial %" PRId64 " differs first in epoch %d: %s was %s, is %s",
             s->trial->id, now->epoch, fields[i].name, nas_text_double(a, fields[i].was),
             nas_text_double(b, fields[i].is));
    break;
  }
  stop = 1; /* what follows differs too */
}

static void on_epoch(void *arg, const nas_epoch *epoch) {
  session *s = arg;
  compare_epoch(s, epoch);
  s->progress.done = epoch->epoch;
  nas_progress_draw(&s->progress, false);
}

static void compare_ends(session *s, const nas_result *now) {
  const nas_result *was = &s->trial->result;
  for (size_t i = 0; i < now->n_epochs; i++) compare_epoch(s, &now->epochs[i]); /* evaluators may not call back */
  if (s->difference.code != NAS_OK) return;
  if (now->outcome != NAS_OUTCOME_OK)
    nas_fail(&s->difference, NAS_E_MISMATCH, NULL, "trial %" PRId64 " was ok, now it is %s: %s", s->trial->id,
             nas_outcome_text(now->outcome), now->cause.msg);
  else if (now->n_epochs != was->n_epochs)
    nas_fail(&s->difference, NAS_E_MISMATCH, NULL, "trial %" PRId64 " had %zu epochs, now it has %zu", s->trial->id,
             was->n_epochs, now->n_epochs);
}

/* Bits may differ between processors and versions: say so where they do. */
static void explain(const session *s) {
  nas_str here = {0};
  nas_machine_describe(&here);
  if (strcmp(s->campaign->program, NAS_VERSION_FULL) != 0)
    fprintf(stderr, "note: recorded by version %s, this is %s\n", s->campaign->program, NAS_VERSION_FULL);
  if (strcmp(s->campaign->machine, nas_str_text(&here)) != 0)
    fprintf(stderr, "note: recorded on %s, this is %s\n", s->campaign->machine, nas_str_text(&here));
  nas_str_free(&here);
}

/* A strategy of one fidelity trains in full; of another, or one that is not known here (a plugin), the recorded epochs
 * say how far. */
static int32_t epochs_of(const session *s) {
  char name[96];
  const nas_strategy_type *type;
  nas_text_put(name, sizeof name, "%s", s->campaign->strategy);
  name[strcspn(name, "@")] = '\0';
  if (s->trial->result.outcome != NAS_OUTCOME_OK) return 0;
  if (nas_strategy_find(name, &type, NULL) == NAS_OK && type->ask) return 0;
  return (int32_t)s->trial->result.n_epochs;
}

static nas_status train_again(session *s, nas_err *err) {
  nas_result result = {0};
  nas_eval_request request = {.space = s->setup.space,
                              .data = s->setup.data,
                              .recipe = &s->setup.recipe,
                              .seed = s->trial->seed,
                              .epochs = epochs_of(s),
                              .stop = &stop,
                              .on_epoch = on_epoch,
                              .arg = s};
  NAS_TRY(nas_space_parse(s->setup.space, s->trial->arch, &request.arch, err));
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  nas_progress_start(&s->progress, STDERR_FILENO, s->cli->quiet, "epochs", 0, (int64_t)s->trial->result.n_epochs);
  nas_status status = s->setup.evaluator->evaluate(s->setup.evaluator_options, &request, &result, err);
  nas_progress_clear(&s->progress);
  if (status == NAS_OK && result.outcome == NAS_OUTCOME_PREEMPTED && s->difference.code == NAS_OK)
    status = nas_fail(err, NAS_E_INTERRUPTED, NULL, "interrupted after %zu equal epochs", result.n_epochs);
  if (status == NAS_OK) compare_ends(s, &result);
  nas_result_free(&result);
  return status;
}

static nas_status print_ok(const session *s, nas_err *err) {
  nas_str out = {0};
  const nas_db_trial *t = s->trial;
  if (s->cli->json) {
    nas_str_fmt(&out, "{\"schema\": \"nascent.reproduce\", \"trial\": %" PRId64 ", \"arch\": ", t->id);
    nas_str_json(&out, t->arch);
    nas_str_fmt(&out, ", \"seed\": %" PRIu64 ", \"epochs\": %zu, \"same\": true}\n", t->seed, t->result.n_epochs);
  } else nas_str_fmt(&out, "ok: trial %" PRId64 ", %zu epochs, the same bits\n", t->id, t->result.n_epochs);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static nas_status reproduce(session *s, const char *path, int64_t id, nas_err *err) {
  NAS_TRY(load(s, path, id, err));
  NAS_TRY(check_trial(s, path, err));
  NAS_TRY(open_parts(s, err));
  NAS_TRY(check_data(s, err));
  NAS_TRY(train_again(s, err));
  if (s->difference.code == NAS_OK) return s->silent ? NAS_OK : print_ok(s, err);
  if (err) *err = s->difference;
  explain(s);
  return NAS_E_MISMATCH;
}

static nas_status run(session *s, const char *path, int64_t id, nas_err *err) {
  stop = 0;
  nas_status status = reproduce(s, path, id, err);
  nas_setup_close(&s->setup);
  nas_campaign_free(&s->named);
  if (s->trial) nas_db_trial_free(s->trial);
  if (s->campaign) nas_db_campaign_free(s->campaign);
  return status;
}

nas_status nas_reproduce_trial(const char *path, int64_t id, nas_err *err) {
  nas_cli quiet = {.command = "reproduce", .quiet = true};
  session s = {.cli = &quiet, .silent = true};
  nas_status status = run(&s, path, id, err);
  nas_cli_free(&quiet);
  return status;
}

nas_status nas_cmd_reproduce(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {
      "DB TRIAL", 2, 2, NULL,
      "Trains a recorded trial again with its recorded options, data and seed, and compares every\n"
      "loss and accuracy of every epoch bit by bit. Exit status 0: all the same; 1: the first\n"
      "difference is named."};
  session s = {.cli = cli};
  int64_t id;
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  if (!nas_text_int(cli->args[1], &id) || id < 1)
    return nas_fail(err, NAS_E_USAGE, NULL, "'%s' is no trial: give the number that `nascent db query %s` lists",
                    cli->args[1], cli->args[0]);
  return run(&s, cli->args[0], id, err);
}
