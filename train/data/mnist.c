/* The MNIST family: four IDX files. */
#include <stdlib.h>

#include "base/file.h"
#include "train/data/idx.h"
#include "train/data/parts.h"

enum { FILE_LIMIT = 1 << 30 };

typedef struct idx_file {
  char path[4096];
  char *bytes;
  size_t n;
  nas_idx head;
} idx_file;

static nas_status open_file(idx_file *f, const char *folder, const char *name, nas_err *err) {
  if (!nas_data_file_find(folder, name, f->path, sizeof f->path))
    return nas_fail(err, NAS_E_NOT_FOUND, folder, "no file %s here", name);
  NAS_TRY(nas_file_read(f->path, FILE_LIMIT, &f->bytes, &f->n, err));
  return nas_idx_head(f->bytes, f->n, f->path, &f->head, err);
}

static nas_status check_shapes(const nas_dataset *self, const idx_file *images, const idx_file *labels, nas_err *err) {
  nas_shape s = self->task.input;
  const nas_idx *h = &images->head;
  if (h->n_dims != 3 || h->dims[1] != s.h || h->dims[2] != s.w)
    return nas_fail(err, NAS_E_BAD_INPUT, images->path,
                    "%d dimensions with images of %lld x %lld; this data set has 3 with images of %d x %d", h->n_dims,
                    (long long)h->dims[1], (long long)h->dims[2], s.h, s.w);
  if (labels->head.n_dims != 1)
    return nas_fail(err, NAS_E_BAD_INPUT, labels->path, "%d dimensions; labels have 1", labels->head.n_dims);
  if (labels->head.dims[0] != h->dims[0])
    return nas_fail(err, NAS_E_BAD_INPUT, labels->path, "%lld labels for %lld images", (long long)labels->head.dims[0],
                    (long long)h->dims[0]);
  return NAS_OK;
}

static nas_status read_labels(const nas_dataset *self, const idx_file *f, uint8_t *out, nas_err *err) {
  NAS_TRY(nas_idx_data(f->bytes, f->n, f->path, &f->head, out, err));
  for (int64_t i = 0; i < f->head.dims[0]; i++)
    if (out[i] >= self->task.classes)
      return nas_fail(err, NAS_E_BAD_INPUT, f->path, "label %d of image %lld (byte %lld) is outside 0..%d", out[i],
                      (long long)i, (long long)i + 8, self->task.classes - 1);
  return NAS_OK;
}

/* files: train images, train labels, test images, test labels. */
static nas_status load_opened(nas_dataset *self, const char *folder, idx_file files[4], nas_err *err) {
  for (int i = 0; i < 4; i++) NAS_TRY(open_file(&files[i], folder, self->type->files[i].name, err));
  NAS_TRY(check_shapes(self, &files[0], &files[1], err));
  NAS_TRY(check_shapes(self, &files[2], &files[3], err));
  int64_t n_train = files[0].head.dims[0], n_test = files[2].head.dims[0];
  NAS_TRY(nas_dataset_allocate(self, n_train + n_test, err));
  self->first_test = n_train;
  uint8_t *test_pixels = self->pixels + files[0].head.size;
  NAS_TRY(nas_idx_data(files[0].bytes, files[0].n, files[0].path, &files[0].head, self->pixels, err));
  NAS_TRY(nas_idx_data(files[2].bytes, files[2].n, files[2].path, &files[2].head, test_pixels, err));
  NAS_TRY(read_labels(self, &files[1], self->labels, err));
  return read_labels(self, &files[3], self->labels + n_train, err);
}

static nas_status load(nas_dataset *self, const char *folder, nas_err *err) {
  idx_file *files = calloc(4, sizeof *files);
  if (!files) return nas_fail_memory(err, "a data set");
  nas_status status = load_opened(self, folder, files, err);
  for (int i = 0; i < 4; i++) free(files[i].bytes);
  free(files);
  return status;
}

static const nas_option options[] = {NAS_DATASET_OPTIONS, NAS_OPT_END};

#define FASHION "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
static const nas_data_file fashion_files[] = {{"train-images-idx3-ubyte.gz", FASHION "train-images-idx3-ubyte.gz",
                                               "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                                               "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
                                              {"train-labels-idx1-ubyte.gz", FASHION "train-labels-idx1-ubyte.gz",
                                               "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                                               "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
                                              {"t10k-images-idx3-ubyte.gz", FASHION "t10k-images-idx3-ubyte.gz",
                                               "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                                               "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
                                              {"t10k-labels-idx1-ubyte.gz", FASHION "t10k-labels-idx1-ubyte.gz",
                                               "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                                               "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
                                              {0}};

extern const nas_dataset_type nas_dataset_fashion_mnist;
const nas_dataset_type nas_dataset_fashion_mnist = {
    .name = "fashion-mnist",
    .version = 1,
    .summary = "60,000 + 10,000 images of clothing, 28x28 grey, 10 classes",
    .citation = "Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv:1708.07747, 2017",
    .license = "MIT",
    .options = options,
    .system_folder = "/usr/share/datasets/fashion-mnist",
    .folder = "fashion-mnist",
    .files = fashion_files,
    .task = {{1, 28, 28}, 10},
    .load = load,
    .default_train = 50000,
    .default_valid = 10000,
    .package = "dataset-fashion-mnist",
};

/* The author's own page no longer serves the files; this is the copy that he points to. */
#define MNIST "https://storage.googleapis.com/cvdf-datasets/mnist/"
static const nas_data_file mnist_files[] = {{"train-images-idx3-ubyte.gz", MNIST "train-images-idx3-ubyte.gz",
                                             "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                                             "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
                                            {"train-labels-idx1-ubyte.gz", MNIST "train-labels-idx1-ubyte.gz",
                                             "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                                             "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
                                            {"t10k-images-idx3-ubyte.gz", MNIST "t10k-images-idx3-ubyte.gz",
                                             "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                                             "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
                                            {"t10k-labels-idx1-ubyte.gz", MNIST "t10k-labels-idx1-ubyte.gz",
                                             "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                                             "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
                                            {0}};

extern const nas_dataset_type nas_dataset_mnist;
const nas_dataset_type nas_dataset_mnist = {
    .name = "mnist",
    .version = 1,
    .summary = "60,000 + 10,000 handwritten digits, 28x28 grey, 10 classes",
    .citation =
        "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, "
        "Proc. IEEE 86(11), 1998",
    .license = "CC BY-SA 3.0",
    .options = options,
    .folder = "mnist",
    .files = mnist_files,
    .task = {{1, 28, 28}, 10},
    .load = load,
    .default_train = 50000,
    .default_valid = 10000,
};
