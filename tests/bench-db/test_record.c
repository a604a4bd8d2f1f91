/* Recording and reading back. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"

static void campaign_reads_back_as_recorded(void **state) {
  (void)state;
  int64_t id;
  nas_db *db = fx_open(fx_path("t.db"), &id);
  nas_db_campaign *c;
  assert_ok(nas_db_campaign_load(db, 0, &c, nas_test_err()));
  assert_int_equal(c->id, id);
  assert_string_equal(c->name, "autumn");
  assert_string_equal(c->config, "space.name=toy\nseed=7\n");
  assert_string_equal(c->space, "toy@1");
  assert_string_equal(c->space_options, "channels=8\n");
  assert_string_equal(c->evaluator, "train@1");
  assert_string_equal(c->evaluator_options, "");
  assert_string_equal(c->strategy, "random@1");
  assert_string_equal(c->strategy_options, "unique=false\n");
  assert_int_equal(c->seed, 7);
  assert_string_equal(c->program, "0.1.0+abc");
  assert_string_equal(c->machine, "cpu \"x\", gcc 12");
  assert_string_equal(c->dataset.name, "shapes@1");
  assert_string_equal(c->dataset.options, "classes=4\n");
  assert_string_equal(c->dataset.digest, "d1");
  assert_string_equal(c->dataset.split, "s1");
  assert_int_equal(c->dataset.n_train, 100);
  assert_int_equal(c->dataset.n_valid, 20);
  assert_int_equal(c->dataset.n_test, 30);
  assert_int_equal(c->dataset.channels, 1);
  assert_int_equal(c->dataset.height, 16);
  assert_int_equal(c->dataset.width, 12);
  assert_int_equal(c->dataset.classes, 4);
  assert_string_equal(c->recipe.name, "quick@1");
  assert_string_equal(c->recipe.options, "epochs=3\nlr=0.1\n");
  assert_string_equal(c->recipe.digest, "0e5641bc392faefccf2e39aefd8543fc08d61020edd1f46c16b9439449ebc23d");
  nas_db_campaign_free(c);
  assert_fails(nas_db_campaign_load(db, 99, &c, nas_test_err()), NAS_E_NOT_FOUND, "no campaign 99");
  nas_db_close(db);
}

static void figures_keep_their_bits(void **state) {
  (void)state;
  int64_t campaign;
  nas_db *db = fx_open(fx_path("t.db"), &campaign);
  for (uint64_t i = 0; i < 12; i++) fx_add(db, campaign, i, 5);
  nas_db_close(db);
  assert_ok(nas_db_open(fx_path("t.db"), NAS_DB_READ, &db, nas_test_err()));
  nas_db_trial *rows;
  size_t n;
  assert_ok(nas_db_trials(db, campaign, &rows, &n, nas_test_err()));
  assert_int_equal(n, 12);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(rows[i].number, i);
    assert_int_equal(rows[i].told, i);
    assert_int_equal(rows[i].asked_after, i / 2);
    assert_true(fx_intact(&rows[i], 5));
  }
  nas_db_trial *one;
  assert_ok(nas_db_trial_load(db, rows[4].id, &one, nas_test_err()));
  assert_int_equal(one->number, 4);
  assert_true(fx_intact(one, 5));
  nas_db_trial_free(one);
  nas_db_trials_free(rows, n);
  assert_fails(nas_db_trial_load(db, 1000, &one, nas_test_err()), NAS_E_NOT_FOUND, "no trial 1000");
  nas_db_close(db);
}

static void odd_numbers_survive(void **state) {
  (void)state;
  int64_t campaign, trial;
  int32_t attempt;
  bool recorded;
  nas_db *db = fx_open(fx_path("t.db"), &campaign);
  nas_db_ask ask = fx_ask(campaign, 0);
  ask.index = ask.class_id = ask.params = ask.macs = -1;
  ask.seed = INT64_MAX;
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 0, &attempt, nas_test_err()));
  nas_epoch e = {.epoch = 1,
                 .train_loss = (double)INFINITY,
                 .train_accuracy = 100,
                 .valid_loss = (double)NAN,
                 .valid_accuracy = 0,
                 .test_loss = 5e-324,
                 .test_accuracy = (double)NAN,
                 .seconds = 1.7976931348623157e308,
                 .valid_seconds = 0x1.fffffffffffffp-3};
  nas_result r = {.outcome = NAS_OUTCOME_DIVERGED};
  nas_fail(&r.cause, NAS_E_DIVERGED, "epoch 1", "the loss became \"NaN\" — stop");
  assert_ok(nas_result_add_epoch(&r, &e, nas_test_err()));
  assert_ok(nas_result_set_metric(&r, "latency", (double)NAN, nas_test_err()));
  assert_ok(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()));
  nas_db_trial *t;
  assert_ok(nas_db_trial_load(db, trial, &t, nas_test_err()));
  assert_true(nas_epoch_same(&t->result.epochs[0], &e));
  assert_memory_equal(&t->result.epochs[0].seconds, &e.seconds, sizeof(double));
  assert_memory_equal(&t->result.epochs[0].valid_seconds, &e.valid_seconds, sizeof(double));
  assert_int_equal(t->result.n_metrics, 1);
  assert_true(isnan(t->result.metrics[0].value));
  assert_int_equal(t->result.outcome, NAS_OUTCOME_DIVERGED);
  assert_int_equal(t->result.cause.code, NAS_E_DIVERGED);
  assert_string_equal(t->result.cause.where, "epoch 1");
  assert_string_equal(t->result.cause.msg, "the loss became \"NaN\" — stop");
  assert_true(t->index == -1 && t->class_id == -1 && t->params == -1 && t->macs == -1);
  assert_true(t->seed == INT64_MAX);
  nas_db_trial_free(t);
  nas_result_free(&r);
  nas_db_close(db);
  assert_string_equal(fx_shell(fx_path("t.db"), "SELECT \"index\" IS NULL, class IS NULL FROM architecture"), "1|1");
  assert_string_equal(fx_shell(fx_path("t.db"), "SELECT valid_loss IS NULL, train_loss FROM epoch"), "1|Inf");
  assert_string_equal(fx_shell(fx_path("t.db"), "SELECT value IS NULL FROM metric"), "1");
}

static void numbers_beyond_63_bits_are_refused(void **state) {
  (void)state;
  int64_t campaign, trial;
  nas_db *db = fx_open(fx_path("t.db"), &campaign);
  nas_db_ask ask = fx_ask(campaign, 0);
  ask.seed = (uint64_t)INT64_MAX + 1;
  assert_fails(nas_db_trial_add(db, &ask, &trial, nas_test_err()), NAS_E_OUT_OF_RANGE, "seed 9223372036854775808");
  nas_db_campaign c = fx_campaign(UINT64_MAX);
  assert_fails(nas_db_campaign_add(db, &c, &campaign, nas_test_err()), NAS_E_OUT_OF_RANGE, "seed");
  nas_db_close(db);
}

static void equal_content_is_stored_once(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  int64_t first, again, other;
  nas_db *db = fx_open(path, &first);
  nas_db_campaign c = fx_campaign(7);
  assert_ok(nas_db_campaign_add(db, &c, &again, nas_test_err())); /* holds no trial yet: the same one */
  assert_int_equal(again, first);
  for (uint64_t i = 0; i < 10; i++) fx_add(db, first, i, 1);
  assert_ok(nas_db_campaign_add(db, &c, &again, nas_test_err())); /* a repetition is a campaign of its own */
  assert_true(again != first);
  c = fx_campaign(8);
  c.dataset.split = "s2";
  c.recipe.options = "epochs=4\n";
  c.recipe.digest = "";
  assert_ok(nas_db_campaign_add(db, &c, &other, nas_test_err()));
  fx_add(db, other, 0, 1);
  nas_db_close(db);
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM campaign"), "3");
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM dataset"), "2");
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM recipe"), "2");
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM architecture"), "5");
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM trial"), "11");
}

static void finish_is_guarded_by_the_attempt(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  int64_t campaign, trial;
  int32_t first, second;
  bool recorded;
  nas_db *db = fx_open(path, &campaign);
  nas_db_ask ask = fx_ask(campaign, 3);
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 1, &first, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 2, &second, nas_test_err()));
  assert_int_equal(first, 1);
  assert_int_equal(second, 2);
  nas_result late = fx_result(99, 2), good = fx_result(3, 3);
  assert_ok(nas_db_trial_finish(db, trial, first, &late, &recorded, nas_test_err()));
  assert_false(recorded); /* a later attempt has begun */
  assert_ok(nas_db_trial_finish(db, trial, second, &good, &recorded, nas_test_err()));
  assert_true(recorded);
  assert_ok(nas_db_trial_finish(db, trial, second, &late, &recorded, nas_test_err()));
  assert_false(recorded); /* finished already */
  assert_fails(nas_db_trial_start(db, trial, 1, &first, nas_test_err()), NAS_E_MISMATCH, "is finished");
  assert_fails(nas_db_trial_finish(db, 77, 1, &good, &recorded, nas_test_err()), NAS_E_NOT_FOUND, "no trial 77");
  assert_fails(nas_db_trial_start(db, 77, 1, &first, nas_test_err()), NAS_E_NOT_FOUND, "no trial 77");
  nas_db_trial *t;
  assert_ok(nas_db_trial_load(db, trial, &t, nas_test_err()));
  assert_true(fx_intact(t, 3));
  assert_int_equal(t->worker, 2);
  assert_int_equal(t->told, 0);
  nas_db_trial_free(t);
  nas_result_free(&late);
  nas_result_free(&good);
  nas_db_close(db);
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM tell"), "1");
}

static void tells_are_numbered_in_order_of_finish(void **state) {
  (void)state;
  int64_t campaign, trial[4];
  int32_t attempt[4];
  bool recorded;
  nas_db *db = fx_open(fx_path("t.db"), &campaign);
  for (uint64_t i = 0; i < 4; i++) {
    nas_db_ask ask = fx_ask(campaign, i);
    assert_ok(nas_db_trial_add(db, &ask, &trial[i], nas_test_err()));
    assert_ok(nas_db_trial_start(db, trial[i], 1, &attempt[i], nas_test_err()));
  }
  static const int order[] = {2, 0, 3};
  for (int i = 0; i < 3; i++) {
    nas_result r = fx_result((uint64_t)order[i], 1);
    assert_ok(nas_db_trial_finish(db, trial[order[i]], attempt[order[i]], &r, &recorded, nas_test_err()));
    nas_result_free(&r);
  }
  nas_db_trial *rows;
  size_t n;
  assert_ok(nas_db_trials(db, campaign, &rows, &n, nas_test_err()));
  assert_int_equal(n, 4);
  assert_int_equal(rows[0].told, 1);
  assert_int_equal(rows[1].told, -1);
  assert_false(rows[1].finished);
  assert_int_equal(rows[2].told, 0);
  assert_int_equal(rows[3].told, 2);
  nas_db_trials_free(rows, n);
  nas_db_close(db);
}

static void a_failed_write_spoils_its_transaction(void **state) {
  (void)state;
  int64_t campaign, trial;
  nas_db *db = fx_open(fx_path("t.db"), &campaign);
  fx_add(db, campaign, 0, 1);
  assert_ok(nas_db_begin(db, nas_test_err()));
  fx_add(db, campaign, 1, 1);
  nas_db_ask again = fx_ask(campaign, 0);
  assert_fails(nas_db_trial_add(db, &again, &trial, nas_test_err()), NAS_E_MISMATCH, "trial number 0 already");
  again.number = 2;
  assert_fails(nas_db_trial_add(db, &again, &trial, nas_test_err()), NAS_E_IO, "rolled it back");
  assert_fails(nas_db_commit(db, nas_test_err()), NAS_E_IO, "rolled back");
  nas_db_trial *rows;
  size_t n;
  assert_ok(nas_db_trials(db, campaign, &rows, &n, nas_test_err()));
  assert_int_equal(n, 1);
  nas_db_trials_free(rows, n);
  assert_ok(nas_db_begin(db, nas_test_err()));
  fx_add(db, campaign, 1, 1);
  assert_ok(nas_db_commit(db, nas_test_err()));
  assert_ok(nas_db_begin(db, nas_test_err()));
  fx_add(db, campaign, 2, 1);
  nas_db_rollback(db);
  nas_db_close(db);
  assert_string_equal(fx_shell(fx_path("t.db"), "SELECT count(*) FROM trial"), "2");
}

static void bad_rows_are_refused(void **state) {
  (void)state;
  int64_t campaign, trial;
  int32_t attempt;
  bool recorded;
  nas_db *db = fx_open(fx_path("t.db"), &campaign);
  nas_db_ask ask = fx_ask(campaign, 0);
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  ask.number = 1;
  ask.canonical = "other";
  assert_fails(nas_db_trial_add(db, &ask, &trial, nas_test_err()), NAS_E_MISMATCH, "another canonical form");
  ask = fx_ask(campaign + 5, 1);
  assert_fails(nas_db_trial_add(db, &ask, &trial, nas_test_err()), NAS_E_NOT_FOUND, "no campaign");
  ask = fx_ask(campaign, 1);
  ask.arch = "";
  assert_fails(nas_db_trial_add(db, &ask, &trial, nas_test_err()), NAS_E_BAD_INPUT, "empty");
  assert_ok(nas_db_trial_start(db, trial, 1, &attempt, nas_test_err()));
  nas_result r = fx_result(0, 3);
  r.epochs[1].epoch = 3; /* a gap */
  assert_fails(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()), NAS_E_BAD_INPUT, "epoch 3");
  assert_false(recorded);
  r.outcome = (nas_outcome)77;
  assert_fails(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()), NAS_E_BAD_INPUT, "no outcome");
  nas_result_free(&r);
  nas_db_trial *t;
  assert_ok(nas_db_trial_load(db, trial, &t, nas_test_err()));
  assert_false(t->finished);
  assert_int_equal(t->result.n_epochs, 0);
  nas_db_trial_free(t);
  nas_db_close(db);
}

/* Notes come back in order and whole; whoever may not see the table before may not see it with them in it. */
static void notes_are_kept_and_private(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  int64_t campaign;
  nas_db *db = fx_open(path, &campaign);
  struct stat st;
  const nas_note notes[] = {{1, "prompt", "Which \xc3\xa9?\n\"cell\"", -1, NAN},
                            {0, "prompt", "", -1, NAN},
                            {1, "answer", "|a~0|", 12, 0.25}};
  assert_int_equal(chmod(path, 0664), 0);
  for (int i = 0; i < 3; i++) assert_ok(nas_db_note_add(db, campaign, &notes[i], nas_test_err()));
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  char wal[4200];
  snprintf(wal, sizeof wal, "%s-wal", path);
  assert_int_equal(stat(wal, &st), 0);
  assert_int_equal(st.st_mode & 077, 0);
  assert_ok(nas_db_snapshot(db, fx_path("t.snapshot"), nas_test_err()));
  assert_int_equal(stat(fx_path("t.snapshot"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  nas_notes back = {0};
  assert_ok(nas_db_notes(db, campaign, &back, nas_test_err()));
  assert_int_equal(back.n, 3);
  const int order[] = {1, 0, 2};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(back.rows[i].number, notes[order[i]].number);
    assert_string_equal(back.rows[i].kind, notes[order[i]].kind);
    assert_string_equal(back.rows[i].text, notes[order[i]].text);
    assert_int_equal(back.rows[i].tokens, notes[order[i]].tokens);
  }
  assert_true(back.rows[2].seconds == 0.25 && isnan(back.rows[1].seconds));
  nas_notes_free(&back);
  const nas_note stray = {0, "prompt", "x", -1, NAN};
  assert_true(nas_db_note_add(db, campaign + 9, &stray, nas_test_err()) != NAS_OK);
  nas_db_close(db);
}

NAS_SUITE(DbRecord, NAS_CASE(campaign_reads_back_as_recorded), NAS_CASE(figures_keep_their_bits),
          NAS_CASE(odd_numbers_survive), NAS_CASE(numbers_beyond_63_bits_are_refused),
          NAS_CASE(equal_content_is_stored_once), NAS_CASE(finish_is_guarded_by_the_attempt),
          NAS_CASE(tells_are_numbered_in_order_of_finish), NAS_CASE(a_failed_write_spoils_its_transaction),
          NAS_CASE(bad_rows_are_refused), NAS_CASE(notes_are_kept_and_private))
