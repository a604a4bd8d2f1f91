#ifndef NAS_BENCH_DB_BENCH_DB_H
#define NAS_BENCH_DB_BENCH_DB_H
/* The table: campaigns, trials, curves and metrics in one SQLite file that other programs can read without this one
 * (docs/schema.md). One connection writes: WAL, synchronous=FULL, an exclusive lock, so that what a call recorded
 * outlives any crash after it. A table that nobody writes is a single plain file; one that a killed process left is
 * completed by whoever opens it next. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/note.h"
#include "base/result.h"
#include "base/status.h"
#include "base/str.h"

typedef struct nas_db nas_db;

typedef enum nas_db_mode {
  NAS_DB_READ,   /* must exist; its content is never modified and no side files are left */
  NAS_DB_WRITE,  /* must exist */
  NAS_DB_CREATE, /* made when absent, opened for writing when present */
} nas_db_mode;

/* Errors: NOT_FOUND, DB_UNREADABLE (not SQLite, another application's, damaged), DB_VERSION, DB_BUSY (another process
 * writes; the message names PATH.snapshot when there is one), IO, NO_SPACE. */
nas_status nas_db_open(const char *path, nas_db_mode mode, nas_db **out, nas_err *err);
void nas_db_close(nas_db *db); /* merges the WAL into the file and removes it; NULL is fine */

/* Makes a table of an older schema version one of this; *from: the version it had. The file changes as a whole or, on
 * any error or crash, not at all. Errors: as nas_db_open. */
nas_status nas_db_migrate(const char *path, int *from, nas_err *err);

/* Groups writes into one durable transaction; not nested. A failed write inside rolls the whole back. */
nas_status nas_db_begin(nas_db *db, nas_err *err);
nas_status nas_db_commit(nas_db *db, nas_err *err);
void nas_db_rollback(nas_db *db);

/* ---- what a campaign was run with ---- */
typedef struct nas_db_dataset {
  const char *name;    /* "fashion-mnist@1" */
  const char *options; /* canonical key=value lines */
  const char *digest, *split;
  int64_t n_train, n_valid, n_test;
  int32_t channels, height, width, classes;
  const char
      *splits[3]; /* what the field calls the images of train_, valid_ and test_ figures; NULL: train, valid, test
                   */
} nas_db_dataset;

typedef struct nas_db_recipe {
  const char *name;    /* "nas-bench-201@1" */
  const char *options; /* canonical key=value lines */
  const char *digest;
} nas_db_recipe;

/* All texts borrowed on write. On read they belong to the row object. */
typedef struct nas_db_campaign {
  int64_t id;
  const char *name;                  /* the campaign file's name */
  const char *config;                /* resolved configuration as canonical "section.key=value" lines */
  const char *space, *space_options; /* "nas-bench-201@1", key=value lines */
  const char *evaluator, *evaluator_options;
  const char *strategy, *strategy_options;
  uint64_t seed;
  const char *program; /* version and commit */
  const char *machine; /* CPU model, compiler, library versions: what the bits depend on */
  nas_db_dataset dataset;
  nas_db_recipe recipe;
} nas_db_campaign;

/* Equal data sets and recipes are stored once. A campaign that equals one without any trial is that one; otherwise it
 * is a row of its own, for a repetition is an experiment too. OUT_OF_RANGE for a seed of more than 63 bits. */
nas_status nas_db_campaign_add(nas_db *db, const nas_db_campaign *campaign, int64_t *id, nas_err *err);

/* A row read from the table; free with nas_db_campaign_free. id 0 = the newest. NOT_FOUND when there is none. */
nas_status nas_db_campaign_load(nas_db *db, int64_t id, nas_db_campaign **out, nas_err *err);
void nas_db_campaign_free(nas_db_campaign *c);

/* ---- trials ---- */
/* A proposal, recorded before it is handed out. */
typedef struct nas_db_ask {
  int64_t campaign;
  uint64_t number;              /* ask number within the campaign, from 0 */
  uint64_t asked_after;         /* how many tells the strategy had had */
  const char *arch, *canonical; /* canonical NULL: the space has no canonical form, arch serves */
  int64_t index, class_id;      /* -1 where the space has none */
  uint64_t seed;
  int64_t params, macs;    /* of the network, known before training; -1 = unknown */
  int32_t attempt, worker; /* 1 and the worker when the first attempt begins at once; 0: it waits */
} nas_db_ask;
/* MISMATCH when the campaign has that number, or the table knows the architecture by another canonical form. */
nas_status nas_db_trial_add(nas_db *db, const nas_db_ask *ask, int64_t *trial, nas_err *err);

/* Begins an attempt: raises and returns the attempt number, notes the worker. MISMATCH when the trial is finished. */
nas_status nas_db_trial_start(nas_db *db, int64_t trial, int32_t worker, int32_t *attempt, nas_err *err);

/* Ends a trial with its curve and metrics and gives it the next tell number. Guarded by the attempt: when the trial is
 * finished already or a later attempt has begun, nothing changes and *recorded is false. */
nas_status nas_db_trial_finish(nas_db *db, int64_t trial, int32_t attempt, const nas_result *result, bool *recorded,
                               nas_err *err);

/* A trial as read. Free with nas_db_trials_free (the array) or nas_db_trial_free. */
typedef struct nas_db_trial {
  int64_t id, campaign;
  uint64_t number, asked_after, seed;
  int64_t told; /* tell order from 0; -1 = not finished */
  int32_t attempt, worker;
  bool finished;
  bool mean;              /* a published mean over seeds: there is no seed, and there may be no curve */
  char *arch, *canonical; /* owned */
  int64_t index, class_id, params, macs;
  nas_result result; /* owned; epochs and metrics only when loaded with them */
} nas_db_trial;

/* All trials of a campaign in ask order, with curves and metrics. */
nas_status nas_db_trials(nas_db *db, int64_t campaign, nas_db_trial **rows, size_t *n, nas_err *err);
void nas_db_trials_free(nas_db_trial *rows, size_t n);
/* One trial by id. */
nas_status nas_db_trial_load(nas_db *db, int64_t trial, nas_db_trial **out, nas_err *err);
void nas_db_trial_free(nas_db_trial *row);

/* ---- events: what happened to a campaign besides results (docs/schema.md lists the kinds) ---- */
typedef struct nas_db_event {
  int64_t campaign;
  const char *kind, *text;
  int64_t trial;  /* 0: none */
  int32_t worker; /* -1: none */
} nas_db_event;
/* Adds an event of now. */
nas_status nas_db_event_add(nas_db *db, const nas_db_event *event, nas_err *err);
/* How many events of this kind a trial has; trial 0: the whole campaign. */
nas_status nas_db_event_count(nas_db *db, int64_t campaign, const char *kind, int64_t trial, int64_t *n, nas_err *err);
/* How the newest campaign stands; all zero when the table holds none. */
typedef struct nas_db_standing {
  int64_t campaign, trials, told, failed; /* trials asked for, finished, and of these not ok */
  bool finished;                          /* its newest run went to the end of the budget */
  bool preempted;                         /* or was asked to stop */
  int64_t turn;                           /* number of the newest begin or end of a run: grows with each */
} nas_db_standing;
nas_status nas_db_standing_read(nas_db *db, nas_db_standing *out, nas_err *err);

/* ---- notes of a strategy ---- */
/* Adds one to the transcript of a campaign, after those of the same ask. From then on only its owner may read the
 * table: the file loses the permissions of group and others. */
nas_status nas_db_note_add(nas_db *db, int64_t campaign, const nas_note *note, nas_err *err);
/* Adds all notes of a campaign to a list, by ask and in their order. */
nas_status nas_db_notes(nas_db *db, int64_t campaign, nas_notes *out, nas_err *err);

/* Copies a consistent snapshot to `path` (VACUUM INTO a temporary name, then rename); who may read the table may
 * read it. */
nas_status nas_db_snapshot(nas_db *db, const char *path, nas_err *err);

/* ---- questions (see query.h for the rest of the room: best, query, curve, export, verify, sql) ---- */
#endif
