#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

static const char magic[8] = "NASCKPT\n";
enum { VERSION = 1, DIGEST = NAS_DIGEST_SIZE - 1, EPOCH_BYTES = 8 * 9 };

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checkpoints copy numbers as they lie in memory; a big-endian machine needs conversions here"
#endif

nas_status nas_checkpoint_net_digest(const nas_net *net, char digest[NAS_DIGEST_SIZE], nas_err *err) {
  nas_str text = {0};
  nas_str_fmt(&text, "%d %d %d %d %d\n", net->task.input.c, net->task.input.h, net->task.input.w, net->task.classes,
              net->output);
  for (int32_t i = 0; i < net->n; i++) {
    const nas_layer *l = &net->layers[i];
    const nas_attrs *a = &l->attrs;
    char rate[32];
    nas_str_fmt(&text, "%s%s %s %d %d %d %d %d %d %d %s (", l->neuron ? "neuron " : "", l->op, l->label, a->out,
                a->kernel_h, a->kernel_w, a->stride, a->pad, a->groups, a->bias, nas_text_double(rate, a->rate));
    nas_str_add(&text, a->options);
    nas_str_add(&text, ")");
    for (int32_t k = 0; k < l->n_inputs; k++) nas_str_fmt(&text, " %d", l->inputs[k]);
    nas_str_add(&text, "\n");
  }
  nas_status status = nas_str_check(&text, err);
  if (status == NAS_OK) nas_digest(text.s, text.len, digest);
  nas_str_free(&text);
  return status;
}

/* ---- writing ---- */

static void put(nas_str *out, const void *bytes, size_t n) { nas_str_add_n(out, bytes, n); }
static void put_u64(nas_str *out, uint64_t value) { put(out, &value, sizeof value); }
static void put_i64(nas_str *out, int64_t value) { put(out, &value, sizeof value); }
static void put_real(nas_str *out, double value) { put(out, &value, sizeof value); }

static void put_identity(nas_str *out, const nas_checkpoint_identity *id) {
  put(out, id->net, DIGEST);
  put(out, id->recipe, DIGEST);
  put(out, id->data, DIGEST);
  put(out, id->split, DIGEST);
  put_u64(out, id->seed);
}

static void put_position(nas_str *out, const nas_checkpoint_position *p) {
  put_i64(out, p->epoch);
  put_i64(out, p->step);
  put_i64(out, p->images);
  put_i64(out, p->correct);
  put_real(out, p->loss_sum);
  put_real(out, p->epoch_seconds);
  put_real(out, p->seconds);
}

static void put_epoch(nas_str *out, const nas_epoch *e) {
  put_i64(out, e->epoch);
  const double figures[8] = {e->train_loss, e->train_accuracy, e->valid_loss, e->valid_accuracy,
                             e->test_loss,  e->test_accuracy,  e->seconds,    e->valid_seconds};
  put(out, figures, sizeof figures);
}

/* The arrays, which may be hundreds of megabytes, are written from where they lie. */
nas_status nas_checkpoint_save(const char *path, const nas_checkpoint *c, nas_err *err) {
  nas_piece pieces[2 * NAS_CHECKPOINT_ARRAYS_MAX + 2];
  size_t n = 0;
  nas_str head = {0};
  const uint32_t version[2] = {VERSION, 0};
  put(&head, magic, sizeof magic);
  put(&head, version, sizeof version);
  put_identity(&head, &c->identity);
  put_position(&head, &c->position);
  put_u64(&head, c->curve->n_epochs);
  for (size_t i = 0; i < c->curve->n_epochs; i++) put_epoch(&head, &c->curve->epochs[i]);
  put_u64(&head, (uint64_t)c->n_arrays);
  nas_sha256 *sum = NULL;
  char digest[NAS_DIGEST_SIZE];
  nas_status status = nas_str_check(&head, err);
  if (status == NAS_OK) status = nas_sha256_begin(&sum, err);
  if (status == NAS_OK) {
    pieces[n++] = (nas_piece){head.s, head.len};
    for (int32_t i = 0; i < c->n_arrays; i++) {
      pieces[n++] = (nas_piece){&c->arrays[i].n, sizeof c->arrays[i].n};
      pieces[n++] = (nas_piece){c->arrays[i].data, (size_t)c->arrays[i].n * sizeof(float)};
    }
    for (size_t i = 0; i < n; i++) nas_sha256_add(sum, pieces[i].bytes, pieces[i].n);
    nas_sha256_end(sum, digest);
    pieces[n++] = (nas_piece){digest, DIGEST};
    status = nas_file_write_pieces(path, pieces, n, err);
  }
  nas_str_free(&head);
  return status;
}

/* ---- reading ---- */

/* What is left of the file. A read beyond its end sets `short_` and gives zeros. */
typedef struct reader {
  const char *at;
  size_t left;
  bool short_;
} reader;

static void get(reader *r, void *out, size_t n) {
  if (n > r->left) {
    r->short_ = true;
    memset(out, 0, n);
    return;
  }
  memcpy(out, r->at, n);
  r->at += n;
  r->left -= n;
}

static uint64_t get_u64(reader *r) {
  uint64_t value;
  get(r, &value, sizeof value);
  return value;
}

static int64_t get_i64(reader *r) {
  int64_t value;
  get(r, &value, sizeof value);
  return value;
}

static double get_real(reader *r) {
  double value;
  get(r, &value, sizeof value);
  return value;
}

static nas_status damaged(const char *path, nas_err *err, const char *how) {
  return nas_fail(err, NAS_E_BAD_INPUT, path, "%s; delete the checkpoint to train from the start", how);
}

static nas_status check_frame(const char *path, const char *bytes, size_t n, nas_err *err) {
  uint32_t version;
  char digest[NAS_DIGEST_SIZE];
  if (n < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0) return damaged(path, err, "not a checkpoint");
  if (n < sizeof magic + 8 + DIGEST) return damaged(path, err, "the checkpoint is cut short");
  memcpy(&version, bytes + sizeof magic, sizeof version);
  if (version != VERSION)
    return nas_fail(err, NAS_E_UNSUPPORTED, path,
                    "a checkpoint of format %u; this program reads format %d: delete it to train from the start",
                    (unsigned)version, VERSION);
  nas_digest(bytes, n - DIGEST, digest);
  if (memcmp(digest, bytes + n - DIGEST, DIGEST) != 0)
    return damaged(path, err, "the checkpoint is damaged or cut short (its SHA-256 does not match)");
  return NAS_OK;
}

static nas_status check_identity(const char *path, reader *r, const nas_checkpoint_identity *own, nas_err *err) {
  const struct {
    const char *what, *digest;
  } parts[] = {{"network", own->net}, {"recipe", own->recipe}, {"data set", own->data}, {"data split", own->split}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    char found[NAS_DIGEST_SIZE] = {0};
    get(r, found, DIGEST);
    if (memcmp(found, parts[i].digest, DIGEST) != 0)
      return nas_fail(err, NAS_E_MISMATCH, path,
                      "the checkpoint is of another %s; name another file, or delete this one to train from the start",
                      parts[i].what);
  }
  uint64_t seed = get_u64(r);
  if (seed != own->seed)
    return nas_fail(err, NAS_E_MISMATCH, path,
                    "the checkpoint is of seed %llu, not %llu; name another file, or delete this one",
                    (unsigned long long)seed, (unsigned long long)own->seed);
  return NAS_OK;
}

static void get_position(reader *r, nas_checkpoint_position *p) {
  p->epoch = get_i64(r);
  p->step = get_i64(r);
  p->images = get_i64(r);
  p->correct = get_i64(r);
  p->loss_sum = get_real(r);
  p->epoch_seconds = get_real(r);
  p->seconds = get_real(r);
}

static void get_epoch(reader *r, nas_epoch *e) {
  double f[8];
  e->epoch = (int32_t)get_i64(r);
  get(r, f, sizeof f);
  *e = (nas_epoch){e->epoch, f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]};
}

/* The arrays must be there with the expected lengths and nothing after them. */
static bool arrays_fit(reader r, const nas_checkpoint *c) {
  if (get_u64(&r) != (uint64_t)c->n_arrays) return false;
  for (int32_t i = 0; i < c->n_arrays; i++) {
    if (get_i64(&r) != c->arrays[i].n) return false;
    size_t bytes = (size_t)c->arrays[i].n * sizeof(float);
    if (bytes > r.left) return false;
    r.at += bytes;
    r.left -= bytes;
  }
  return !r.short_ && r.left == 0;
}

static nas_status take(const char *path, reader r, nas_checkpoint *c, nas_err *err) {
  nas_checkpoint_position position;
  nas_result curve = {0};
  NAS_TRY(check_identity(path, &r, &c->identity, err));
  get_position(&r, &position);
  uint64_t epochs = get_u64(&r);
  if (r.short_ || epochs > r.left / EPOCH_BYTES || position.epoch < 0 || position.step < 0 ||
      (uint64_t)position.epoch != epochs)
    return damaged(path, err, "the checkpoint contradicts itself");
  nas_status status = NAS_OK;
  for (uint64_t i = 0; i < epochs && status == NAS_OK; i++) {
    nas_epoch epoch;
    get_epoch(&r, &epoch);
    status = nas_result_add_epoch(&curve, &epoch, err);
  }
  if (status == NAS_OK && !arrays_fit(r, c))
    status = damaged(path, err, "the checkpoint's arrays are not of the sizes that this network has");
  if (status != NAS_OK) {
    nas_result_free(&curve);
    return status;
  }
  (void)get_u64(&r);
  for (int32_t i = 0; i < c->n_arrays; i++) {
    (void)get_i64(&r);
    get(&r, c->arrays[i].data, (size_t)c->arrays[i].n * sizeof(float));
  }
  c->position = position;
  free(c->curve->epochs);
  c->curve->epochs = curve.epochs;
  c->curve->n_epochs = curve.n_epochs;
  c->curve->epochs_cap = curve.epochs_cap;
  return NAS_OK;
}

/* Looks at the file's pages in place: a process near its memory limit can still go on from a checkpoint. */
static nas_status map_file(const char *path, const char **bytes, size_t *n, nas_err *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nas_fail_errno(err, errno, path, "cannot open the checkpoint");
  struct stat st;
  nas_status status = NAS_OK;
  *bytes = "";
  *n = 0;
  if (fstat(fd, &st) != 0) status = nas_fail_errno(err, errno, path, "cannot read the checkpoint");
  else if (!S_ISREG(st.st_mode)) status = nas_fail(err, NAS_E_BAD_INPUT, path, "this is no file");
  else if (st.st_size > 0) {
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) status = nas_fail_errno(err, errno, path, "cannot read the checkpoint");
    else {
      *bytes = map;
      *n = (size_t)st.st_size;
    }
  }
  close(fd);
  return status;
}

nas_status nas_checkpoint_load(const char *path, nas_checkpoint *c, nas_err *err) {
  const char *bytes = NULL;
  size_t n = 0;
  NAS_TRY(map_file(path, &bytes, &n, err));
  nas_status status = check_frame(path, bytes, n, err);
  if (status == NAS_OK) {
    size_t head = sizeof magic + 8;
    status = take(path, (reader){bytes + head, n - head - DIGEST, false}, c, err);
  }
  if (n) munmap((void *)(uintptr_t)bytes, n);
  return status;
}
