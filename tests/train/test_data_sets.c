/* The data sets against facts taken from the same files with Python, and what happens to damaged ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "train/data/dataset.h"

static const char fashion_folder[] = "/usr/share/datasets/fashion-mnist";

static nas_status open_in(const char *name, const char *dirs, nas_dataset **out) {
  return nas_dataset_open(name, NULL, dirs, out, nas_test_err());
}

/* Digests by hashlib over five little-endian 64-bit numbers (n, c, h, w, maximum), the pixels and the labels. */
typedef struct facts {
  const char *digest;
  int64_t n, train, valid, test;
  int labels[10];      /* of the first images */
  int test_labels[10]; /* of the first images of the test set */
  int64_t counts[10];  /* per class, of all but the published test set */
  int64_t test_counts[10];
  double mean, std; /* of all but the published test set, after division */
} facts;

static void check_facts(const nas_dataset *d, const facts *f) {
  assert_string_equal(d->digest, f->digest);
  assert_int_equal(d->n, f->n);
  assert_int_equal(d->n_train, f->train);
  assert_int_equal(d->n_valid, f->valid);
  assert_int_equal(d->n_test, f->test);
  int64_t counts[10] = {0}, test_counts[10] = {0};
  for (int64_t i = 0; i < d->n; i++) (i < d->first_test ? counts : test_counts)[d->labels[i]]++;
  for (int i = 0; i < 10; i++) {
    assert_int_equal(d->labels[i], f->labels[i]);
    assert_int_equal(counts[i], f->counts[i]);
    assert_int_equal(test_counts[i], f->test_counts[i]);
    if (d->first_test < d->n) assert_int_equal(d->labels[d->first_test + i], f->test_labels[i]);
  }
  /* The training split is most of it. */
  assert_close(d->mean[0], f->mean, 0.004);
  assert_close(d->std[0], f->std, 0.004);
}

static void fashion_mnist_is_the_published_one(void **state) {
  (void)state;
  static const facts f = {
      .digest = "3e6dd873362dc43d1747f58e2fdc781ae87bad1fe90a2f1d3fa1dda2fa4802dc",
      .n = 70000,
      .train = 50000,
      .valid = 10000,
      .test = 10000,
      .labels = {9, 0, 0, 3, 0, 2, 7, 2, 5, 5},
      .test_labels = {9, 2, 1, 1, 6, 1, 4, 6, 5, 7},
      .counts = {6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000},
      .test_counts = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000},
      .mean = 0.2860405969887955,
      .std = 0.3530242445149223,
  };
  if (!nas_file_exists(fashion_folder)) nas_skip("no %s: install dataset-fashion-mnist", fashion_folder);
  nas_dataset *d;
  double began = nas_clock();
  assert_ok(open_in("fashion-mnist", fashion_folder, &d));
  assert_true(nas_clock() - began < 10);
  check_facts(d, &f);
  int64_t sum = 0;
  for (int p = 0; p < 784; p++) sum += d->pixels[p];
  assert_int_equal(sum, 76247);
  int64_t counts[2][10] = {{0}};
  for (int64_t i = 0; i < d->n_train; i++) counts[0][d->labels[d->train[i]]]++;
  for (int64_t i = 0; i < d->n_valid; i++) counts[1][d->labels[d->valid[i]]]++;
  for (int c = 0; c < 10; c++) {
    assert_int_equal(counts[0][c], 5000);
    assert_int_equal(counts[1][c], 1000);
  }
  nas_dataset_close(d);
}

static void mnist_is_the_published_one(void **state) {
  (void)state;
  static const facts f = {
      .digest = "17d665589c3a965c896533e1ae2fc90beda10d1fd09eaaa8327f8ac51deedd82",
      .n = 70000,
      .train = 50000,
      .valid = 10000,
      .test = 10000,
      .labels = {5, 0, 4, 1, 9, 2, 1, 3, 1, 4},
      .test_labels = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9},
      .counts = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
      .test_counts = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009},
      .mean = 0.1306604762738429,
      .std = 0.30810780385646264,
  };
  nas_dataset *d;
  assert_ok(open_in("mnist", nas_shared_file("data"), &d));
  check_facts(d, &f);
  nas_dataset_close(d);
}

static void optdigits_is_the_published_one(void **state) {
  (void)state;
  static const facts f = {
      .digest = "1200b3fa5812da3e683e2c42c9e40c41e02c5013261171d1f800ad56eedce55f",
      .n = 5620,
      .train = 3058,
      .valid = 765,
      .test = 1797,
      .labels = {0, 0, 7, 4, 6, 2, 5, 5, 0, 8},
      .test_labels = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
      .counts = {376, 389, 380, 389, 387, 376, 377, 387, 380, 382},
      .test_counts = {178, 182, 177, 183, 181, 182, 181, 179, 174, 180},
      .mean = 1204758 / (3823.0 * 64 * 16),
      .std = 0.3772,
  };
  nas_dataset *d;
  assert_ok(open_in("optdigits", nas_shared_file("data"), &d));
  assert_true(d->pixel_max == 16);
  check_facts(d, &f);
  nas_dataset_close(d);
}

/* Part of CIFAR-10 without the test file: a sixth is set aside. */
static void cifar10_reads_a_part(void **state) {
  (void)state;
  static const facts f = {
      .digest = "bb0ab74920e19d704177ef46362984f31cba6f98bd8f4768543b26e95543a32c",
      .n = 4000,
      .train = 3001,
      .valid = 333,
      .test = 666,
      .labels = {6, 9, 9, 4, 1, 1, 2, 7, 8, 3},
      .counts = {396, 366, 420, 384, 422, 393, 414, 385, 407, 413},
      .mean = 0.4915966844745711,
      .std = 0.2471137835529703,
  };
  static const uint8_t first[3] = {59, 62, 63}, last[3] = {123, 92, 72}, middle[3] = {135, 138, 115};
  nas_dataset *d;
  assert_ok(open_in("cifar10", nas_shared_file("data/cifar10-first4000"), &d));
  check_facts(d, &f);
  assert_close(d->mean[2], 0.4446567009420956, 0.003);
  assert_close(d->std[2], 0.262500257083688, 0.003);
  assert_memory_equal(d->pixels, first, 3);
  assert_memory_equal(d->pixels + 3 * 1023, last, 3);
  assert_memory_equal(d->pixels + 3999 * 3072 + 3 * (5 * 32 + 7), middle, 3);
  nas_dataset_close(d);
}

/* Several batch files in the order of their names, and the test file at the end. */
static void cifar10_joins_its_files(void **state) {
  (void)state;
  char *bytes, path[256];
  size_t n, record = 3073;
  nas_dataset *d;
  const char *folder = nas_test_folder();
  assert_ok(nas_file_read(nas_shared_file("data/cifar10-first4000/data_batch_first4000.bin"), 1 << 28, &bytes, &n,
                          nas_test_err()));
  static const struct {
    const char *name;
    size_t from, count;
  } files[] = {{"data_batch_2.bin", 100, 50}, {"data_batch_1.bin", 0, 100}, {"test_batch.bin", 200, 30}};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
    assert_ok(nas_file_write_atomic(path, bytes + files[i].from * record, files[i].count * record, nas_test_err()));
  }
  assert_ok(open_in("cifar10", folder, &d));
  assert_int_equal(d->n, 180);
  assert_int_equal(d->first_test, 150);
  assert_int_equal(d->n_test, 30);
  assert_int_equal(d->n_train, 135);
  assert_int_equal(d->n_valid, 15);
  for (size_t i = 0; i < 180; i++) assert_int_equal(d->labels[i], bytes[(i < 150 ? i : i + 50) * record]);
  nas_dataset_close(d);
  assert_ok(nas_file_write_atomic(path, bytes, 30 * record - 1, nas_test_err()));
  assert_fails(open_in("cifar10", folder, &d), NAS_E_BAD_INPUT, "test_batch.bin");
  assert_non_null(strstr(nas_test_err()->msg, "92189 bytes are not a whole number of 3073-byte records"));
  free(bytes);
}

/* ---- damaged files ---- */

/* A copy of a small set in MNIST's form: 12 + 6 images. */
static void write_idx_set(const char *folder) {
  static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                      "t10k-labels-idx1-ubyte"};
  static uint8_t bytes[16 + 12 * 784];
  for (int i = 0; i < 4; i++) {
    char path[256];
    bool images = i % 2 == 0;
    uint8_t n = i < 2 ? 12 : 6;
    memset(bytes, 0, sizeof bytes);
    bytes[2] = 8;
    bytes[3] = images ? 3 : 1;
    bytes[7] = n;
    if (images) bytes[11] = bytes[15] = 28;
    for (int k = 0; k < n; k++)
      if (!images) bytes[8 + k] = (uint8_t)(k % 10);
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    assert_ok(nas_file_write_atomic(path, bytes, images ? 16 + 784 * (size_t)n : 8 + (size_t)n, nas_test_err()));
  }
}

static void patch(const char *folder, const char *name, long at, int value) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, at, SEEK_SET), 0);
  fputc(value, file);
  fclose(file);
}

static void idx_files_may_be_plain(void **state) {
  (void)state;
  nas_dataset *d;
  const char *folder = nas_test_folder();
  write_idx_set(folder);
  assert_ok(open_in("mnist", folder, &d));
  assert_int_equal(d->n, 18);
  assert_int_equal(d->n_train, 10);
  assert_int_equal(d->n_valid, 2);
  assert_int_equal(d->n_test, 6);
  assert_true(d->std[0] == 1); /* black images are only centred, not divided by zero */
  assert_true(d->normalised[0][0] == 0);
  nas_dataset_close(d);
}

static void files_that_do_not_fit_are_named(void **state) {
  (void)state;
  static const struct {
    const char *file;
    int at, value;
    const char *part;
  } rows[] = {{"train-labels-idx1-ubyte", 10, 10, "label 10 of image 2 (byte 10) is outside 0..9"},
              {"t10k-labels-idx1-ubyte", 13, 255, "label 255 of image 5 (byte 13)"},
              {"train-images-idx3-ubyte", 11, 14, "images of 14 x 28"},
              {"t10k-images-idx3-ubyte", 3, 2, "2 dimensions"},
              {"train-labels-idx1-ubyte", 7, 11, "11 labels for 12 images"},
              {"train-images-idx3-ubyte", 0, 7, "magic number is 07000803"},
              {"t10k-images-idx3-ubyte", 7, 5, "5 images"},
              {"train-labels-idx1-ubyte", 2, 9, "magic"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_dataset *d;
    const char *folder = nas_test_folder();
    write_idx_set(folder);
    patch(folder, rows[i].file, rows[i].at, rows[i].value);
    assert_fails(open_in("mnist", folder, &d), NAS_E_BAD_INPUT, rows[i].part);
    assert_null(d);
    assert_non_null(strstr(nas_test_err()->where, "idx"));
  }
}

static void a_truncated_gzip_is_reported(void **state) {
  (void)state;
  if (!nas_file_exists(fashion_folder)) nas_skip("no %s: install dataset-fashion-mnist", fashion_folder);
  const char *folder = nas_test_folder();
  nas_dataset *d;
  assert_int_equal(nas_run(NULL, NULL, "cp %s/*.gz %s && truncate -s 4000000 %s/t10k-images-idx3-ubyte.gz",
                           fashion_folder, folder, folder),
                   0);
  assert_fails(open_in("fashion-mnist", folder, &d), NAS_E_BAD_INPUT, "t10k-images-idx3-ubyte.gz");
  assert_non_null(strstr(nas_test_err()->msg, "the gzip file is cut off at byte 4000000; fetch it again"));
}

static void bad_optdigits_are_reported(void **state) {
  (void)state;
  const char *folder = nas_test_folder();
  char tra[256], tes[256];
  nas_dataset *d;
  snprintf(tra, sizeof tra, "%s/optdigits.tra", folder);
  snprintf(tes, sizeof tes, "%s/optdigits.tes", folder);
  assert_ok(nas_file_write_atomic(tra, "1,2,3\n", 6, nas_test_err()));
  assert_ok(nas_file_write_atomic(tes, "heading\n", 8, nas_test_err()));
  assert_fails(open_in("optdigits", folder, &d), NAS_E_BAD_INPUT, "holds no images");
  assert_ok(nas_file_write_atomic(tes, "1,2,3\n", 6, nas_test_err()));
  assert_fails(open_in("optdigits", folder, &d), NAS_E_BAD_INPUT, "optdigits.tra:1:6");
  assert_ok(nas_file_write_atomic(tes, "1,\0,3\n", 6, nas_test_err()));
  assert_fails(open_in("optdigits", folder, &d), NAS_E_BAD_INPUT, "byte 2 is zero");
}

/* ---- where data sets are looked for ---- */

static void the_search_has_an_order(void **state) {
  (void)state;
  const char *folder = nas_test_folder();
  char named[256], environment[256], cache[256], below[300], list[600], *held = getenv("NASCENT_DATA");
  char *held_cache = getenv("NASCENT_CACHE");
  held = held ? strdup(held) : NULL;
  held_cache = held_cache ? strdup(held_cache) : NULL;
  nas_str found = {0};
  const nas_dataset_type *type;
  assert_ok(nas_dataset_find("mnist", &type, nas_test_err()));
  snprintf(named, sizeof named, "%s/named/mnist", folder);
  snprintf(environment, sizeof environment, "%s/environment", folder);
  snprintf(cache, sizeof cache, "%s/cache/datasets/mnist", folder);
  snprintf(list, sizeof list, "/nonexistent::%s/named", folder);
  snprintf(below, sizeof below, "%s/cache", folder);
  setenv("NASCENT_DATA", environment, 1);
  setenv("NASCENT_CACHE", below, 1);
  nas_status none = nas_dataset_locate(type, list, &found, nas_test_err());
  nas_err error = *nas_test_err();
  const char *const folders[] = {cache, environment, named};
  char answers[3][512];
  for (int i = 0; i < 3; i++) { /* each new one goes before the others */
    nas_folder_make(folders[i], nas_test_err());
    write_idx_set(folders[i]);
    nas_dataset_locate(type, list, &found, nas_test_err());
    snprintf(answers[i], sizeof answers[i], "%s", nas_str_text(&found));
  }
  if (held) setenv("NASCENT_DATA", held, 1);
  else unsetenv("NASCENT_DATA");
  if (held_cache) setenv("NASCENT_CACHE", held_cache, 1);
  else unsetenv("NASCENT_CACHE");
  nas_str_free(&found);
  free(held);
  free(held_cache);
  assert_int_equal(none, NAS_E_NOT_FOUND);
  assert_non_null(strstr(error.msg, "run `nascent dataset fetch mnist`"));
  assert_non_null(strstr(error.msg, "/nonexistent/mnist, /nonexistent, "));
  assert_non_null(strstr(error.msg, named));
  assert_non_null(strstr(error.msg, environment));
  for (int i = 0; i < 3; i++) assert_string_equal(answers[i], folders[i]);
}

/* MNIST and Fashion-MNIST have the same file names: a folder called "mnist" is not taken for the other. */
static void one_set_does_not_pass_for_another(void **state) {
  (void)state;
  char folder[256];
  nas_str found = {0};
  const nas_dataset_type *fashion, *mnist;
  assert_ok(nas_dataset_find("fashion-mnist", &fashion, nas_test_err()));
  assert_ok(nas_dataset_find("mnist", &mnist, nas_test_err()));
  snprintf(folder, sizeof folder, "%s/mnist/", nas_test_folder());
  assert_ok(nas_folder_make(folder, nas_test_err()));
  write_idx_set(folder);
  assert_ok(nas_dataset_locate(mnist, folder, &found, nas_test_err()));
  assert_string_equal(nas_str_text(&found), folder);
  nas_dataset_locate(fashion, folder, &found, nas_test_err());
  assert_string_not_equal(nas_str_text(&found), folder);
  nas_str_free(&found);
}

static void unknown_names_get_a_suggestion(void **state) {
  (void)state;
  nas_dataset *d;
  assert_fails(open_in("fashion-mnits", NULL, &d), NAS_E_UNKNOWN_NAME, "did you mean 'fashion-mnist'?");
  nas_settings s = {0};
  assert_ok(nas_settings_put(&s, "imagse", "3", "-o imagse=3", nas_test_err()));
  assert_fails(nas_dataset_open("shapes", &s, NULL, &d, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'images'?");
  nas_settings_free(&s);
}

/* What `nascent dataset info` and the stored record rely on. */
static void every_type_is_complete(void **state) {
  (void)state;
  for (const nas_dataset_type *const *t = nas_dataset_types(); *t; t++) {
    const nas_dataset_type *type = *t, *again;
    assert_ok(nas_dataset_find(type->name, &again, nas_test_err()));
    assert_ptr_equal(again, type);
    assert_true(type->version >= 1 && type->load && type->options && *type->summary && *type->license && *type->folder);
    assert_true(type->default_train > 0 && type->default_valid > 0);
    for (const nas_data_file *f = type->files; f && f->name; f++) {
      assert_true(!*f->sha256 || strlen(f->sha256) == 64);
      assert_true(!*f->content || strlen(f->content) == 64);
      assert_true(type->archive || strncmp(f->url, "http", 4) == 0);
    }
    nas_dataset_options values = {0};
    nas_options_defaults(type->options, &values);
    assert_int_equal(values.train_images, 0);
  }
}

/* ---- shapes ---- */

static nas_dataset *open_shapes(const char *lines) {
  nas_settings s = {0};
  nas_dataset *d;
  assert_ok(nas_settings_parse(&s, lines, "test", nas_test_err()));
  assert_ok(nas_dataset_open("shapes", &s, NULL, &d, nas_test_err()));
  nas_settings_free(&s);
  return d;
}

static void shapes_depend_on_their_seed(void **state) {
  (void)state;
  nas_dataset *a = open_shapes("images=120\n"), *b = open_shapes("images=120\n"),
              *c = open_shapes("images=120\ngenerator-seed=1\n"), *large = open_shapes("images=240\n");
  assert_string_equal(a->digest, b->digest);
  assert_string_not_equal(a->digest, c->digest);
  assert_memory_equal(a->pixels, large->pixels, 120 * 256); /* more images begin with the same ones */
  nas_dataset_close(a);
  nas_dataset_close(b);
  nas_dataset_close(c);
  nas_dataset_close(large);
}

/* Recorded results name this digest: the images must stay the same for ever. */
static void shapes_never_change(void **state) {
  (void)state;
  nas_dataset *d = open_shapes("");
  assert_string_equal(d->digest, "c761029b7d1ddfb47cfd631b0a2befb69841fa94a6891293d0e0a77420fa609e");
  nas_dataset_close(d);
}

static void shapes_take_classes_and_size(void **state) {
  (void)state;
  nas_dataset *d = open_shapes("images=120\nclasses=3\nsize=24\n");
  assert_int_equal(d->task.classes, 3);
  assert_true(d->task.input.h == 24 && d->task.input.w == 24 && d->task.input.c == 1);
  int64_t counts[3] = {0};
  for (int i = 0; i < 120; i++) {
    assert_in_range(d->labels[i], 0, 2);
    counts[d->labels[i]]++;
  }
  for (int c = 0; c < 3; c++) assert_int_equal(counts[c], 40);
  nas_dataset_close(d);
}

/* Not trivial: the nearest mean image of a class, a linear rule, is far from perfect, though better than chance. */
static void shapes_are_not_linearly_separable(void **state) {
  (void)state;
  nas_dataset *d = open_shapes("");
  static double mean[8][256];
  double counts[8] = {0};
  memset(mean, 0, sizeof mean);
  for (int64_t i = 0; i < d->n_train; i++) {
    uint32_t image = d->train[i];
    counts[d->labels[image]]++;
    for (uint32_t p = 0; p < 256; p++) mean[d->labels[image]][p] += d->pixels[image * 256 + p];
  }
  int correct = 0;
  for (int64_t i = 0; i < d->n_test; i++) {
    int best = 0;
    double nearest = 1e300;
    for (int c = 0; c < 8; c++) {
      double distance = 0;
      for (uint32_t p = 0; p < 256; p++) {
        double off = d->pixels[d->test[i] * 256 + p] - mean[c][p] / counts[c];
        distance += off * off;
      }
      if (distance < nearest) nearest = distance, best = c;
    }
    correct += best == d->labels[d->test[i]];
  }
  assert_in_range(correct, 100, 400); /* of 1000; chance is 125 */
  nas_dataset_close(d);
}

NAS_SUITE(DataSets, NAS_CASE(fashion_mnist_is_the_published_one), NAS_CASE(mnist_is_the_published_one),
          NAS_CASE(optdigits_is_the_published_one), NAS_CASE(cifar10_reads_a_part), NAS_CASE(cifar10_joins_its_files),
          NAS_CASE(idx_files_may_be_plain), NAS_CASE(files_that_do_not_fit_are_named),
          NAS_CASE(a_truncated_gzip_is_reported), NAS_CASE(bad_optdigits_are_reported),
          NAS_CASE(the_search_has_an_order), NAS_CASE(one_set_does_not_pass_for_another),
          NAS_CASE(unknown_names_get_a_suggestion), NAS_CASE(every_type_is_complete),
          NAS_CASE(shapes_depend_on_their_seed), NAS_CASE(shapes_never_change), NAS_CASE(shapes_take_classes_and_size),
          NAS_CASE(shapes_are_not_linearly_separable))
