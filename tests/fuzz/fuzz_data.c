/* The text forms of data sets: tables of pixels, and files of splits. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "train/data/csv.h"
#include "train/data/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_table(const char *text) {
  const nas_csv_form form = {.n_pixels = 4, .pixel_max = 16, .classes = 3};
  const int64_t count = nas_csv_count(text);
  if (count < 0 || count > (int64_t)strlen(text) + 1) abort();
  uint8_t *pixels = malloc((size_t)count * 4 + 1), *labels = malloc((size_t)count + 1);
  nas_err err = {0};
  if (!pixels || !labels) abort();
  if (nas_csv_parse(text, "fuzz.csv", &form, pixels, labels, &err) == NAS_OK) {
    for (int64_t i = 0; i < count; i++)
      if (labels[i] >= 3 || pixels[4 * i] > 16) abort();
  } else if (!err.msg[0]) {
    abort();
  }
  free(pixels);
  free(labels);
}

static void read_split(const char *text) {
  uint32_t *train = NULL, *valid = NULL;
  int64_t n_train = 0, n_valid = 0;
  nas_err err = {0};
  if (nas_split_file_parse(text, "fuzz.txt", 100, &train, &n_train, &valid, &n_valid, &err) == NAS_OK) {
    if (n_train + n_valid > 100) abort();
    for (int64_t i = 0; i < n_train; i++)
      if (train[i] >= 100) abort();
    free(train);
    free(valid);
  } else if (!err.msg[0]) {
    abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  char *text = malloc(size);
  if (!text) abort();
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  if (data[0] & 1) read_table(text);
  else read_split(text);
  free(text);
  return 0;
}
