/* Train, valid and test: stratified by class, shuffled by the split seed, or as a split file says. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/data/parts.h"

enum { CLASSES_MAX = 256, SPLIT_FILE_LIMIT = 1 << 28 };

static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void sort(uint32_t *list, int64_t n) { qsort(list, (size_t)n, sizeof *list, by_number); }

static uint32_t *new_list(int64_t n) { return malloc((size_t)(n > 0 ? n : 1) * sizeof(uint32_t)); }

/* Sorts list by class and shuffles each class; class c lies at first[c]..first[c + 1]. `list` must be ascending, so
 * that the result depends on the set and the seed only. */
static void group(const nas_dataset *d, const uint32_t *list, int64_t n, uint32_t *grouped, int64_t *first) {
  int64_t fill[CLASSES_MAX];
  memset(first, 0, (CLASSES_MAX + 1) * sizeof *first);
  for (int64_t i = 0; i < n; i++) first[d->labels[list[i]] + 1]++;
  for (int c = 0; c < CLASSES_MAX; c++) first[c + 1] += first[c];
  memcpy(fill, first, sizeof fill);
  for (int64_t i = 0; i < n; i++) grouped[fill[d->labels[list[i]]]++] = list[i];
  for (int c = 0; c < d->task.classes; c++)
    nas_rng_shuffle(nas_rng_make((uint64_t)d->options.split_seed, (uint32_t)c, NAS_STREAM_SPLIT), 0, grouped + first[c],
                    (size_t)(first[c + 1] - first[c]));
}

/* Reorders an ascending list so that every prefix, and every suffix, holds the classes in the proportions of the whole
 * (within one image): image r of a class of m images stands at (r + 1/2) / m of the way. */
static nas_status stratify(const nas_dataset *d, uint32_t *list, int64_t n, nas_err *err) {
  uint32_t *grouped = new_list(n);
  if (!grouped) return nas_fail_memory(err, "a data-set split");
  int64_t first[CLASSES_MAX + 1], used[CLASSES_MAX] = {0};
  group(d, list, n, grouped, first);
  for (int64_t i = 0; i < n; i++) {
    int best = -1;
    int64_t best_size = 0;
    for (int c = 0; c < d->task.classes; c++) {
      int64_t size = first[c + 1] - first[c];
      if (used[c] == size) continue;
      /* (2 used + 1) / (2 size), compared without rounding */
      if (best >= 0 && (2 * used[c] + 1) * best_size >= (2 * used[best] + 1) * size) continue;
      best = c;
      best_size = size;
    }
    list[i] = grouped[first[best] + used[best]++];
  }
  free(grouped);
  return NAS_OK;
}

static nas_status too_many(const nas_dataset *d, const char *what, int64_t wanted, int64_t available, nas_err *err) {
  return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "%s of data set %s is %lld; only %lld images are available", what,
                  d->type->name, (long long)wanted, (long long)available);
}

/* Stratifies a list and keeps the first `wanted` (0: all), ascending. */
static nas_status keep_subset(const nas_dataset *d, const char *what, uint32_t *list, int64_t *n, int64_t wanted,
                              nas_err *err) {
  if (wanted > *n) return too_many(d, what, wanted, *n, err);
  sort(list, *n);
  if (wanted > 0 && wanted < *n) {
    NAS_TRY(stratify(d, list, *n, err));
    *n = wanted;
    sort(list, *n);
  }
  return NAS_OK;
}

static nas_status read_split_file(nas_dataset *d, nas_err *err) {
  char *text;
  size_t n;
  const char *path = d->options.split_file;
  NAS_TRY(nas_file_read(path, SPLIT_FILE_LIMIT, &text, &n, err));
  nas_status status =
      nas_split_file_parse(text, path, d->first_test, &d->train, &d->n_train, &d->valid, &d->n_valid, err);
  free(text);
  NAS_TRY(status);
  NAS_TRY(keep_subset(d, "train-images", d->train, &d->n_train, d->options.train_images, err));
  return keep_subset(d, "valid-images", d->valid, &d->n_valid, d->options.valid_images, err);
}

/* The sizes of train and valid out of a pool of n images. */
static nas_status choose_sizes(nas_dataset *d, int64_t n, nas_err *err) {
  int64_t train = d->type->default_train, valid = d->type->default_valid;
  if (train + valid != n) {
    valid = (n * valid + (train + valid) / 2) / (train + valid);
    if (valid == 0) valid = 1;
    train = n - valid;
  }
  d->n_train = d->options.train_images ? d->options.train_images : train;
  d->n_valid = d->options.valid_images ? d->options.valid_images : valid;
  if (d->n_train > n) return too_many(d, "train-images", d->n_train, n, err);
  if (d->n_valid > n) return too_many(d, "valid-images", d->n_valid, n, err);
  if (n < 2 || d->n_train < 1)
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "data set %s has %lld images to train and validate on; 2 are the least",
                    d->type->name, (long long)n);
  if (d->n_train + d->n_valid > n)
    return nas_fail(
        err, NAS_E_OUT_OF_RANGE, NULL,
        "data set %s has %lld images for train-images (%lld) and valid-images (%lld) together; set one lower",
        d->type->name, (long long)n, (long long)d->n_train, (long long)d->n_valid);
  return NAS_OK;
}

/* Takes train from the front and valid from the back of the pool's order. */
static nas_status split_pool(nas_dataset *d, uint32_t *pool, int64_t n, nas_err *err) {
  NAS_TRY(choose_sizes(d, n, err));
  NAS_TRY(stratify(d, pool, n, err));
  d->train = new_list(d->n_train);
  d->valid = new_list(d->n_valid);
  if (!d->train || !d->valid) return nas_fail_memory(err, "a data-set split");
  memcpy(d->train, pool, (size_t)d->n_train * sizeof *pool);
  memcpy(d->valid, pool + n - d->n_valid, (size_t)d->n_valid * sizeof *pool);
  sort(d->train, d->n_train);
  sort(d->valid, d->n_valid);
  return NAS_OK;
}

/* The published test set, or else the last sixth of the pool's order, which leaves the pool. */
static nas_status take_test(nas_dataset *d, uint32_t *pool, int64_t *n_pool, nas_err *err) {
  bool cut = d->first_test == d->n;
  d->n_test = cut ? d->n / 6 : d->n - d->first_test;
  d->test = new_list(d->n_test);
  if (!d->test) return nas_fail_memory(err, "a data-set split");
  if (cut) {
    NAS_TRY(stratify(d, pool, *n_pool, err));
    *n_pool -= d->n_test;
    memcpy(d->test, pool + *n_pool, (size_t)d->n_test * sizeof *pool);
    sort(pool, *n_pool);
  } else {
    for (int64_t i = 0; i < d->n_test; i++) d->test[i] = (uint32_t)(d->first_test + i);
  }
  return keep_subset(d, "test-images", d->test, &d->n_test, d->options.test_images, err);
}

static void add_list(nas_sha256 *h, const uint32_t *list, int64_t n) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)n >> 8 * i);
  nas_sha256_add(h, bytes, 8);
  for (int64_t i = 0; i < n; i++) {
    for (int b = 0; b < 4; b++) bytes[b] = (uint8_t)(list[i] >> 8 * b);
    nas_sha256_add(h, bytes, 4);
  }
}

static nas_status digest_split(nas_dataset *d, nas_err *err) {
  nas_sha256 *h;
  NAS_TRY(nas_sha256_begin(&h, err));
  add_list(h, d->train, d->n_train);
  add_list(h, d->valid, d->n_valid);
  add_list(h, d->test, d->n_test);
  nas_sha256_end(h, d->split);
  return NAS_OK;
}

static nas_status make(nas_dataset *d, uint32_t *pool, nas_err *err) {
  int64_t n_pool = d->first_test;
  for (int64_t i = 0; i < n_pool; i++) pool[i] = (uint32_t)i;
  if (d->options.split_file[0]) {
    if (d->first_test == d->n)
      return nas_fail(err, NAS_E_UNSUPPORTED, d->options.split_file,
                      "a split file needs the published test set of %s, whose files are not here", d->type->name);
    NAS_TRY(read_split_file(d, err));
    NAS_TRY(take_test(d, pool, &n_pool, err));
  } else {
    NAS_TRY(take_test(d, pool, &n_pool, err));
    NAS_TRY(split_pool(d, pool, n_pool, err));
  }
  return digest_split(d, err);
}

nas_status nas_dataset_make_split(nas_dataset *d, nas_err *err) {
  uint32_t *pool = new_list(d->first_test);
  if (!pool) return nas_fail_memory(err, "a data-set split");
  nas_status status = make(d, pool, err);
  free(pool);
  return status;
}
