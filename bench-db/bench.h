#ifndef NAS_BENCH_DB_BENCH_H
#define NAS_BENCH_DB_BENCH_H
/* A table as a benchmark: its cells (architectures) numbered 0 .. n-1, and any metric as a flat array over them.
 *
 *   nas_bench *b;
 *   nas_bench_open("nb201.db", 0, &b, &err);
 *   nas_bench_where at = {.dataset = "cifar10-valid", .epochs = 200, .seed = NAS_BENCH_MEAN};
 *   const double *test;
 *   nas_bench_column(b, "test_accuracy", &at, &test, &err);
 *   size_t cell;
 *   nas_bench_find(b, "|nor_conv_3x3~0|+...", &cell, &err);
 *   printf("%.2f\n", test[cell]);
 *   nas_bench_close(b);
 *
 * Cells come in the order of their published index, where the space has one, else in the order they were recorded.
 * Nothing picks a seed at random: a column is of one seed, of the mean, or of the deviation, as asked. Which split a
 * figure is from is in its name (train_, valid_, test_) and in the slice (nas_bench_slice.splits). A figure that the
 * table does not hold is NaN. Reading never changes the file; one thread at a time may use an open table. */
#include "base/status.h"
#include "space/space.h"

typedef struct nas_bench nas_bench;

/* Instead of a seed. */
enum {
  NAS_BENCH_MEAN = -1, /* the published mean where there is one, else the mean over the seeds recorded */
  NAS_BENCH_STD = -2,  /* the sample standard deviation over the seeds recorded; NaN for fewer than two */
};

/* Opens a table for reading. `campaign` 0: all campaigns, which must be over one space with the same options; else
 * those whose space and options are this campaign's. Errors: as nas_db_open; NOT_FOUND for an empty table or no such
 * campaign; MISMATCH when there are several spaces. Free with nas_bench_close. */
nas_status nas_bench_open(const char *path, int64_t campaign, nas_bench **out, nas_err *err);
void nas_bench_close(nas_bench *b); /* NULL is fine; everything got from it dies with it */

/* ---- cells ---- */
typedef struct nas_bench_cell {
  const char *arch, *canonical; /* text and canonical form ("hash"); belong to the table */
  int64_t index, class_id;      /* published; -1 where the space has none */
  nas_arch genes;               /* n = 0 when this program does not have the space (nas_bench_space NULL) */
} nas_bench_cell;

size_t nas_bench_cells(const nas_bench *b);
/* cell < nas_bench_cells. */
const nas_bench_cell *nas_bench_cell_at(const nas_bench *b, size_t cell);
/* "nas-bench-201@1", and its options as key=value lines. */
const char *nas_bench_space_name(const nas_bench *b);
const char *nas_bench_space_options(const nas_bench *b);
/* The space opened with those options, or NULL when this program does not have it. Belongs to the table. */
nas_space *nas_bench_space(const nas_bench *b);

/* By text, or by a decimal index. NOT_FOUND when the table does not hold it; with the column of the fault when the text
 * is none of the space. */
nas_status nas_bench_find(const nas_bench *b, const char *arch, size_t *cell, nas_err *err);
/* The rest look up in constant time and without a message: false when absent. */
bool nas_bench_find_text(const nas_bench *b, const char *arch, size_t *cell);
bool nas_bench_find_index(const nas_bench *b, int64_t index, size_t *cell);
bool nas_bench_find_arch(const nas_bench *b, const nas_arch *genes, size_t *cell);
/* The first cell with this canonical form. */
bool nas_bench_find_hash(const nas_bench *b, const char *canonical, size_t *cell);

/* ---- metrics ---- */
typedef struct nas_bench_where {
  const char *dataset; /* with or without @version; NULL: the only one of the table */
  const char *recipe;  /* with or without @version; NULL: any, if that is one recipe */
  int64_t epochs;      /* of the training run: 12 and 200 are other runs in most tables. 0: the only one there is */
  int64_t epoch;       /* 0: figures of the end; k: of epoch k of the run's curve, for figures that curves have */
  int64_t seed;        /* a seed, NAS_BENCH_MEAN or NAS_BENCH_STD */
} nas_bench_where;

/* A metric of every cell: an array of nas_bench_cells values that belongs to the table, made at the first call with the
 * same arguments and found again later. Names: train_loss, train_accuracy, valid_loss, valid_accuracy, test_loss,
 * test_accuracy (percent, nats), seconds (training, all epochs), train_seconds_per_epoch, valid_seconds (one
 * evaluation), params, macs, or a name of the table `metric`. Errors: UNKNOWN_NAME for metric, data set or recipe;
 * NOT_FOUND when no cell has been trained so (the message lists what there is); MISMATCH when several data sets,
 * recipes or numbers of epochs fit and none was named. */
nas_status nas_bench_column(nas_bench *b, const char *metric, const nas_bench_where *where, const double **values,
                            nas_err *err);
/* One figure of one cell. Errors as above; *value NaN when this cell has none. */
nas_status nas_bench_value(nas_bench *b, size_t cell, const char *metric, const nas_bench_where *where, double *value,
                           nas_err *err);

/* What the table holds: finished trials with outcome ok by data set, recipe, epochs and seed. */
typedef struct nas_bench_slice {
  const char *dataset, *recipe; /* name@version */
  const char *splits[3];        /* the field's names of the images behind train_, valid_ and test_ figures */
  int64_t epochs, seed;         /* NAS_BENCH_MEAN: published means */
  size_t trials;
} nas_bench_slice;
/* In the order of data set, epochs and seed; *slices belongs to the table. */
nas_status nas_bench_slices(nas_bench *b, const nas_bench_slice **slices, size_t *n, nas_err *err);
#endif
