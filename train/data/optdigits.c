/* The optical digits of the UCI repository: two CSV files. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/data/csv.h"
#include "train/data/parts.h"

enum { FILE_LIMIT = 1 << 26 };

static const nas_csv_form form = {.n_pixels = 64, .pixel_max = 16, .classes = 10};

static nas_status read_text(const char *folder, const char *name, char path[4096], char **text, nas_err *err) {
  size_t n;
  if (!nas_data_file_find(folder, name, path, 4096))
    return nas_fail(err, NAS_E_NOT_FOUND, folder, "no file %s here", name);
  NAS_TRY(nas_file_read(path, FILE_LIMIT, text, &n, err));
  const char *zero = memchr(*text, '\0', n);
  if (zero) return nas_fail(err, NAS_E_BAD_INPUT, path, "byte %td is zero; this is not a text file", zero - *text);
  if (nas_csv_count(*text) == 0) return nas_fail(err, NAS_E_BAD_INPUT, path, "the file holds no images");
  return NAS_OK;
}

static nas_status load_texts(nas_dataset *self, const char *folder, char *texts[2], nas_err *err) {
  char paths[2][4096];
  for (int i = 0; i < 2; i++) NAS_TRY(read_text(folder, self->type->files[i].name, paths[i], &texts[i], err));
  int64_t n = nas_csv_count(texts[0]);
  NAS_TRY(nas_dataset_allocate(self, n + nas_csv_count(texts[1]), err));
  self->first_test = n;
  self->pixel_max = form.pixel_max;
  NAS_TRY(nas_csv_parse(texts[0], paths[0], &form, self->pixels, self->labels, err));
  return nas_csv_parse(texts[1], paths[1], &form, self->pixels + n * form.n_pixels, self->labels + n, err);
}

static nas_status load(nas_dataset *self, const char *folder, nas_err *err) {
  char *texts[2] = {0};
  nas_status status = load_texts(self, folder, texts, err);
  free(texts[0]);
  free(texts[1]);
  return status;
}

static const nas_option options[] = {NAS_DATASET_OPTIONS, NAS_OPT_END};

#define UCI "https://archive.ics.uci.edu/ml/machine-learning-databases/optdigits/"
static const nas_data_file files[] = {
    {"optdigits.tra", UCI "optdigits.tra", "", ""}, {"optdigits.tes", UCI "optdigits.tes", "", ""}, {0}};

extern const nas_dataset_type nas_dataset_optdigits;
const nas_dataset_type nas_dataset_optdigits = {
    .name = "optdigits",
    .version = 1,
    .summary = "3,823 + 1,797 handwritten digits, 8x8 in 17 greys, 10 classes",
    .citation = "Alpaydin, Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998",
    .license = "CC BY 4.0",
    .options = options,
    .folder = "optdigits",
    .files = files,
    .task = {{1, 8, 8}, 10},
    .load = load,
    .default_train = 3058,
    .default_valid = 765,
};
