#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "harness.h"
#include "replay_db.h"
#include "space/space.h"

nas_epoch replay_db_epoch(int cell, int epochs, int epoch, int seed) {
  double quality = cell == 7 ? 30 : (double)(cell * 37 % 101) / 4;
  return (nas_epoch){.epoch = epoch,
                     .train_loss = 1,
                     .train_accuracy = 50,
                     .valid_loss = 1,
                     .valid_accuracy = 40 + quality + 2 * epoch + epochs + 0.5 * seed,
                     .test_loss = 1,
                     .test_accuracy = epoch == epochs ? 35 + quality + 2 * epoch + epochs + 0.5 * seed : (double)NAN,
                     .seconds = 1 + 0.25 * (cell % 5),
                     .valid_seconds = 0.5};
}

static void add_trial(nas_db *db, int64_t campaign, const nas_space *space, int cell, int epochs, int seed, bool timed,
                      uint64_t number) {
  char text[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  nas_arch arch;
  uint64_t class_id;
  assert_ok(nas_space_at(space, (uint64_t)cell, &arch, nas_test_err()));
  assert_ok(nas_space_format(space, &arch, text, nas_test_err()));
  assert_ok(nas_space_canonical(space, &arch, canonical, nas_test_err()));
  assert_true(nas_space_class(space, &arch, &class_id));
  nas_db_ask ask = {.campaign = campaign,
                    .number = number,
                    .arch = text,
                    .canonical = canonical,
                    .index = cell,
                    .class_id = (int64_t)class_id,
                    .seed = (uint64_t)seed,
                    .params = 1000 + cell,
                    .macs = 5000 + cell};
  nas_result result = {.outcome = NAS_OUTCOME_OK};
  for (int i = 1; i <= epochs; i++) {
    nas_epoch e = replay_db_epoch(cell, epochs, i, seed);
    if (!timed) e.seconds = e.valid_seconds = NAN;
    assert_ok(nas_result_add_epoch(&result, &e, nas_test_err()));
  }
  int64_t trial;
  int32_t attempt;
  bool recorded;
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 0, &attempt, nas_test_err()));
  assert_ok(nas_db_trial_finish(db, trial, attempt, &result, &recorded, nas_test_err()));
  nas_result_free(&result);
}

static int64_t add_campaign(nas_db *db, int epochs) {
  int64_t id;
  char options[64], digest[NAS_DIGEST_SIZE];
  snprintf(options, sizeof options, "epochs=%d\n", epochs);
  nas_digest(options, strlen(options), digest);
  const nas_db_campaign c = {
      .name = "recorded",
      .config = "",
      .space = "nas-bench-201@1",
      .space_options = "channels=16\ncells=5\n",
      .evaluator = "train@1",
      .evaluator_options = "",
      .strategy = "random@1",
      .strategy_options = "",
      .program = "0",
      .machine = "m",
      .dataset = {.name = "shapes@1",
                  .options = "",
                  .digest = "d",
                  .split = "s",
                  .n_train = 10,
                  .n_valid = 5,
                  .n_test = 5,
                  .channels = 1,
                  .height = 8,
                  .width = 8,
                  .classes = 4},
      .recipe = {.name = "quick@1", .options = options, .digest = digest},
  };
  assert_ok(nas_db_campaign_add(db, &c, &id, nas_test_err()));
  return id;
}

const char *replay_db_make(const char *name, bool timed, bool all) {
  static char path[512];
  nas_db *db;
  nas_space *space;
  snprintf(path, sizeof path, "%s/%s", nas_test_folder(), name);
  assert_ok(nas_space_open("nas-bench-201", NULL, &space, nas_test_err()));
  assert_ok(nas_db_open(path, NAS_DB_CREATE, &db, nas_test_err()));
  assert_ok(nas_db_begin(db, nas_test_err()));
  for (int epochs = REPLAY_SEARCH; epochs <= REPLAY_REPORT; epochs += REPLAY_REPORT - REPLAY_SEARCH) {
    int64_t campaign = add_campaign(db, epochs);
    uint64_t number = 0;
    for (int cell = 0; cell < REPLAY_CELLS; cell++) {
      if (!all && epochs == REPLAY_REPORT && cell % 10 == 0) continue;
      for (int seed = 0; seed < 2; seed++) add_trial(db, campaign, space, cell, epochs, seed, timed, number++);
    }
  }
  assert_ok(nas_db_commit(db, nas_test_err()));
  nas_db_close(db);
  nas_space_close(space);
  return path;
}
