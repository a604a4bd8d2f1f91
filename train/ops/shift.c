#ifdef REAL
/* Where channel k of pixel (row, column) of the output comes from. */
static place FN(place_of)(const nas_call *c, int64_t row, int64_t column, int64_t k) {
  const REAL *shift = (const REAL *)c->param[0] + 2 * k;
  double y = (double)row + (double)shift[0], x = (double)column + (double)shift[1];
  place p = {.y = (int64_t)floor(fmax(-2, fmin(y, (double)c->site.in[0].h + 1))),
             .x = (int64_t)floor(fmax(-2, fmin(x, (double)c->site.in[0].w + 1)))};
  p.down = y - (double)p.y;
  p.right = x - (double)p.x;
  return p;
}

/* The number there, or 0 outside of the image. */
static double FN(at)(const nas_call *c, const REAL *image, int64_t y, int64_t x, int64_t k) {
  nas_shape s = c->site.in[0];
  return y < 0 || y >= s.h || x < 0 || x >= s.w ? 0 : (double)image[(y * s.w + x) * s.c + k];
}

static void FN(forward)(const nas_call *c) {
  nas_shape s = c->site.in[0];
  int64_t moved = c->site.out.c;
  REAL *y = c->y;
  for (int64_t n = 0; n < c->site.batch; n++) {
    const REAL *image = (const REAL *)c->x[0] + n * nas_shape_size(s);
    for (int64_t row = 0; row < s.h; row++)
      for (int64_t column = 0; column < s.w; column++)
        for (int64_t i = 0; i < moved; i++) {
          place p = FN(place_of)(c, row, column, i);
          int64_t k = i % s.c;
          double top = (1 - p.right) * FN(at)(c, image, p.y, p.x, k) + p.right * FN(at)(c, image, p.y, p.x + 1, k);
          double low =
              (1 - p.right) * FN(at)(c, image, p.y + 1, p.x, k) + p.right * FN(at)(c, image, p.y + 1, p.x + 1, k);
          *y++ = (REAL)((1 - p.down) * top + p.down * low);
        }
  }
}

static void FN(backward)(const nas_call *c) {
  nas_shape s = c->site.in[0];
  int64_t moved = c->site.out.c;
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  double *sum = c->scratch;
  for (int64_t i = 0; i < 2 * moved; i++) sum[i] = 0;
  for (int64_t i = 0; dx && i < nas_site_in(&c->site, 0); i++) dx[i] = dplus ? dplus[i] : (REAL)0;
  for (int64_t n = 0; n < c->site.batch; n++) {
    const REAL *image = (const REAL *)c->x[0] + n * nas_shape_size(s);
    for (int64_t row = 0; row < s.h; row++)
      for (int64_t column = 0; column < s.w; column++)
        for (int64_t o = 0; o < moved; o++, dy++) {
          place p = FN(place_of)(c, row, column, o);
          int64_t k = o % s.c;
          double g = (double)*dy, v[4];
          for (int i = 0; i < 4; i++) {
            int64_t y = p.y + i / 2, x = p.x + i % 2;
            double share = (i / 2 ? p.down : 1 - p.down) * (i % 2 ? p.right : 1 - p.right);
            v[i] = FN(at)(c, image, y, x, k);
            if (dx && y >= 0 && y < s.h && x >= 0 && x < s.w)
              dx[n * nas_shape_size(s) + (y * s.w + x) * s.c + k] += (REAL)(g * share);
          }
          sum[2 * o] += g * ((1 - p.right) * (v[2] - v[0]) + p.right * (v[3] - v[1]));
          sum[2 * o + 1] += g * ((1 - p.down) * (v[1] - v[0]) + p.down * (v[3] - v[2]));
        }
  }
  for (int64_t i = 0; i < 2 * moved; i++) ((REAL *)c->grad[0])[i] = (REAL)sum[i];
}
#else
#include <math.h>

#include "train/op.h"

/* The pixel up and left of where something comes from, and how far beyond it. */
typedef struct place {
  int64_t y, x;
  double down, right;
} place;

typedef struct shift_options {
  double range;
  int64_t copies;
} shift_options;

static const nas_option options[] = {
    NAS_OPT_REAL(shift_options, range, "range", "1", 0, 64, "the shifts begin within this many pixels"),
    NAS_OPT_INT(shift_options, copies, "copies", "1", 1, 65536, "copies of the image, each moved by shifts of its own"),
    NAS_OPT_END};

#define NAS_TEMPLATE "train/ops/shift.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  shift_options o;
  NAS_TRY(nas_op_options(site, options, &o, "shift", label, err));
  int64_t channels = (int64_t)site->in[0].c * o.copies;
  if (channels > INT32_MAX) return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "more than 2^31 moved channels");
  *out = site->in[0];
  out->c = (int32_t)channels;
  return NAS_OK;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  shift_options o;
  if (nas_op_options(site, options, &o, "shift", NULL, NULL) != NAS_OK) return 0;
  out[0] = (nas_param_spec){
      .name = "shift", .count = 2 * (int64_t)site->in[0].c * o.copies, .init = NAS_INIT_UNIFORM, .bound = o.range};
  return 1;
}

/* Four weights of a bilinear mean for each number. */
static int64_t macs(const nas_site *site) { return 4 * nas_shape_size(site->out); }

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  c->backward_scratch = 2 * c->site.out.c * (int64_t)sizeof(double);
  return NAS_OK;
}

static const char *const samples[] = {"", "range=2.5\n", "copies=3\n", NULL};

const nas_op nas_op_shift = {
    .name = "shift",
    .version = 1,
    .summary = "every channel of every copy moved by trained parts of pixels (bilinear; zeros around the image)",
    .citation = "S. Kiranyaz et al., Super neurons, IEEE TETCI 8, 2024, arXiv:2109.01594",
    .attributes = "options",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.prepare = prepare, .forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.prepare = prepare, .forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
    .options = options,
    .samples = samples,
};
#endif
