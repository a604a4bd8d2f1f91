#ifndef NAS_JOBS_WIRE_H
#define NAS_JOBS_WIRE_H
/* The messages between coordinator, workers and trial processes, over sockets and over MPI alike. A frame is
 *   u32 magic, u32 kind, u32 payload length, u32 CRC-32 of kind and payload; then the payload,
 * little-endian. The decoder trusts nothing: lengths, counts and enumerations are checked before they are used. */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/result.h"
#include "base/status.h"
#include "space/space.h"

typedef enum nas_message_kind {
  NAS_MESSAGE_HELLO = 1, /* worker: ready with this version and data (or not, with `error`) */
  NAS_MESSAGE_TRIAL,     /* coordinator: evaluate this */
  NAS_MESSAGE_RESULT,    /* worker: how it ended */
  NAS_MESSAGE_PROGRESS,  /* worker: still at it; also the heartbeat */
  NAS_MESSAGE_STOP,      /* coordinator: no more trials, end */
  NAS_MESSAGE_STOPPED,   /* worker: nothing will follow */
  NAS_MESSAGE_SPAWN,     /* parent to zygote: fork a trial process on the descriptor sent along */
  NAS_MESSAGE_KILL,      /* parent to zygote: kill the trial process */
  NAS_MESSAGE_SPAWNED,   /* zygote: it runs as `pid` (or could not be made, with `error`) */
  NAS_MESSAGE_EXITED,    /* zygote: `pid` ended with `wait_status` and these last lines */
  NAS_MESSAGE_ACK,       /* coordinator: all results up to `sequence` are on record */
  NAS_MESSAGE_CANCEL,    /* coordinator: the trial has ended elsewhere, drop it */
  NAS_MESSAGE_PREEMPT, /* coordinator: end what runs at its next checkpoint and drop the rest; parent to zygote: SIGTERM
                        */
  NAS_MESSAGE_PING,    /* coordinator: is still there */
  NAS_MESSAGE_LEAVE,   /* coordinator: end, and wait for no other rank, for some are lost */
  NAS_MESSAGE_KINDS
} nas_message_kind;

/* One message; a kind uses the fields that its layout in wire.c names. `result` is owned. */
typedef struct nas_message {
  nas_message_kind kind;
  int64_t trial; /* row in the table */
  /* A RESULT repeats seed and arch of its TRIAL: so it can be taken in by a later run. */
  uint64_t number, seed;
  int32_t epochs; /* TRIAL: up to this one; 0 = all */
  int32_t attempt;
  char arch[NAS_ARCH_TEXT_MAX];
  nas_result result;
  bool died;         /* RESULT: the trial's process was lost with it */
  uint64_t sequence; /* RESULT: of a worker, from 1; 0: not spooled. ACK: up to this one */
  int32_t epoch;
  double share, train_loss, valid_accuracy; /* of the last whole epoch; NaN before */
  char version[96], digest[NAS_DIGEST_SIZE], split[NAS_DIGEST_SIZE];
  nas_err error;
  char host[65]; /* HELLO, PING: where the sender runs, with its pid */
  int32_t pid, wait_status;
  char tail[1200]; /* EXITED, RESULT of a process that died: its last words */
} nas_message;

enum { NAS_FRAME_HEADER = 16, NAS_FRAME_MAX = 16 << 20 };

void nas_message_free(nas_message *m);

/* Adds the frame of a message to a buffer (its bytes are out->s[0..out->len-1]). */
nas_status nas_message_encode(nas_message *m, nas_str *out, nas_err *err);

/* The size in bytes of a whole frame that was encoded here, by its header. */
size_t nas_frame_size(const char *frame);

/* Reads one frame from the n bytes. *used = 0 with OK: more bytes are needed. Errors: BAD_INPUT. `out` needs
 * nas_message_free only after OK with *used > 0. */
nas_status nas_message_decode(const void *bytes, size_t n, nas_message *out, size_t *used, nas_err *err);
#endif
