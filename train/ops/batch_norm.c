#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0], *plus = c->plus, *gamma = c->param[0], *beta = c->param[1];
  REAL *y = c->y, *running_mean = c->param[2], *running_var = c->param[3];
  int64_t channels = c->site.out.c, rows = nas_site_out(&c->site) / channels;
  bool train = c->site.mode == NAS_TRAIN;
  double *saved = c->saved;
  for (int64_t k = 0; k < channels; k++) {
    double mean = (double)running_mean[k], var = (double)running_var[k];
    if (train) {
      double sum = 0, square = 0;
      for (int64_t r = 0; r < rows; r++) sum += (double)x[r * channels + k];
      mean = sum / (double)rows;
      for (int64_t r = 0; r < rows; r++) {
        double d = (double)x[r * channels + k] - mean;
        square += d * d;
      }
      var = square / (double)rows;
      double unbiased = rows > 1 ? square / (double)(rows - 1) : var;
      running_mean[k] = (REAL)((1 - NAS_NORM_MOMENTUM) * (double)running_mean[k] + NAS_NORM_MOMENTUM * mean);
      running_var[k] = (REAL)((1 - NAS_NORM_MOMENTUM) * (double)running_var[k] + NAS_NORM_MOMENTUM * unbiased);
    }
    double scale = 1 / sqrt(var + NAS_NORM_EPSILON);
    if (train) saved[k] = mean, saved[channels + k] = scale;
    for (int64_t r = 0; r < rows; r++) {
      int64_t i = r * channels + k;
      REAL v = (REAL)(((double)x[i] - mean) * scale * (double)gamma[k] + (double)beta[k]);
      y[i] = plus ? plus[i] + v : v;
    }
  }
}

static void FN(backward)(const nas_call *c) {
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0], *gamma = c->param[0];
  REAL *dx = c->dx[0], *dgamma = c->grad[0], *dbeta = c->grad[1];
  int64_t channels = c->site.out.c, rows = nas_site_out(&c->site) / channels;
  const double *saved = c->saved;
  for (int64_t k = 0; k < channels; k++) {
    double mean = saved[k], scale = saved[channels + k], sum = 0, dot = 0;
    for (int64_t r = 0; r < rows; r++) {
      int64_t i = r * channels + k;
      sum += (double)dy[i];
      dot += (double)dy[i] * ((double)x[i] - mean) * scale;
    }
    dgamma[k] = (REAL)dot;
    dbeta[k] = (REAL)sum;
    if (!dx) continue;
    for (int64_t r = 0; r < rows; r++) {
      int64_t i = r * channels + k;
      double hat = ((double)x[i] - mean) * scale;
      REAL g = (REAL)((double)gamma[k] * scale * ((double)dy[i] - (sum + hat * dot) / (double)rows));
      dx[i] = dplus ? dplus[i] + g : g;
    }
  }
}
#else
#include <math.h>
#include <string.h>

#include "train/kernels/kernels.h"
#include "train/norm.h"
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/batch_norm.c"
#include "train/op_template.h"

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  c->saved_bytes = c->site.mode == NAS_TRAIN ? 2 * c->site.out.c * (int64_t)sizeof(double) : 0;
  return NAS_OK;
}

/* Rows of a tile that stays in cache while it is read twice. */
static int64_t tile_rows(const nas_site *s) {
  int64_t rows = 16384 / s->out.c;
  return rows > 0 ? rows : 1;
}

/* Per-channel arrays at the start of the scratch. */
enum { ROOM_SUM, ROOM_DOT, ROOM_A, ROOM_B, ROOM_C, ROOM_COUNT };

static float *room(const nas_call *c, int which) { return (float *)c->scratch + which * c->site.out.c; }

/* Behind them, at a multiple of a double's size. */
static nas_moments *moments_room(const nas_call *c) {
  return (nas_moments *)(void *)((char *)c->scratch + (ROOM_COUNT + 1) * c->site.out.c * (int64_t)sizeof(float));
}

static nas_norm norm_of(const nas_call *c) {
  return (nas_norm){c->site.out.c, c->param[0], c->param[1], c->param[2], c->param[3], c->grad[0], c->grad[1], 1};
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  (void)err;
  int64_t channels = c->site.out.c;
  c->saved_bytes = c->site.mode == NAS_TRAIN ? NAS_NORM_SAVED * channels * (int64_t)sizeof(float) : 0;
  c->forward_scratch = (ROOM_COUNT + 1) * channels * (int64_t)sizeof(float) + channels * (int64_t)sizeof(nas_moments);
  c->backward_scratch = c->site.mode == NAS_TRAIN ? c->forward_scratch : 0;
  return NAS_OK;
}

static void forward_fast(const nas_call *c) {
  const nas_site *s = &c->site;
  int64_t channels = s->out.c, rows = nas_site_out(s) / channels, tile = tile_rows(s);
  const float *x = c->x[0];
  nas_norm norm = norm_of(c);
  nas_moments *all = moments_room(c);
  if (s->mode == NAS_TRAIN) {
    memset(all, 0, (size_t)channels * sizeof *all);
    for (int64_t r = 0; r < rows; r += tile) {
      const float *from = x + r * channels;
      int64_t some = rows - r < tile ? rows - r : tile;
      nas_kernels()->moments(nas_f32(from), from, some, channels, room(c, ROOM_SUM), room(c, ROOM_DOT));
      nas_norm_merge(all, (double)r, from, room(c, ROOM_SUM), room(c, ROOM_DOT), (double)some, channels);
    }
    nas_norm_close(&norm, all, (double)rows, c->saved, room(c, ROOM_A), room(c, ROOM_B));
  } else {
    nas_norm_running(&norm, room(c, ROOM_A), room(c, ROOM_B));
  }
  nas_kernels()->affine_sum(c->y, c->plus, &(nas_affine){nas_f32(x), room(c, ROOM_A), room(c, ROOM_B)}, 1, rows,
                            channels);
}

static void backward_fast(const nas_call *c) {
  const nas_site *s = &c->site;
  int64_t channels = s->out.c, rows = nas_site_out(s) / channels, tile = tile_rows(s);
  const float *dy = c->dy, *x = c->x[0];
  nas_norm norm = norm_of(c);
  nas_moments *all = moments_room(c);
  memset(all, 0, (size_t)channels * sizeof *all);
  for (int64_t r = 0; r < rows; r += tile)
    nas_norm_gather(all, dy + r * channels, nas_f32(x + r * channels), c->saved, rows - r < tile ? rows - r : tile,
                    channels, room(c, ROOM_SUM), room(c, ROOM_DOT));
  nas_norm_factors(&norm, all, (double)rows, c->saved, room(c, ROOM_A), room(c, ROOM_B), room(c, ROOM_C));
  if (c->dx[0])
    nas_kernels()->norm_gradient(c->dx[0], c->dplus[0], c->dy, c->x[0], c->saved, room(c, ROOM_A), room(c, ROOM_B),
                                 room(c, ROOM_C), rows, channels);
}

static const nas_kernel fast = {
    .prepare = prepare_fast, .forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X, .sinks = true};

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  int64_t n = site->out.c;
  out[0] = (nas_param_spec){.name = "weight", .count = n, .init = NAS_INIT_ONE};
  out[1] = (nas_param_spec){.name = "bias", .count = n, .init = NAS_INIT_ZERO};
  out[2] = (nas_param_spec){.name = "running_mean", .count = n, .init = NAS_INIT_ZERO, .running = true};
  out[3] = (nas_param_spec){.name = "running_var", .count = n, .init = NAS_INIT_ONE, .running = true};
  return 4;
}

/* Zeros stay zeros: what is fed by nothing is not there, so its shift has nothing to shift (see train/README.md). */
const nas_op nas_op_batch_norm = {
    .name = "batch_norm",
    .version = 1,
    .summary = "each channel scaled to mean 0 and variance 1 over the batch, then by a trained scale and shift",
    .citation = "S. Ioffe, C. Szegedy, Batch normalization, arXiv:1502.03167",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO | NAS_OP_NORM,
    .infer = nas_infer_same,
    .params = params,
    .f32 = {.prepare = prepare, .forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X, .sinks = true},
    .f64 = {.prepare = prepare, .forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X, .sinks = true},
    .fast = &fast,
};
#endif
