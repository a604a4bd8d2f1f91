#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"

enum { PARAMS = 5, STATES = 3 };

/* A checkpoint with all its storage. */
typedef struct sample {
  nas_checkpoint c;
  nas_result curve;
  float params[PARAMS], states[STATES];
} sample;

static void fill_digest(char *out, char letter) {
  memset(out, letter, NAS_DIGEST_SIZE - 1);
  out[NAS_DIGEST_SIZE - 1] = 0;
}

static void make(sample *s, bool filled) {
  *s = (sample){0};
  fill_digest(s->c.identity.net, 'a');
  fill_digest(s->c.identity.recipe, 'b');
  fill_digest(s->c.identity.data, 'c');
  fill_digest(s->c.identity.split, 'd');
  s->c.identity.seed = 0xfedcba9876543210u;
  s->c.curve = &s->curve;
  s->c.arrays[0].data = s->params;
  s->c.arrays[0].n = PARAMS;
  s->c.arrays[1].data = s->states;
  s->c.arrays[1].n = STATES;
  s->c.n_arrays = 2;
  if (!filled) return;
  s->c.position = (nas_checkpoint_position){2, 17, 4352, 3210, 1234.5678901234567, 3.25, 99.5};
  for (int i = 1; i <= 2; i++) {
    nas_epoch e = {i, 0.5 / i, 80 + i, 0.6 / i, 79 + i, (double)NAN, (double)NAN, 1.5, 0.25};
    assert_ok(nas_result_add_epoch(&s->curve, &e, nas_test_err()));
  }
  for (int i = 0; i < PARAMS; i++) s->params[i] = 0.1f * (float)i;
  for (int i = 0; i < STATES; i++) s->states[i] = -1.0f / (float)(i + 1);
}

static const char *path_in(char out[512]) {
  nas_text_put(out, 512, "%s/trial.ckpt", nas_test_folder());
  return out;
}

static void reads_back_every_bit(void **state) {
  (void)state;
  char path[512];
  sample a, b;
  make(&a, true);
  make(&b, false);
  assert_ok(nas_checkpoint_save(path_in(path), &a.c, nas_test_err()));
  assert_ok(nas_checkpoint_load(path, &b.c, nas_test_err()));
  assert_memory_equal(a.params, b.params, sizeof a.params);
  assert_memory_equal(a.states, b.states, sizeof a.states);
  assert_memory_equal(&a.c.position, &b.c.position, sizeof a.c.position);
  assert_int_equal(b.curve.n_epochs, 2);
  for (size_t i = 0; i < 2; i++) {
    assert_true(nas_epoch_same(&a.curve.epochs[i], &b.curve.epochs[i]));
    assert_true(a.curve.epochs[i].seconds == b.curve.epochs[i].seconds);
    assert_true(a.curve.epochs[i].valid_seconds == b.curve.epochs[i].valid_seconds);
  }
  nas_result_free(&a.curve);
  nas_result_free(&b.curve);
}

/* Loading must fail and leave the destination as it was. */
static void assert_refused(const char *path, sample *own, nas_status code, const char *part) {
  for (int i = 0; i < PARAMS; i++) own->params[i] = 42;
  assert_fails(nas_checkpoint_load(path, &own->c, nas_test_err()), code, part);
  for (int i = 0; i < PARAMS; i++) assert_true(own->params[i] == 42);
  assert_int_equal(own->curve.n_epochs, 0);
}

static void refuses_another_trial(void **state) {
  (void)state;
  static const char *const parts[] = {"another network", "another recipe", "another data set", "another data split",
                                      "seed"};
  char path[512];
  sample a;
  make(&a, true);
  assert_ok(nas_checkpoint_save(path_in(path), &a.c, nas_test_err()));
  for (int i = 0; i < 5; i++) {
    sample b;
    make(&b, false);
    char *const digests[] = {b.c.identity.net, b.c.identity.recipe, b.c.identity.data, b.c.identity.split};
    if (i < 4) digests[i][7] = 'x';
    else b.c.identity.seed = 1;
    assert_refused(path, &b, NAS_E_MISMATCH, parts[i]);
    assert_refused(path, &b, NAS_E_MISMATCH, "trial.ckpt");
  }
  nas_result_free(&a.curve);
}

/* Cut anywhere, or with any bit of it flipped, the file is refused by name. */
static void refuses_damage(void **state) {
  (void)state;
  char path[512], *bytes;
  size_t n;
  sample a, b;
  make(&a, true);
  make(&b, false);
  assert_ok(nas_checkpoint_save(path_in(path), &a.c, nas_test_err()));
  assert_ok(nas_file_read(path, 1 << 20, &bytes, &n, nas_test_err()));
  for (size_t cut = 0; cut < n; cut += cut < 400 ? 7 : 31) {
    assert_ok(nas_file_write_atomic(path, bytes, cut, nas_test_err()));
    assert_refused(path, &b, NAS_E_BAD_INPUT, "trial.ckpt");
  }
  for (size_t at = 12; at < n; at += 29) {
    bytes[at] ^= 4;
    assert_ok(nas_file_write_atomic(path, bytes, n, nas_test_err()));
    assert_refused(path, &b, NAS_E_BAD_INPUT, "SHA-256");
    bytes[at] ^= 4;
  }
  bytes[8] = 9; /* the version */
  assert_ok(nas_file_write_atomic(path, bytes, n, nas_test_err()));
  assert_refused(path, &b, NAS_E_UNSUPPORTED, "format 9");
  assert_ok(nas_file_write_atomic(path, "hello", 5, nas_test_err()));
  assert_refused(path, &b, NAS_E_BAD_INPUT, "not a checkpoint");
  free(bytes);
  nas_result_free(&a.curve);
}

static void refuses_other_sizes(void **state) {
  (void)state;
  char path[512];
  sample a, b;
  make(&a, true);
  make(&b, false);
  assert_ok(nas_checkpoint_save(path_in(path), &a.c, nas_test_err()));
  b.c.arrays[1].n = STATES - 1;
  assert_refused(path, &b, NAS_E_BAD_INPUT, "sizes");
  b.c.n_arrays = 1;
  assert_refused(path, &b, NAS_E_BAD_INPUT, "sizes");
  nas_result_free(&a.curve);
}

static void says_where_it_cannot_write_or_read(void **state) {
  (void)state;
  sample a;
  make(&a, true);
  assert_fails(nas_checkpoint_save("/nonexistent/x.ckpt", &a.c, nas_test_err()), NAS_E_NOT_FOUND,
               "/nonexistent/x.ckpt");
  assert_fails(nas_checkpoint_load("/nonexistent/x.ckpt", &a.c, nas_test_err()), NAS_E_NOT_FOUND,
               "/nonexistent/x.ckpt");
  nas_result_free(&a.curve);
}

static nas_net *small_net(int32_t channels, bool second_relu) {
  nas_net *net = nas_net_new((nas_task){{1, 8, 8}, 4}, nas_test_err());
  assert_non_null(net);
  int32_t v;
  assert_ok(nas_net_conv2d(net, NAS_NET_INPUT, channels, 3, 1, 1, 1, false, "conv", &v, nas_test_err()));
  assert_ok(nas_net_relu(net, v, "relu", &v, nas_test_err()));
  if (second_relu) assert_ok(nas_net_relu(net, v, "relu2", &v, nas_test_err()));
  assert_ok(nas_net_global_pool(net, v, "pool", &v, nas_test_err()));
  assert_ok(nas_net_linear(net, v, 4, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  return net;
}

static void net_digest_tells_networks_apart(void **state) {
  (void)state;
  char digest[4][NAS_DIGEST_SIZE];
  nas_net *nets[4] = {small_net(3, false), small_net(3, false), small_net(4, false), small_net(3, true)};
  for (int i = 0; i < 4; i++) assert_ok(nas_checkpoint_net_digest(nets[i], digest[i], nas_test_err()));
  assert_string_equal(digest[0], digest[1]);
  assert_string_not_equal(digest[0], digest[2]);
  assert_string_not_equal(digest[0], digest[3]);
  for (int i = 0; i < 4; i++) nas_net_free(nets[i]);
}

NAS_SUITE(Checkpoint, NAS_CASE(reads_back_every_bit), NAS_CASE(refuses_another_trial), NAS_CASE(refuses_damage),
          NAS_CASE(refuses_other_sizes), NAS_CASE(says_where_it_cannot_write_or_read),
          NAS_CASE(net_digest_tells_networks_apart))
