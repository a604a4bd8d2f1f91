#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

const char *fx_path(const char *name) {
  static char paths[8][512];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", nas_test_folder(), name);
  return path;
}

nas_db_campaign fx_campaign(uint64_t seed) {
  return (nas_db_campaign){
      .name = "autumn",
      .config = "space.name=toy\nseed=7\n",
      .space = "toy@1",
      .space_options = "channels=8\n",
      .evaluator = "train@1",
      .evaluator_options = "",
      .strategy = "random@1",
      .strategy_options = "unique=false\n",
      .seed = seed,
      .program = "0.1.0+abc",
      .machine = "cpu \"x\", gcc 12",
      .dataset = {.name = "shapes@1",
                  .options = "classes=4\n",
                  .digest = "d1",
                  .split = "s1",
                  .n_train = 100,
                  .n_valid = 20,
                  .n_test = 30,
                  .channels = 1,
                  .height = 16,
                  .width = 12,
                  .classes = 4},
      .recipe = {.name = "quick@1",
                 .options = "epochs=3\nlr=0.1\n",
                 .digest = "0e5641bc392faefccf2e39aefd8543fc08d61020edd1f46c16b9439449ebc23d"},
  };
}

nas_db *fx_open(const char *path, int64_t *campaign) {
  nas_db *db = NULL;
  assert_ok(nas_db_open(path, NAS_DB_CREATE, &db, nas_test_err()));
  nas_db_campaign c = fx_campaign(7);
  assert_ok(nas_db_campaign_add(db, &c, campaign, nas_test_err()));
  return db;
}

/* Five architectures, of which the first and the last are equal networks. */
nas_db_ask fx_ask(int64_t campaign, uint64_t number) {
  static const char *const arch[] = {"|a~0|", "|b~0|", "|c~0|", "|d~0|", "|e~0|"};
  static const char *const canonical[] = {"A", "B", "C", "D", "A"};
  static const int64_t class_id[] = {0, 1, 2, 3, 0};
  int i = (int)(number % 5);
  return (nas_db_ask){.campaign = campaign,
                      .number = number,
                      .asked_after = number / 2,
                      .arch = arch[i],
                      .canonical = canonical[i],
                      .index = i,
                      .class_id = class_id[i],
                      .seed = 100 + number / 5,
                      .params = 1000 * (i + 1),
                      .macs = 5000 * (i + 1)};
}

nas_result fx_result(uint64_t number, int epochs) {
  nas_result r = {.outcome = NAS_OUTCOME_OK};
  for (int i = 1; i <= epochs; i++) {
    double x = (double)number + 1.0 / (3.0 * i);
    nas_epoch e = {.epoch = i,
                   .train_loss = x / 7,
                   .train_accuracy = fmod(x * 13, 100),
                   .valid_loss = x / 11,
                   .valid_accuracy = fmod(x * 17, 100),
                   .test_loss = x / 13,
                   .test_accuracy = i == epochs ? fmod(x * 19, 100) : (double)NAN,
                   .seconds = x / 1000,
                   .valid_seconds = x / 3000};
    assert_ok(nas_result_add_epoch(&r, &e, nas_test_err()));
  }
  assert_ok(nas_result_set_metric(&r, "params", 1000 * ((double)(number % 5) + 1), nas_test_err()));
  assert_ok(nas_result_set_metric(&r, "peak_bytes", 123456789, nas_test_err()));
  assert_ok(nas_result_set_metric(&r, "seconds", (double)number / 7, nas_test_err()));
  return r;
}

int64_t fx_add(nas_db *db, int64_t campaign, uint64_t number, int epochs) {
  int64_t trial;
  int32_t attempt;
  bool recorded = false;
  nas_db_ask ask = fx_ask(campaign, number);
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 1, &attempt, nas_test_err()));
  nas_result r = fx_result(number, epochs);
  assert_ok(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()));
  assert_true(recorded);
  nas_result_free(&r);
  return trial;
}

void fx_table(const char *path, int n) {
  int64_t campaign;
  nas_db *db = fx_open(path, &campaign);
  for (int i = 0; i < n; i++) fx_add(db, campaign, (uint64_t)i, 3);
  nas_db_close(db);
}

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

bool fx_intact(const nas_db_trial *t, int epochs) {
  nas_db_ask ask = fx_ask(t->campaign, t->number);
  nas_result r = fx_result(t->number, epochs);
  bool same = t->finished && t->told >= 0 && strcmp(t->arch, ask.arch) == 0 && t->index == ask.index &&
              t->class_id == ask.class_id && t->seed == ask.seed && t->params == ask.params && t->macs == ask.macs &&
              t->result.n_epochs == r.n_epochs && t->result.n_metrics == r.n_metrics;
  for (size_t i = 0; same && i < r.n_epochs; i++)
    same = nas_epoch_same(&t->result.epochs[i], &r.epochs[i]) &&
           same_bits(t->result.epochs[i].seconds, r.epochs[i].seconds) &&
           same_bits(t->result.epochs[i].valid_seconds, r.epochs[i].valid_seconds);
  for (size_t i = 0; same && i < r.n_metrics; i++)
    same = same_bits(nas_result_metric(&t->result, r.metrics[i].name), r.metrics[i].value);
  nas_result_free(&r);
  return same;
}

const char *fx_shell(const char *path, const char *sql) {
  static char text[8192];
  char *out = NULL, *talk = NULL;
  char script[512];
  snprintf(script, sizeof script, "%s/query.sql", nas_test_folder());
  FILE *f = fopen(script, "w");
  assert_non_null(f);
  fputs(sql, f);
  fclose(f);
  int code = nas_run(&out, &talk, "sqlite3 -batch '%s' < '%s'; code=$?; rm '%s'; exit $code", path, script, script);
  snprintf(text, sizeof text, "%s%s", out ? out : "", code == 0 || !talk ? "" : talk);
  free(out);
  free(talk);
  size_t n = strlen(text);
  if (n && text[n - 1] == '\n') text[n - 1] = '\0';
  return text;
}
