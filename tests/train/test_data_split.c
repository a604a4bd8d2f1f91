/* Splits and subsets: their sizes, their balance, their nesting; and the split files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "train/data/dataset.h"
#include "train/data/parts.h"

/* Opens `shapes` (or another set) with "key=value\n" lines. */
static nas_status open_with(const char *name, const char *dirs, const char *lines, nas_dataset **out) {
  nas_settings s = {0};
  nas_status status = nas_settings_parse(&s, lines, "test", nas_test_err());
  if (status == NAS_OK) status = nas_dataset_open(name, &s, dirs, out, nas_test_err());
  nas_settings_free(&s);
  return status;
}

static void count_classes(const nas_dataset *d, nas_split split, int64_t counts[10]) {
  int64_t n;
  const uint32_t *list = nas_dataset_split(d, split, &n);
  memset(counts, 0, 10 * sizeof *counts);
  for (int64_t i = 0; i < n; i++) counts[d->labels[list[i]]]++;
}

static bool contains(const uint32_t *list, int64_t n, uint32_t wanted) {
  for (int64_t i = 0; i < n; i++)
    if (list[i] == wanted) return true;
  return false;
}

static void splits_are_disjoint_and_complete(void **state) {
  (void)state;
  nas_dataset *d;
  assert_ok(open_with("shapes", NULL, "images=1200\n", &d));
  assert_int_equal(d->n_train, 800);
  assert_int_equal(d->n_valid, 200);
  assert_int_equal(d->n_test, 200);
  uint8_t seen[1200] = {0};
  for (int s = NAS_SPLIT_TRAIN; s <= NAS_SPLIT_TEST; s++) {
    int64_t n;
    const uint32_t *list = nas_dataset_split(d, (nas_split)s, &n);
    for (int64_t i = 0; i < n; i++) {
      assert_in_range(list[i], 0, 1199);
      assert_true(i == 0 || list[i] > list[i - 1]);
      seen[list[i]]++;
    }
  }
  for (int i = 0; i < 1200; i++) assert_int_equal(seen[i], 1);
  nas_dataset_close(d);
}

/* Every class has its share within one image, whatever the sizes. */
static void splits_are_stratified(void **state) {
  (void)state;
  static const int sizes[][2] = {{0, 0}, {800, 200}, {77, 33}, {8, 8}, {500, 500}, {1, 999}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char lines[96];
    nas_dataset *d;
    snprintf(lines, sizeof lines, "images=1200\nclasses=5\ntrain-images=%d\nvalid-images=%d\n", sizes[i][0],
             sizes[i][1]);
    assert_ok(open_with("shapes", NULL, lines, &d));
    for (int s = NAS_SPLIT_TRAIN; s <= NAS_SPLIT_VALID; s++) {
      int64_t counts[10], n;
      nas_dataset_split(d, (nas_split)s, &n);
      if (sizes[i][s]) assert_int_equal(n, sizes[i][s]);
      count_classes(d, (nas_split)s, counts);
      for (int c = 0; c < 5; c++) assert_true(llabs(counts[c] * 5 - n) <= 5);
    }
    nas_dataset_close(d);
  }
}

/* A larger subset holds each smaller one of the same seed. */
static void subsets_are_nested(void **state) {
  (void)state;
  static const char *const keys[] = {"train-images", "valid-images", "test-images"};
  for (int s = NAS_SPLIT_TRAIN; s <= NAS_SPLIT_TEST; s++) {
    nas_dataset *small, *large;
    char lines[96];
    snprintf(lines, sizeof lines, "images=1200\nsplit-seed=4\n%s=31\n", keys[s]);
    assert_ok(open_with("shapes", NULL, lines, &small));
    snprintf(lines, sizeof lines, "images=1200\nsplit-seed=4\n%s=90\n", keys[s]);
    assert_ok(open_with("shapes", NULL, lines, &large));
    int64_t n, m;
    const uint32_t *a = nas_dataset_split(small, (nas_split)s, &n), *b = nas_dataset_split(large, (nas_split)s, &m);
    assert_int_equal(n, 31);
    assert_int_equal(m, 90);
    for (int64_t i = 0; i < n; i++) assert_true(contains(b, m, a[i]));
    nas_dataset_close(small);
    nas_dataset_close(large);
  }
}

static void the_seed_makes_the_split(void **state) {
  (void)state;
  nas_dataset *a, *b, *c;
  assert_ok(open_with("shapes", NULL, "images=1200\nsplit-seed=1\n", &a));
  assert_ok(open_with("shapes", NULL, "images=1200\nsplit-seed=1\n", &b));
  assert_ok(open_with("shapes", NULL, "images=1200\nsplit-seed=2\n", &c));
  assert_string_equal(a->split, b->split);
  assert_string_not_equal(a->split, c->split);
  assert_string_equal(a->digest, c->digest);
  int64_t same = 0;
  for (int64_t i = 0; i < c->n_valid; i++) same += contains(a->valid, a->n_valid, c->valid[i]);
  assert_in_range(same, 10, 80); /* 200 of 1000 by chance: 40 expected */
  nas_dataset_close(a);
  nas_dataset_close(b);
  nas_dataset_close(c);
}

static void too_large_subsets_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *lines, *part;
  } rows[] = {
      {"images=1200\ntrain-images=1001\n", "train-images of data set shapes is 1001; only 1000 images are available"},
      {"images=1200\nvalid-images=5000\n", "valid-images of data set shapes is 5000"},
      {"images=1200\ntest-images=201\n", "test-images of data set shapes is 201; only 200"},
      {"images=1200\ntrain-images=900\n", "1000 images for train-images (900) and valid-images (200) together"},
      {"images=1200\ntrain-images=-1\n", "0.."},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_dataset *d = (nas_dataset *)1;
    assert_fails(open_with("shapes", NULL, rows[i].lines, &d), NAS_E_OUT_OF_RANGE, rows[i].part);
    assert_null(d);
  }
}

/* mean and standard deviation against the plain two-pass formula */
static void normalisation_is_of_the_training_images(void **state) {
  (void)state;
  nas_dataset *d;
  assert_ok(open_with("shapes", NULL, "images=1200\ntrain-images=100\n", &d));
  double sum = 0, squares = 0, count = 100 * 256;
  for (int i = 0; i < 100; i++)
    for (int p = 0; p < 256; p++) sum += d->pixels[d->train[i] * 256 + (uint32_t)p] / 255.0;
  for (int i = 0; i < 100; i++)
    for (int p = 0; p < 256; p++) {
      double off = d->pixels[d->train[i] * 256 + (uint32_t)p] / 255.0 - sum / count;
      squares += off * off;
    }
  assert_close(d->mean[0], sum / count, 1e-12);
  assert_close(d->std[0] * d->std[0], squares / count, 1e-12);
  nas_dataset_close(d);
}

/* ---- split files ---- */

typedef struct lists {
  uint32_t *train, *valid;
  int64_t n_train, n_valid;
} lists;

static nas_status parse(const char *text, int64_t limit, lists *l) {
  return nas_split_file_parse(text, "s.txt", limit, &l->train, &l->n_train, &l->valid, &l->n_valid, nas_test_err());
}

static void reads_both_forms_of_split_files(void **state) {
  (void)state;
  static const char *const texts[] = {
      "{\"train\": [0, 5, 7], \"valid\": [1, 2]}",
      "{\n  \"train\"  : [\"int\"   , [\"0\", \"5\", \"7\"]],\n  \"valid\"  : [\"int\"   , [\"1\", \"2\"]]\n}",
      "{\"valid\":[1,2],\"train\":[[0],[5,7]]}\n",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    lists l;
    assert_ok(parse(texts[i], 8, &l));
    assert_int_equal(l.n_train, 3);
    assert_int_equal(l.n_valid, 2);
    assert_memory_equal(l.train, ((const uint32_t[]){0, 5, 7}), 12);
    assert_memory_equal(l.valid, ((const uint32_t[]){1, 2}), 8);
    free(l.train);
    free(l.valid);
  }
}

static void bad_split_files(void **state) {
  (void)state;
  static const struct {
    const char *text, *where, *part;
  } rows[] = {
      {"", "s.txt:1:1", "begins with '{'"},
      {"[1]", "s.txt:1:1", "begins with '{'"},
      {"{", "s.txt:1:2", "ends before its '}'"},
      {"{\"train\": [1, 8], \"valid\": [2]}", "s.txt:1:15", "image 8 is outside 0..7"},
      {"{\"train\": [1],\n \"valid\": [\"-1\"]}", "s.txt:2:12", "image -1 is outside"},
      {"{\"train\": [1, 2],\n \"valid\": [3, 2]}", "s.txt:2:15", "image 2 stands in the split twice"},
      {"{\"train\": [1, 1], \"valid\": [2]}", "s.txt:1:15", "image 1 stands in the split twice"},
      {"{\"train\": [\"float\", [1]], \"valid\": [2]}", "s.txt:1:12", "'float' is not an image number"},
      {"{\"train\": [1.5], \"valid\": [2]}", "s.txt:1:12", "'1.5' is not"},
      {"{\"train\": [1, 2", "s.txt:1:16", "ends inside a list"},
      {"{\"train\": [1, {", "s.txt:1:15", "'{' is not an image number"},
      {"{\"train\": [1, \"2], \"valid\": []}", "s.txt", ""},
      {"{\"train\": 3}", "s.txt:1:11", "a list '[...]' of image numbers"},
      {"{train: [3]}", "s.txt:1:2", "a quoted name"},
      {"{\"xvalid\": [3]}", "s.txt:1:2", "'xvalid' is not a list of a split file"},
      {"{\"train\": [1], \"train\": [2]}", "s.txt:1:16", "stands in the file twice"},
      {"{\"train\": [1]}", "s.txt", "no images under \"valid\""},
      {"{\"train\": [], \"valid\": [1]}", "s.txt", "no images under \"train\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    lists l;
    assert_fails(parse(rows[i].text, 8, &l), NAS_E_BAD_INPUT, rows[i].part);
    assert_non_null(strstr(nas_test_err()->where, rows[i].where));
    assert_null(l.train);
    assert_null(l.valid);
  }
}

/* The published CIFAR-10 split of NAS-Bench-201; sums taken with Python. */
static void reads_the_published_cifar_split(void **state) {
  (void)state;
  char *text;
  size_t n;
  lists l;
  assert_ok(nas_file_read(nas_shared_file("data/nb201/splits/cifar-split.txt"), 1 << 20, &text, &n, nas_test_err()));
  assert_ok(parse(text, 50000, &l));
  assert_int_equal(l.n_train, 25000);
  assert_int_equal(l.n_valid, 25000);
  int64_t train = 0, valid = 0;
  for (int i = 0; i < 25000; i++) train += l.train[i], valid += l.valid[i];
  assert_int_equal(train, 623618849);
  assert_int_equal(valid, 626356151);
  assert_int_equal(l.train[4], 13);
  assert_int_equal(l.valid[24999], 49999);
  free(l.train);
  free(l.valid);
  assert_fails(parse(text, 4000, &l), NAS_E_BAD_INPUT, "outside 0..3999");
  free(text);
}

static void a_split_file_makes_the_split(void **state) {
  (void)state;
  char path[128], lines[256];
  nas_dataset *d;
  nas_str text = {0};
  nas_str_add(&text, "{\"valid\": [");
  for (int i = 999; i >= 500; i--) nas_str_fmt(&text, "%d%s", i, i > 500 ? "," : "], \"train\": [");
  for (int i = 0; i < 480; i++) nas_str_fmt(&text, "\"%d\"%s", i, i < 479 ? "," : "]}");
  snprintf(path, sizeof path, "%s/split.txt", nas_test_folder());
  assert_ok(nas_file_write_atomic(path, text.s, text.len, nas_test_err()));
  nas_str_free(&text);
  snprintf(lines, sizeof lines, "images=1200\nsplit-file=%s\n", path);
  assert_ok(open_with("shapes", NULL, lines, &d));
  assert_int_equal(d->n_train, 480);
  assert_int_equal(d->n_valid, 500);
  for (uint32_t i = 0; i < 480; i++) assert_int_equal(d->train[i], i);
  for (uint32_t i = 0; i < 500; i++) assert_int_equal(d->valid[i], 500 + i);
  nas_dataset_close(d);
  snprintf(lines, sizeof lines, "images=1200\nsplit-file=%s\ntrain-images=80\n", path);
  assert_ok(open_with("shapes", NULL, lines, &d));
  int64_t counts[10];
  count_classes(d, NAS_SPLIT_TRAIN, counts);
  for (int c = 0; c < 8; c++) assert_int_equal(counts[c], 10);
  for (int64_t i = 0; i < d->n_train; i++) assert_in_range(d->train[i], 0, 479);
  nas_dataset_close(d);
  snprintf(lines, sizeof lines, "images=1200\nsplit-file=%s\nvalid-images=501\n", path);
  assert_fails(open_with("shapes", NULL, lines, &d), NAS_E_OUT_OF_RANGE, "only 500");
  snprintf(lines, sizeof lines, "images=600\nsplit-file=%s\n", path);
  assert_fails(open_with("shapes", NULL, lines, &d), NAS_E_BAD_INPUT, "outside 0..499");
  assert_fails(open_with("shapes", NULL, "split-file=/nonexistent.txt\n", &d), NAS_E_NOT_FOUND, "/nonexistent.txt");
}

NAS_SUITE(DataSplit, NAS_CASE(splits_are_disjoint_and_complete), NAS_CASE(splits_are_stratified),
          NAS_CASE(subsets_are_nested), NAS_CASE(the_seed_makes_the_split), NAS_CASE(too_large_subsets_are_refused),
          NAS_CASE(normalisation_is_of_the_training_images), NAS_CASE(reads_both_forms_of_split_files),
          NAS_CASE(bad_split_files), NAS_CASE(reads_the_published_cifar_split), NAS_CASE(a_split_file_makes_the_split))
