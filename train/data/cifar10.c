/* CIFAR-10 out of its binary files: every data_batch*.bin in the folder, in the order of their names, then
 * test_batch.bin where it is there. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/data/cifar.h"
#include "train/data/parts.h"

enum { FILE_LIMIT = 1 << 30, FILES_MAX = 64 };

typedef struct batch_file {
  char *bytes;
  int64_t count;
} batch_file;

/* Names of the batch files, ordered (glob sorts). The caller calls globfree in any case. */
static bool find_batches(const char *folder, glob_t *found) {
  char pattern[4096];
  *found = (glob_t){0};
  return nas_text_put(pattern, sizeof pattern, "%s/data_batch*.bin", folder) && glob(pattern, 0, NULL, found) == 0 &&
         found->gl_pathc > 0;
}

static bool has_files(const char *folder) {
  glob_t found;
  bool some = find_batches(folder, &found);
  globfree(&found);
  return some;
}

static nas_status read_batch(const char *path, batch_file *f, nas_err *err) {
  size_t n;
  NAS_TRY(nas_file_read(path, FILE_LIMIT, &f->bytes, &n, err));
  return nas_cifar_count(n, path, &f->count, err);
}

static nas_status load_files(nas_dataset *self, const char **paths, batch_file *files, int n_batches, int n_files,
                             nas_err *err) {
  int64_t n = 0;
  for (int i = 0; i < n_files; i++) {
    NAS_TRY(read_batch(paths[i], &files[i], err));
    n += files[i].count;
    if (i < n_batches) self->first_test = n;
  }
  NAS_TRY(nas_dataset_allocate(self, n, err));
  int64_t at = 0;
  for (int i = 0; i < n_files; i++) {
    NAS_TRY(nas_cifar_parse((const uint8_t *)files[i].bytes, files[i].count, paths[i],
                            self->pixels + at * NAS_CIFAR_PIXELS, self->labels + at, err));
    at += files[i].count;
  }
  return NAS_OK;
}

static nas_status load(nas_dataset *self, const char *folder, nas_err *err) {
  glob_t found;
  const char *paths[FILES_MAX + 1];
  char test[4096];
  batch_file files[FILES_MAX + 1] = {0};
  nas_status status = NAS_OK;
  int n = 0;
  if (!find_batches(folder, &found)) status = nas_fail(err, NAS_E_NOT_FOUND, folder, "no data_batch*.bin here");
  else if (found.gl_pathc > FILES_MAX)
    status = nas_fail(err, NAS_E_BAD_INPUT, folder, "more than %d batch files", FILES_MAX);
  for (size_t i = 0; status == NAS_OK && i < found.gl_pathc; i++) paths[n++] = found.gl_pathv[i];
  int n_batches = n;
  if (status == NAS_OK && nas_data_file_find(folder, "test_batch.bin", test, sizeof test)) paths[n++] = test;
  if (status == NAS_OK) status = load_files(self, paths, files, n_batches, n, err);
  for (int i = 0; i < n; i++) free(files[i].bytes);
  globfree(&found);
  return status;
}

static const nas_option options[] = {NAS_DATASET_OPTIONS, NAS_OPT_END};

static const nas_data_file files[] = {{"data_batch_1.bin", "", "", ""},
                                      {"data_batch_2.bin", "", "", ""},
                                      {"data_batch_3.bin", "", "", ""},
                                      {"data_batch_4.bin", "", "", ""},
                                      {"data_batch_5.bin", "", "", ""},
                                      {"test_batch.bin", "", "", ""},
                                      {0}};

static const nas_data_file archive = {"cifar-10-binary.tar.gz",
                                      "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                                      "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", ""};

extern const nas_dataset_type nas_dataset_cifar10;
const nas_dataset_type nas_dataset_cifar10 = {
    .name = "cifar10",
    .version = 1,
    .summary = "50,000 + 10,000 photographs, 32x32 colour, 10 classes",
    .citation =
        "Krizhevsky: Learning multiple layers of features from tiny images, technical report, "
        "University of Toronto, 2009",
    .license = "none stated; for research",
    .options = options,
    .folder = "cifar-10-batches-bin",
    .files = files,
    .task = {{3, 32, 32}, 10},
    .load = load,
    .default_train = 45000,
    .default_valid = 5000,
    .archive = &archive,
    .has_files = has_files,
};
