#ifndef NAS_TRAIN_DATA_DATASET_H
#define NAS_TRAIN_DATA_DATASET_H
/* Data sets in memory: 8-bit images with labels, or points with a real target (regression), split into train, valid and
 * test; and the pipeline that makes normalised, augmented batches of them. A data set type is one file plus one line in
 * datasets.def. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/options.h"
#include "base/rng.h"
#include "base/str.h"
#include "space/net.h"

/* A file that a data set needs, with where to fetch it and its digests ("" = not known). The same images may lie
 * in a file that somebody compressed anew (Debian does): `content` is the SHA-256 of what a gzip file holds. */
typedef struct nas_data_file {
  const char *name; /* file name inside the data set's folder */
  const char *url, *sha256, *content;
} nas_data_file;

/* Options that every data set has; a type may add its own by repeating these rows first (NAS_DATASET_OPTIONS).
 * Train and valid images are the two ends of one order of the images, stratified by class and shuffled by the split
 * seed, so that a larger subset contains each smaller one of the same seed. */
#define NAS_DATASET_OPTIONS                                                                                            \
  NAS_OPT_INT(nas_dataset_options, split_seed, "split-seed", "0", 0, 0x1p53, "seed of the split and the subsets"),     \
      NAS_OPT_INT(nas_dataset_options, train_images, "train-images", "0", 0, 0x1p31, "training images; 0: default"),   \
      NAS_OPT_INT(nas_dataset_options, valid_images, "valid-images", "0", 0, 0x1p31, "validation images; 0: default"), \
      NAS_OPT_INT(nas_dataset_options, test_images, "test-images", "0", 0, 0x1p31, "test images; 0: default"),         \
      NAS_OPT_TEXT(nas_dataset_options, split_file, "split-file", "",                                                  \
                   "file with the lists \"train\" and \"valid\" of image numbers"),                                    \
      NAS_OPT_CHOICE(nas_dataset_options, normalise, "normalise", "split", "split|half|none",                          \
                     "pixels: by mean and deviation of the training images, to [-1, 1], or to [0, 1]")
typedef struct nas_dataset_options {
  int64_t split_seed, train_images, valid_images, test_images; /* 0 images = the type's default */
  char split_file[256], normalise[8];
  /* used by `shapes` only */
  int64_t classes, size, images, generator_seed;
  /* used by `function` only, with generator_seed */
  char expression[200], ranges[120];
  int64_t samples;
  double noise;
} nas_dataset_options;

typedef struct nas_dataset {
  const struct nas_dataset_type *type;
  nas_dataset_options options;
  nas_task task;
  int64_t n;                      /* images in all */
  uint8_t *pixels;                /* [n,H,W,C], owned */
  uint8_t *labels;                /* [n], owned */
  double *values, *targets;       /* regression: [n,C] inputs and [n] targets, owned; NULL for images. With
                                     points pixels is NULL and labels are 0 */
  double pixel_max;               /* 255, or 16 for optdigits: pixels are divided by it before normalisation */
  uint32_t *train, *valid, *test; /* indices into pixels, owned */
  int64_t n_train, n_valid, n_test;
  int64_t first_test;           /* images from here on are the published test set; n when there is none */
  double mean[9], std[9];       /* per channel, of the training split after division by pixel_max */
  char digest[NAS_DIGEST_SIZE]; /* SHA-256 of shape, pixels and labels */
  char split[NAS_DIGEST_SIZE];  /* SHA-256 of the three index lists */
  float normalised[4][256];     /* per channel and pixel value: what a batch holds */
} nas_dataset;

typedef struct nas_dataset_type {
  const char *name;
  int version;
  const char *summary, *citation, *license;
  const nas_option *options;  /* over nas_dataset_options */
  const char *system_folder;  /* where Debian puts it, or NULL */
  const char *folder;         /* name of its folder below --data-dir, NASCENT_DATA and the cache */
  const nas_data_file *files; /* ends with a NULL name; NULL for generated data */
  nas_task task;
  /* Fills n, pixels, labels, pixel_max, first_test from the files in `folder` (NULL for generated data). */
  nas_status (*load)(nas_dataset *self, const char *folder, nas_err *err);
  int64_t default_train, default_valid; /* sizes of the default split; their ratio where the images are fewer */
  const char *package;                  /* the Debian package with the files, or NULL */
  const nas_data_file *archive; /* a .tar.gz that holds the files where they are not published singly, or NULL */
  bool (*has_files)(const char *folder); /* NULL: all of `files` are there, with or without ".gz" */
} nas_dataset_type;

const nas_dataset_type *const *nas_dataset_types(void);
/* The type of that name. "function:EXPRESSION" is the type `function`. */
nas_status nas_dataset_find(const char *name, const nas_dataset_type **out, nas_err *err);

/* `name` may be "function:EXPRESSION", which sets that option of the type `function`.
 * Finds the files (data_dirs: colon-separated list or NULL; then NASCENT_DATA; then the cache; then the system's
 * folder), loads them, splits (stratified by class, by split-seed, or as the split file says), takes the stratified
 * subsets asked for, and computes the normalisation. Errors: NOT_FOUND lists the folders tried and says how to get
 * the data; BAD_INPUT names file and byte. */
nas_status nas_dataset_open(const char *name, const nas_settings *settings, const char *data_dirs, nas_dataset **out,
                            nas_err *err);
void nas_dataset_close(nas_dataset *d);

/* Only the search for the files; *folder receives the folder that has them ("" for generated data). */
nas_status nas_dataset_locate(const nas_dataset_type *type, const char *data_dirs, nas_str *folder, nas_err *err);

typedef enum nas_split { NAS_SPLIT_TRAIN, NAS_SPLIT_VALID, NAS_SPLIT_TEST } nas_split;
const uint32_t *nas_dataset_split(const nas_dataset *d, nas_split split, int64_t *n);

/* How training images are varied. */
typedef struct nas_augment {
  bool flip;    /* mirror left-right with probability 1/2 */
  int32_t crop; /* zero-pad by this many (normalised zero, as PyTorch's pad after Normalize) and crop back at random */
} nas_augment;

/* Writes n images to x as normalised floats [n,H,W,C] and their labels to y. Augmentation (NULL: none) of image
 * `indices[i]` depends on (seed, epoch, indices[i]) only. */
void nas_dataset_batch(const nas_dataset *d, const uint32_t *indices, int64_t n, const nas_augment *augment,
                       uint64_t seed, int32_t epoch, float *x, int32_t *y);

/* Writes the n targets of a regression data set (where d->targets is not NULL). */
void nas_dataset_targets(const nas_dataset *d, const uint32_t *indices, int64_t n, float *out);

/* The path of a file in a folder, as named or without its ".gz"; false when neither is there. */
bool nas_data_file_find(const char *folder, const char *name, char *path, size_t size);

/* How a file compares with what its publisher put out. */
typedef enum nas_file_state {
  NAS_FILE_PUBLISHED, /* the published bytes */
  NAS_FILE_CONTENT,   /* the published content, compressed anew */
  NAS_FILE_UNKNOWN,   /* no digest is known */
  NAS_FILE_DIFFERENT, /* neither digest agrees */
} nas_file_state;
/* `hex` receives the file's own SHA-256. */
nas_status nas_data_file_check(const nas_data_file *file, const char *path, nas_file_state *state,
                               char hex[NAS_DIGEST_SIZE], nas_err *err);

/* Downloads the missing files of a data set to the cache folder through libcurl: resumed, digest-checked, atomic.
 * `base_url` (NULL: the published ones) replaces everything before the file name. `folder` receives where. */
nas_status nas_dataset_fetch(const nas_dataset_type *type, const char *base_url,
                             void (*progress)(void *arg, const char *file, int64_t done, int64_t total), void *arg,
                             nas_str *folder, nas_err *err);
#endif
