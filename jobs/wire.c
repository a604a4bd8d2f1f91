#include "jobs/wire.h"

#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0x3173616e /* "nas1" */, EPOCH_BYTES = 4 + 8 * 8 };

/* One description of each layout serves both directions. When reading, the first violation sets `bad` and all further
 * reads give zeros. */
typedef struct codec {
  nas_str *out; /* writing */
  const unsigned char *in;
  size_t left;
  const char *bad;
} codec;

static void violate(codec *c, const char *what) {
  if (!c->bad) c->bad = what;
  c->left = 0;
}

static void visit_u64(codec *c, uint64_t *v, int bytes) {
  unsigned char b[8] = {0};
  if (c->out) {
    for (int i = 0; i < bytes; i++) b[i] = (unsigned char)(*v >> 8 * i);
    nas_str_add_n(c->out, (const char *)b, (size_t)bytes);
    return;
  }
  if (c->left < (size_t)bytes) {
    violate(c, "it ends early");
    *v = 0;
    return;
  }
  memcpy(b, c->in, (size_t)bytes);
  c->in += bytes;
  c->left -= (size_t)bytes;
  *v = 0;
  for (int i = 0; i < bytes; i++) *v |= (uint64_t)b[i] << 8 * i;
}

static void visit_i64(codec *c, int64_t *v) {
  uint64_t u = (uint64_t)*v;
  visit_u64(c, &u, 8);
  *v = (int64_t)u;
}

static void visit_i32(codec *c, int32_t *v) {
  uint64_t u = (uint32_t)*v;
  visit_u64(c, &u, 4);
  *v = (int32_t)(uint32_t)u;
}

static void visit_real(codec *c, double *v) {
  uint64_t u;
  memcpy(&u, v, sizeof u);
  visit_u64(c, &u, 8);
  memcpy(v, &u, sizeof u);
}

static void visit_bool(codec *c, bool *v) {
  uint64_t u = *v;
  visit_u64(c, &u, 1);
  if (u > 1) violate(c, "a flag is neither 0 nor 1");
  *v = u == 1;
}

/* A text in a field of `size` bytes: length, then the bytes without the NUL. */
static void visit_text(codec *c, char *text, size_t size) {
  uint64_t n = c->out ? strnlen(text, size - 1) : 0;
  visit_u64(c, &n, 4);
  if (c->out) {
    nas_str_add_n(c->out, text, (size_t)n);
    return;
  }
  text[0] = '\0';
  if (n >= size) violate(c, "a text is longer than its field");
  if (n > c->left) violate(c, "it ends early");
  if (c->bad) return;
  memcpy(text, c->in, (size_t)n);
  text[n] = '\0';
  c->in += n;
  c->left -= (size_t)n;
  if (strlen(text) != n) violate(c, "a text contains a NUL");
}

static void visit_err(codec *c, nas_err *e) {
  visit_i32(c, &e->code);
  visit_text(c, e->where, sizeof e->where);
  visit_text(c, e->msg, sizeof e->msg);
}

static void visit_epoch(codec *c, nas_epoch *e) {
  visit_i32(c, &e->epoch);
  double *const reals[] = {&e->train_loss, &e->train_accuracy, &e->valid_loss, &e->valid_accuracy,
                           &e->test_loss,  &e->test_accuracy,  &e->seconds,    &e->valid_seconds};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) visit_real(c, reals[i]);
}

static void visit_epochs(codec *c, nas_result *r) {
  uint64_t n = r->n_epochs;
  visit_u64(c, &n, 4);
  if (!c->out) {
    if (n > c->left / EPOCH_BYTES) violate(c, "the curve is longer than the message");
    if (c->bad || n == 0) return;
    r->epochs = calloc((size_t)n, sizeof *r->epochs);
    if (!r->epochs) {
      violate(c, "no memory for the curve");
      return;
    }
    r->n_epochs = r->epochs_cap = (size_t)n;
  }
  for (size_t i = 0; i < (size_t)n; i++) visit_epoch(c, &r->epochs[i]);
}

static void visit_result(codec *c, nas_result *r) {
  uint64_t outcome = (uint64_t)r->outcome, n = r->n_metrics;
  visit_u64(c, &outcome, 4);
  if (outcome >= NAS_OUTCOME_COUNT) violate(c, "no such outcome");
  else r->outcome = (nas_outcome)outcome;
  visit_err(c, &r->cause);
  visit_epochs(c, r);
  visit_u64(c, &n, 4);
  if (n > NAS_METRICS_MAX) violate(c, "too many metrics");
  if (c->bad) return;
  r->n_metrics = (size_t)n;
  for (size_t i = 0; i < r->n_metrics; i++) {
    visit_text(c, r->metrics[i].name, sizeof r->metrics[i].name);
    visit_real(c, &r->metrics[i].value);
  }
}

static void visit_hello(codec *c, nas_message *m) {
  visit_text(c, m->version, sizeof m->version);
  visit_text(c, m->digest, sizeof m->digest);
  visit_text(c, m->split, sizeof m->split);
  visit_err(c, &m->error);
  visit_text(c, m->host, sizeof m->host);
  visit_i32(c, &m->pid);
}

static void visit_attempt(codec *c, nas_message *m) {
  visit_i64(c, &m->trial);
  visit_u64(c, &m->number, 8);
  visit_i32(c, &m->attempt);
}

static void visit_message(codec *c, nas_message *m) {
  switch (m->kind) {
    case NAS_MESSAGE_HELLO: visit_hello(c, m); break;
    case NAS_MESSAGE_TRIAL:
      visit_attempt(c, m);
      visit_u64(c, &m->seed, 8);
      visit_i32(c, &m->epochs);
      visit_text(c, m->arch, sizeof m->arch);
      break;
    case NAS_MESSAGE_RESULT:
      visit_attempt(c, m);
      visit_bool(c, &m->died);
      visit_result(c, &m->result);
      visit_u64(c, &m->sequence, 8);
      visit_u64(c, &m->seed, 8);
      visit_text(c, m->arch, sizeof m->arch);
      visit_text(c, m->tail, sizeof m->tail);
      break;
    case NAS_MESSAGE_PROGRESS:
      visit_attempt(c, m);
      visit_i32(c, &m->epoch);
      visit_real(c, &m->share);
      visit_real(c, &m->train_loss);
      visit_real(c, &m->valid_accuracy);
      break;
    case NAS_MESSAGE_SPAWNED:
      visit_i32(c, &m->pid);
      visit_err(c, &m->error);
      break;
    case NAS_MESSAGE_EXITED:
      visit_i32(c, &m->pid);
      visit_i32(c, &m->wait_status);
      visit_text(c, m->tail, sizeof m->tail);
      break;
    case NAS_MESSAGE_ACK: visit_u64(c, &m->sequence, 8); break;
    case NAS_MESSAGE_CANCEL: visit_attempt(c, m); break;
    case NAS_MESSAGE_PING:
      visit_text(c, m->host, sizeof m->host);
      visit_i32(c, &m->pid);
      break;
    case NAS_MESSAGE_PREEMPT:
    case NAS_MESSAGE_LEAVE:
    case NAS_MESSAGE_STOP:
    case NAS_MESSAGE_STOPPED:
    case NAS_MESSAGE_SPAWN:
    case NAS_MESSAGE_KILL:
    case NAS_MESSAGE_KINDS: break;
  }
}

void nas_message_free(nas_message *m) { nas_result_free(&m->result); }

static void put_u32(unsigned char *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static uint32_t get_u32(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Kind and payload under one sum: a frame with a flipped kind is as bad as one with a flipped number. */
static uint32_t frame_crc(uint32_t kind, const void *payload, size_t n) {
  return nas_crc32(payload, n) ^ kind * 0x9e3779b1u;
}

nas_status nas_message_encode(nas_message *m, nas_str *out, nas_err *err) {
  size_t start = out->len;
  unsigned char header[NAS_FRAME_HEADER] = {0};
  nas_str_add_n(out, (const char *)header, sizeof header);
  codec c = {.out = out};
  visit_message(&c, m);
  NAS_TRY(nas_str_check(out, err));
  size_t n = out->len - start - sizeof header;
  if (n > NAS_FRAME_MAX)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "message", "a result of %zu bytes is longer than %d", n, NAS_FRAME_MAX);
  put_u32(header, MAGIC);
  put_u32(header + 4, (uint32_t)m->kind);
  put_u32(header + 8, (uint32_t)n);
  put_u32(header + 12, frame_crc((uint32_t)m->kind, out->s + start + sizeof header, n));
  memcpy(out->s + start, header, sizeof header);
  return NAS_OK;
}

size_t nas_frame_size(const char *frame) { return NAS_FRAME_HEADER + get_u32((const unsigned char *)frame + 8); }

static nas_status corrupt(nas_err *err, const char *why) {
  return nas_fail(err, NAS_E_BAD_INPUT, "message", "a message is corrupt: %s", why);
}

nas_status nas_message_decode(const void *bytes, size_t n, nas_message *out, size_t *used, nas_err *err) {
  const unsigned char *p = bytes;
  *used = 0;
  if (n >= 4 && get_u32(p) != MAGIC) return corrupt(err, "it does not begin like one");
  if (n < NAS_FRAME_HEADER) return NAS_OK;
  uint32_t kind = get_u32(p + 4), length = get_u32(p + 8), crc = get_u32(p + 12);
  if (kind < 1 || kind >= NAS_MESSAGE_KINDS) return corrupt(err, "no such kind");
  if (length > NAS_FRAME_MAX) return corrupt(err, "it claims to be too long");
  if (n - NAS_FRAME_HEADER < length) return NAS_OK;
  if (frame_crc(kind, p + NAS_FRAME_HEADER, length) != crc) return corrupt(err, "its check sum is wrong");
  *out = (nas_message){.kind = (nas_message_kind)kind};
  codec c = {.in = p + NAS_FRAME_HEADER, .left = length};
  visit_message(&c, out);
  if (!c.bad && c.left) violate(&c, "it goes on after its end");
  if (c.bad) {
    nas_message_free(out);
    return corrupt(err, c.bad);
  }
  *used = NAS_FRAME_HEADER + length;
  return NAS_OK;
}
