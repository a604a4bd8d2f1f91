/* How large a full benchmark table gets and how fast results are recorded: a synthetic table of every NAS-Bench-201
 * cell on three data sets with three seeds, 200 epochs each, 28 million epoch rows; and single trials, each in a
 * durable transaction of its own. The figures have the digits of measured ones: accuracies are counted over images,
 * losses and times are arbitrary doubles. */
#include <fcntl.h>
#include <math.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "bench-db/bench-db.h"
#include "space/space.h"

typedef struct settings {
  char *file;
  int cells, epochs, ingest;
} settings;

static const char *const names[] = {"cifar10-valid@1", "cifar100@1", "ImageNet16-120@1"};

static nas_db_campaign campaign_of(const nas_space *space, int dataset, const nas_str *options) {
  (void)space;
  return (nas_db_campaign){.name = "synthetic",
                           .config = "",
                           .space = "nas-bench-201@1",
                           .space_options = nas_str_text(options),
                           .evaluator = "synthetic@1",
                           .evaluator_options = "",
                           .strategy = "enumerate@1",
                           .strategy_options = "",
                           .program = "bench-table",
                           .machine = "none",
                           .dataset = {.name = names[dataset],
                                       .options = "",
                                       .digest = names[dataset],
                                       .split = "",
                                       .n_train = 25000,
                                       .n_valid = 25000,
                                       .n_test = 10000,
                                       .channels = 3,
                                       .height = 32,
                                       .width = 32,
                                       .classes = 10,
                                       .splits = {"train", "x-valid", dataset ? "x-test" : "ori-test"}},
                           .recipe = {.name = "synthetic@1", .options = "", .digest = ""}};
}

static nas_status make_curve(nas_result *r, int epochs, nas_rng rng, nas_err *err) {
  nas_result_free(r);
  *r = (nas_result){.outcome = NAS_OUTCOME_OK};
  double top = 40 + 55 * nas_rng_unit(rng, 0), pace = 5 + 30 * nas_rng_unit(rng, 1);
  double per_epoch = 20 + nas_rng_unit(rng, 2), per_evaluation = 2 + nas_rng_unit(rng, 3);
  for (int e = 0; e < epochs; e++) {
    uint64_t at = 8 * (uint64_t)e + 8;
    double grown = top * (1 - exp(-(e + 1) / pace));
    nas_epoch row = {.epoch = e + 1, .seconds = per_epoch, .valid_seconds = per_evaluation};
    double *accuracies[] = {&row.train_accuracy, &row.valid_accuracy, &row.test_accuracy};
    double *losses[] = {&row.train_loss, &row.valid_loss, &row.test_loss};
    static const double images[] = {25000, 25000, 10000};
    for (int k = 0; k < 3; k++) {
      double share = fmin(1, fmax(0, (grown + 3 * nas_rng_unit(rng, at + (uint64_t)k)) / 100));
      *accuracies[k] = 100.0 * nearbyint(share * images[k]) / images[k];
      if (k == 0) *accuracies[0] = 100 * share; /* a mean over batches */
      *losses[k] = 3 * (1 - share) + 0.1 * nas_rng_unit(rng, at + 3 + (uint64_t)k);
    }
    NAS_TRY(nas_result_add_epoch(r, &row, err));
  }
  return NAS_OK;
}

/* One trial from its ask to its end. */
static nas_status add_trial(nas_db *db, const nas_space *space, int64_t campaign, uint64_t number, uint64_t cell,
                            uint64_t seed, const nas_result *r, nas_err *err) {
  nas_arch arch;
  char text[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  uint64_t class_id = 0;
  int64_t trial;
  int32_t attempt;
  bool recorded;
  NAS_TRY(nas_space_at(space, cell, &arch, err));
  NAS_TRY(nas_space_format(space, &arch, text, err));
  NAS_TRY(nas_space_canonical(space, &arch, canonical, err));
  nas_space_class(space, &arch, &class_id);
  const nas_db_ask ask = {.campaign = campaign,
                          .number = number,
                          .asked_after = number,
                          .arch = text,
                          .canonical = canonical,
                          .index = (int64_t)cell,
                          .class_id = (int64_t)class_id,
                          .seed = seed,
                          .params = -1,
                          .macs = -1};
  NAS_TRY(nas_db_trial_add(db, &ask, &trial, err));
  NAS_TRY(nas_db_trial_start(db, trial, 1, &attempt, err));
  return nas_db_trial_finish(db, trial, attempt, r, &recorded, err);
}

static nas_status fill(nas_db *db, const settings *s, nas_space *space, const nas_str *options, nas_err *err) {
  static const uint64_t seeds[] = {777, 888, 999};
  nas_result r = {0};
  nas_status status = NAS_OK;
  for (int d = 0; d < 3 && status == NAS_OK; d++) {
    int64_t campaign;
    uint64_t number = 0;
    const nas_db_campaign c = campaign_of(space, d, options);
    status = nas_db_campaign_add(db, &c, &campaign, err);
    if (status == NAS_OK) status = nas_db_begin(db, err);
    for (uint64_t cell = 0; cell < (uint64_t)s->cells; cell++)
      for (int k = 0; k < 3 && status == NAS_OK; k++, number++) {
        nas_rng rng = nas_rng_make(cell, (uint32_t)(3 * d + k), NAS_STREAM_RESAMPLE);
        status = make_curve(&r, s->epochs, rng, err);
        if (status == NAS_OK) status = add_trial(db, space, campaign, number, cell, seeds[k], &r, err);
      }
    if (status == NAS_OK) status = nas_db_commit(db, err);
  }
  nas_result_free(&r);
  return status;
}

/* What the disk allows: a page's worth of bytes added to a file and synced, over and over. */
static double syncs_per_second(const char *beside, int n) {
  char path[4200], bytes[4096] = {1};
  nas_text_put(path, sizeof path, "%s.sync", beside);
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  double start = nas_clock();
  int done = 0;
  while (fd >= 0 && done < n && write(fd, bytes, sizeof bytes) == sizeof bytes && fdatasync(fd) == 0) done++;
  double seconds = nas_clock() - start;
  if (fd >= 0) close(fd);
  unlink(path);
  return done / seconds;
}

/* Single trials, each result a durable transaction: asks and starts go before, as a campaign's do. */
static nas_status ingest(nas_db *db, const settings *s, nas_space *space, const nas_str *options, nas_err *err) {
  nas_result r = {0};
  int64_t campaign, first = 0;
  int32_t attempt;
  bool recorded;
  nas_db_campaign c = campaign_of(space, 0, options);
  c.name = "ingest";
  NAS_TRY(nas_db_campaign_add(db, &c, &campaign, err));
  NAS_TRY(make_curve(&r, 12, nas_rng_make(1, 1, NAS_STREAM_RESAMPLE), err));
  NAS_TRY(nas_db_begin(db, err));
  nas_status status = NAS_OK;
  for (int i = 0; i < s->ingest && status == NAS_OK; i++) {
    char text[32];
    int64_t trial;
    nas_text_put(text, sizeof text, "cell %d", i % 1000);
    const nas_db_ask ask = {.campaign = campaign,
                            .number = (uint64_t)i,
                            .arch = text,
                            .index = -1,
                            .class_id = -1,
                            .params = -1,
                            .macs = -1};
    status = nas_db_trial_add(db, &ask, &trial, err);
    if (i == 0) first = trial;
    if (status == NAS_OK) status = nas_db_trial_start(db, trial, 1, &attempt, err);
  }
  if (status == NAS_OK) status = nas_db_commit(db, err);
  double start = nas_clock();
  for (int i = 0; i < s->ingest && status == NAS_OK; i++)
    status = nas_db_trial_finish(db, first + i, attempt, &r, &recorded, err);
  double rate = s->ingest / (nas_clock() - start), disk = syncs_per_second(s->file, s->ingest < 500 ? s->ingest : 500);
  if (status == NAS_OK)
    printf("%d durable single-trial transactions of 12 epochs: %.0f/s, %.2f of the disk's %.0f syncs/s\n", s->ingest,
           rate, rate / disk, disk);
  nas_result_free(&r);
  return status;
}

static nas_status run(const settings *s, nas_err *err) {
  nas_space *space;
  nas_db *db;
  nas_str options = {0};
  NAS_TRY(nas_space_open("nas-bench-201", NULL, &space, err));
  nas_options_format(nas_space_type_of(space)->options, nas_space_options(space), &options);
  nas_status status = nas_db_open(s->file, NAS_DB_CREATE, &db, err);
  double start = nas_clock();
  if (status == NAS_OK) status = s->ingest ? ingest(db, s, space, &options, err) : fill(db, s, space, &options, err);
  nas_db_close(db);
  struct stat st;
  if (status == NAS_OK && !s->ingest && stat(s->file, &st) == 0)
    printf("%d cells x 3 data sets x 3 seeds x %d epochs = %.1f million epoch rows: %.1f s, %.3f GB\n", s->cells,
           s->epochs, 9e-6 * s->cells * s->epochs, nas_clock() - start, 1e-9 * (double)st.st_size);
  nas_str_free(&options);
  nas_space_close(space);
  return status;
}

int main(int argc, const char **argv) {
  settings s = {.cells = 15625, .epochs = 200};
  const struct poptOption flags[] = {
      {"file", 'f', POPT_ARG_STRING, &s.file, 0, "the table to make, or to record into", "FILE"},
      {"cells", 'n', POPT_ARG_INT, &s.cells, 0, "cells of the table (15625)", "N"},
      {"epochs", 'e', POPT_ARG_INT, &s.epochs, 0, "epochs of each trial (200)", "N"},
      {"ingest", 'i', POPT_ARG_INT, &s.ingest, 0, "record so many trials instead", "N"},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext popt = poptGetContext(NULL, argc, argv, flags, 0);
  nas_err err = {0};
  if (poptGetNextOpt(popt) != -1 || !s.file || s.cells < 1 || s.cells > 15625 || s.epochs < 1) {
    poptPrintUsage(popt, stderr, 0);
    return 2;
  }
  nas_status status = run(&s, &err);
  if (status != NAS_OK) fprintf(stderr, "bench-table: %s: %s\n", err.where, err.msg);
  free(s.file);
  poptFreeContext(popt);
  return status != NAS_OK;
}
