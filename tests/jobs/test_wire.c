#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "jobs/channel.h"

/* A message of each kind with every field in use. */
static nas_message sample(nas_message_kind kind) {
  nas_message m = {.kind = kind,
                   .trial = INT64_C(0x123456789abcdef),
                   .number = UINT64_MAX,
                   .seed = UINT64_C(0xfedcba9876543210),
                   .attempt = -3,
                   .sequence = UINT64_C(0x1122334455667788),
                   .died = true,
                   .epoch = 200,
                   .share = 0.1,
                   .train_loss = 2.5,
                   .valid_accuracy = NAN,
                   .pid = 4711,
                   .wait_status = 139};
  strcpy(m.arch, "|nor_conv_3x3~0|+|none~0|none~1|");
  strcpy(m.version, "0.1.0+abc");
  strcpy(m.host, "node17");
  memset(m.digest, 'd', sizeof m.digest - 1);
  memset(m.split, 's', sizeof m.split - 1);
  strcpy(m.tail, "last; words");
  nas_fail(&m.error, NAS_E_NOT_FOUND, "a place", "a message");
  m.result.outcome = NAS_OUTCOME_TIMEOUT;
  nas_fail(&m.result.cause, NAS_E_TIMEOUT, "here", "too slow");
  for (int i = 1; i <= 3 && kind == NAS_MESSAGE_RESULT; i++) {
    nas_epoch e = {i, 1.0 / i, INFINITY, -0.0, 4.9e-324, 1e308, NAN, 0.25 * i, 7};
    assert_ok(nas_result_add_epoch(&m.result, &e, nas_test_err()));
  }
  assert_ok(nas_result_set_metric(&m.result, "params", 1288506, nas_test_err()));
  assert_ok(nas_result_set_metric(&m.result, "seconds", 1.5, nas_test_err()));
  return m;
}

static void assert_same_result(const nas_result *a, const nas_result *b) {
  assert_int_equal(a->outcome, b->outcome);
  assert_memory_equal(&a->cause, &b->cause, sizeof a->cause);
  assert_int_equal(a->n_epochs, b->n_epochs);
  for (size_t i = 0; i < a->n_epochs; i++) {
    assert_true(nas_epoch_same(&a->epochs[i], &b->epochs[i]));
    assert_true(a->epochs[i].seconds == b->epochs[i].seconds &&
                a->epochs[i].valid_seconds == b->epochs[i].valid_seconds);
  }
  assert_int_equal(a->n_metrics, b->n_metrics);
  for (size_t i = 0; i < a->n_metrics; i++) {
    assert_string_equal(a->metrics[i].name, b->metrics[i].name);
    assert_true(a->metrics[i].value == b->metrics[i].value);
  }
}

static void every_kind_comes_back_as_it_was(void **state) {
  (void)state;
  for (nas_message_kind kind = NAS_MESSAGE_HELLO; kind < NAS_MESSAGE_KINDS; kind++) {
    nas_message m = sample(kind), back;
    nas_str frame = {0};
    size_t used;
    assert_ok(nas_message_encode(&m, &frame, nas_test_err()));
    assert_ok(nas_message_decode(frame.s, frame.len, &back, &used, nas_test_err()));
    assert_int_equal(used, frame.len);
    assert_int_equal(back.kind, kind);
    bool about_trial = kind == NAS_MESSAGE_TRIAL || kind == NAS_MESSAGE_RESULT || kind == NAS_MESSAGE_PROGRESS ||
                       kind == NAS_MESSAGE_CANCEL;
    if (about_trial) {
      assert_true(back.trial == m.trial && back.number == m.number);
      assert_int_equal(back.attempt, m.attempt);
    }
    if (kind == NAS_MESSAGE_TRIAL) {
      assert_true(back.seed == m.seed);
      assert_int_equal(back.epochs, m.epochs);
      assert_string_equal(back.arch, m.arch);
    }
    if (kind == NAS_MESSAGE_RESULT) {
      assert_true(back.died && back.seed == m.seed && back.sequence == m.sequence);
      assert_string_equal(back.arch, m.arch);
      assert_string_equal(back.tail, m.tail);
      assert_same_result(&back.result, &m.result);
    }
    if (kind == NAS_MESSAGE_PROGRESS) {
      assert_int_equal(back.epoch, 200);
      assert_true(back.share == 0.1 && back.train_loss == 2.5 && isnan(back.valid_accuracy));
    }
    if (kind == NAS_MESSAGE_HELLO) {
      assert_string_equal(back.version, m.version);
      assert_string_equal(back.digest, m.digest);
      assert_string_equal(back.split, m.split);
      assert_memory_equal(&back.error, &m.error, sizeof m.error);
    }
    if (kind == NAS_MESSAGE_ACK) assert_true(back.sequence == m.sequence);
    if (kind == NAS_MESSAGE_HELLO) {
      assert_string_equal(back.host, "node17");
      assert_int_equal(back.pid, 4711);
    }
    if (kind == NAS_MESSAGE_EXITED) {
      assert_int_equal(back.pid, 4711);
      assert_int_equal(back.wait_status, 139);
      assert_string_equal(back.tail, "last; words");
    }
    nas_message_free(&m);
    nas_message_free(&back);
    nas_str_free(&frame);
  }
}

static void a_part_of_a_frame_waits_for_the_rest(void **state) {
  (void)state;
  nas_message m = sample(NAS_MESSAGE_RESULT), back;
  nas_str frame = {0};
  assert_ok(nas_message_encode(&m, &frame, nas_test_err()));
  for (size_t n = 0; n < frame.len; n++) {
    size_t used = 99;
    char *exact = malloc(n + 1); /* so that a sanitizer sees a read beyond the end */
    memcpy(exact, frame.s, n);
    assert_ok(nas_message_decode(exact, n, &back, &used, nas_test_err()));
    assert_int_equal(used, 0);
    free(exact);
  }
  nas_message_free(&m);
  nas_str_free(&frame);
}

static void any_flipped_bit_is_noticed(void **state) {
  (void)state;
  for (nas_message_kind kind = NAS_MESSAGE_HELLO; kind < NAS_MESSAGE_KINDS; kind++) {
    nas_message m = sample(kind), back;
    nas_str frame = {0};
    assert_ok(nas_message_encode(&m, &frame, nas_test_err()));
    for (size_t bit = 0; bit < 8 * frame.len; bit++) {
      size_t used;
      frame.s[bit / 8] = (char)(frame.s[bit / 8] ^ 1 << bit % 8);
      nas_status status = nas_message_decode(frame.s, frame.len, &back, &used, nas_test_err());
      /* A longer length makes the frame look unfinished; everything else is an error. */
      if (status == NAS_OK && (used != 0 || bit / 8 < 8 || bit / 8 > 11)) fail_msg("kind %d bit %zu", kind, bit);
      frame.s[bit / 8] = (char)(frame.s[bit / 8] ^ 1 << bit % 8);
    }
    nas_message_free(&m);
    nas_str_free(&frame);
  }
}

static void put_u32(char *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (char)(v >> 8 * i);
}

/* A frame whose sums are right and whose content is wrong. */
static nas_status decode_payload(nas_message_kind kind, const char *payload, size_t n) {
  char *frame = malloc(16 + n);
  nas_message out;
  size_t used;
  memcpy(frame, "nas1", 4);
  put_u32(frame + 4, (uint32_t)kind);
  put_u32(frame + 8, (uint32_t)n);
  put_u32(frame + 12, nas_crc32(payload, n) ^ (uint32_t)kind * 0x9e3779b1u);
  if (n) memcpy(frame + 16, payload, n);
  nas_status status = nas_message_decode(frame, 16 + n, &out, &used, nas_test_err());
  if (status == NAS_OK && used) nas_message_free(&out);
  free(frame);
  return status;
}

static void lies_inside_a_frame_are_refused(void **state) {
  (void)state;
  assert_ok(decode_payload(NAS_MESSAGE_STOP, "", 0));
  assert_fails(decode_payload(NAS_MESSAGE_STOP, "x", 1), NAS_E_BAD_INPUT, "goes on after its end");
  assert_fails(decode_payload(NAS_MESSAGE_TRIAL, "", 0), NAS_E_BAD_INPUT, "ends early");
  assert_fails(decode_payload((nas_message_kind)0, "", 0), NAS_E_BAD_INPUT, "no such kind");
  assert_fails(decode_payload(NAS_MESSAGE_KINDS, "", 0), NAS_E_BAD_INPUT, "no such kind");
  /* RESULT: trial, number, attempt (20 bytes), died, outcome, cause (code, two texts), epochs ... */
  char payload[512] = {0};
  payload[20] = 2;
  assert_fails(decode_payload(NAS_MESSAGE_RESULT, payload, sizeof payload), NAS_E_BAD_INPUT, "neither 0 nor 1");
  payload[20] = 1;
  payload[21] = NAS_OUTCOME_COUNT;
  assert_fails(decode_payload(NAS_MESSAGE_RESULT, payload, sizeof payload), NAS_E_BAD_INPUT, "no such outcome");
  payload[21] = 0;
  put_u32(payload + 29, 188);
  assert_fails(decode_payload(NAS_MESSAGE_RESULT, payload, sizeof payload), NAS_E_BAD_INPUT, "longer than its field");
  put_u32(payload + 29, 5);
  assert_fails(decode_payload(NAS_MESSAGE_RESULT, payload, sizeof payload), NAS_E_BAD_INPUT, "contains a NUL");
  /* A NUL in the last bytes of a frame: what follows must not be read. */
  assert_fails(decode_payload(NAS_MESSAGE_HELLO, "\1\0\0\0\0", 5), NAS_E_BAD_INPUT, "contains a NUL");
  put_u32(payload + 29, 0);
  put_u32(payload + 37, 0xffffffffu);
  assert_fails(decode_payload(NAS_MESSAGE_RESULT, payload, sizeof payload), NAS_E_BAD_INPUT, "longer than the message");
  put_u32(payload + 37, 0);
  put_u32(payload + 41, NAS_METRICS_MAX + 1);
  assert_fails(decode_payload(NAS_MESSAGE_RESULT, payload, sizeof payload), NAS_E_BAD_INPUT, "too many metrics");
  put_u32(payload + 41, 0);
  assert_ok(decode_payload(NAS_MESSAGE_RESULT, payload, 45 + 24));
}

static void a_frame_that_claims_gigabytes_is_refused(void **state) {
  (void)state;
  char header[16] = "nas1";
  nas_message out;
  size_t used;
  put_u32(header + 4, NAS_MESSAGE_RESULT);
  put_u32(header + 8, 0xfffffff0u);
  assert_fails(nas_message_decode(header, 16, &out, &used, nas_test_err()), NAS_E_BAD_INPUT, "too long");
}

static void a_channel_carries_messages_in_order_however_they_are_cut(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  nas_channel c;
  nas_channel_open(&c, ends[1]);
  nas_str bytes = {0};
  for (int i = 0; i < 5; i++) {
    nas_message m = sample(NAS_MESSAGE_RESULT);
    m.trial = i;
    assert_ok(nas_message_encode(&m, &bytes, nas_test_err()));
    nas_message_free(&m);
  }
  int next = 0;
  for (size_t at = 0; at < bytes.len;) {
    size_t n = 1 + (at * 7919) % 301;
    if (n > bytes.len - at) n = bytes.len - at;
    assert_int_equal(write(ends[0], bytes.s + at, n), n);
    at += n;
    nas_arrival arrival = NAS_ARRIVAL_MESSAGE;
    while (arrival == NAS_ARRIVAL_MESSAGE) {
      nas_message m;
      assert_ok(nas_channel_receive(&c, &m, &arrival, nas_test_err()));
      if (arrival != NAS_ARRIVAL_MESSAGE) break;
      assert_int_equal(m.trial, next++);
      nas_message_free(&m);
    }
    assert_int_equal(arrival, NAS_ARRIVAL_NONE);
  }
  assert_int_equal(next, 5);
  /* A torn frame at the end of the stream is dropped with its sender. */
  assert_int_equal(write(ends[0], bytes.s, 40), 40);
  close(ends[0]);
  nas_arrival arrival;
  nas_message m;
  assert_ok(nas_channel_receive(&c, &m, &arrival, nas_test_err()));
  assert_int_equal(arrival, NAS_ARRIVAL_CLOSED);
  nas_channel_close(&c);
  nas_str_free(&bytes);
}

NAS_SUITE(Wire, NAS_CASE(every_kind_comes_back_as_it_was), NAS_CASE(a_part_of_a_frame_waits_for_the_rest),
          NAS_CASE(any_flipped_bit_is_noticed), NAS_CASE(lies_inside_a_frame_are_refused),
          NAS_CASE(a_frame_that_claims_gigabytes_is_refused),
          NAS_CASE(a_channel_carries_messages_in_order_however_they_are_cut))
