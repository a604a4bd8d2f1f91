#ifndef NAS_TRAIN_CHECKPOINT_H
#define NAS_TRAIN_CHECKPOINT_H
/* A training in one file: where it stands, its curve so far and every number that later steps depend on, so that to go
 * on gives the same bits as never to have stopped. The file names the trial it belongs to and ends with the SHA-256 of
 * all before; it is replaced atomically.
 *
 * Layout, little-endian: "NASCKPT\n", u32 version, u32 0, identity, position, u64 epochs and their rows, u64 arrays and
 * for each its u64 count and floats, 64 hex digits. */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/result.h"
#include "space/net.h"

/* What a checkpoint is of. It is refused where any of these differs. */
typedef struct nas_checkpoint_identity {
  char net[NAS_DIGEST_SIZE];    /* nas_checkpoint_net_digest */
  char recipe[NAS_DIGEST_SIZE]; /* nas_recipe_record */
  char data[NAS_DIGEST_SIZE], split[NAS_DIGEST_SIZE];
  uint64_t seed;
} nas_checkpoint_identity;

/* Where the training stands. */
typedef struct nas_checkpoint_position {
  int64_t epoch, step;     /* both from 0: the next step to take; `step` = steps of the epoch: evaluation is next */
  int64_t images, correct; /* of the epoch so far */
  double loss_sum;         /* over these images */
  double epoch_seconds;    /* spent on the epoch's steps so far */
  double seconds;          /* spent on the whole training so far */
} nas_checkpoint_position;

enum { NAS_CHECKPOINT_ARRAYS_MAX = 4 };

typedef struct nas_checkpoint {
  nas_checkpoint_identity identity;
  nas_checkpoint_position position;
  nas_result *curve; /* its epochs; borrowed */
  struct {
    float *data; /* borrowed */
    int64_t n;
  } arrays[NAS_CHECKPOINT_ARRAYS_MAX];
  int32_t n_arrays;
} nas_checkpoint;

/* A digest of the task, the layers and the output of a network. */
nas_status nas_checkpoint_net_digest(const nas_net *net, char digest[NAS_DIGEST_SIZE], nas_err *err);

nas_status nas_checkpoint_save(const char *path, const nas_checkpoint *checkpoint, nas_err *err);

/* The caller fills identity, arrays and curve with what it expects; the file is checked as a whole before anything is
 * written to position, curve or arrays. Errors: NOT_FOUND; BAD_INPUT for a file that is cut short, damaged or none of
 * ours; UNSUPPORTED for another version; MISMATCH for another trial's (the message says in what it differs). */
nas_status nas_checkpoint_load(const char *path, nas_checkpoint *checkpoint, nas_err *err);
#endif
