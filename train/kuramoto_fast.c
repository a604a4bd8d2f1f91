/* The fast kernels of oscillators: a few images at a time go through all steps, [channel][row]; the coupling is a
 * matrix product, over patches where its window is wider than a pixel. */
#include "train/kuramoto.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "train/gemm.h"
#include "train/kernels/kernels.h"

enum { ROWS_MIN = 64 };

/* One chunk of images. `rows` counts pixels, rounded up to vectors; `all` = channels rows. */
typedef struct chunk {
  int64_t first, images, pixels, rows, used, channels, all, taps, steps;
  bool keep;
  float *states; /* where training keeps them: state, drive, state, drive ..., last state */
} chunk;

static int64_t images_of(const nas_call *c) {
  int64_t pixels = nas_shape_pixels(c->site.out), n = (ROWS_MIN + pixels - 1) / pixels;
  return n < c->site.batch ? n : c->site.batch;
}

static int64_t padded(int64_t rows) { return (rows + 15) / 16 * 16; }

/* Numbers of one state of a full chunk, and chunks of a batch. */
static int64_t state_of(const nas_call *c) {
  return c->site.out.c * padded(images_of(c) * nas_shape_pixels(c->site.out));
}
static int64_t chunks_of(const nas_call *c) { return (c->site.batch + images_of(c) - 1) / images_of(c); }

static chunk chunk_at(const nas_call *c, int64_t index) {
  const nas_kuramoto_options *o = c->prepared;
  chunk k = {.first = index * images_of(c), .pixels = nas_shape_pixels(c->site.out), .channels = c->site.out.c};
  k.images = c->site.batch - k.first < images_of(c) ? c->site.batch - k.first : images_of(c);
  k.used = k.images * k.pixels;
  k.rows = padded(k.used);
  k.all = k.channels * k.rows;
  k.taps = o->kernel * o->kernel;
  k.steps = o->steps;
  k.keep = c->site.mode == NAS_TRAIN;
  k.states = k.keep ? (float *)c->saved + index * (2 * o->steps + 1) * state_of(c) : NULL;
  return k;
}

nas_status nas_kuramoto_prepare_fast(nas_call *c, nas_err *err) {
  (void)err;
  const nas_kuramoto_options *o = c->prepared;
  const int64_t size = (int64_t)sizeof(float), state = state_of(c), taps = o->kernel * o->kernel;
  int64_t patches = taps > 1 ? taps * state : 0, speeds = c->site.out.c;
  if (c->site.mode == NAS_TRAIN) c->saved_bytes = chunks_of(c) * (2 * o->steps + 1) * state * size;
  c->forward_scratch = (4 * state + patches + speeds) * size;
  c->backward_scratch = ((chunks_of(c) + 3) * state + 2 * patches + 2 * speeds) * size;
  return NAS_OK;
}

/* Rows [row][channel] as [channel][row] and back; zeros in rows that are none. Sixteen channels at a time. */
static void turn(const chunk *k, const float *from, float *to) {
  for (int64_t i = 0; i < k->channels; i++) {
    for (int64_t r = 0; r < k->used; r++) to[i * k->rows + r] = from[r * k->channels + i];
    for (int64_t r = k->used; r < k->rows; r++) to[i * k->rows + r] = 0;
  }
}

static void turn_back(const chunk *k, const float *from, const float *plus, float *to) {
  for (int64_t i = 0; i < k->channels; i++)
    for (int64_t r = 0; r < k->used; r++) {
      int64_t at = r * k->channels + i;
      to[at] = plus ? plus[at] + from[i * k->rows + r] : from[i * k->rows + r];
    }
}

/* One image's line of taps: columns [begin, end) of the output see columns begin + shift.. of the input. */
typedef struct line {
  int64_t begin, end, shift;
} line;

static line line_of(int64_t width, int64_t shift) {
  return (line){shift < 0 ? -shift : 0, shift > 0 ? width - shift : width, shift};
}

/* Calls for every channel, tap, image and image row; `add` sends patches back into x. */
static void patch(const nas_call *c, const chunk *k, float *x, float *patches, bool add) {
  const nas_kuramoto_options *o = c->prepared;
  int64_t h = c->site.out.h, w = c->site.out.w;
  if (!patches || !x) return;
  if (!add) memset(patches, 0, (size_t)(k->taps * k->all) * sizeof *patches);
  for (int64_t row = 0; row < k->channels * k->taps; row++) {
    int64_t tap = row % k->taps, down = tap / o->kernel - o->kernel / 2;
    line l = line_of(w, tap % o->kernel - o->kernel / 2);
    for (int64_t y = 0; y < k->images * h && l.begin < l.end; y++) {
      int64_t in_image = y % h + down;
      if (in_image < 0 || in_image >= h) continue;
      float *from = x + row / k->taps * k->rows + (y + down) * w + l.shift, *to = patches + row * k->rows + y * w;
      if (!add) memcpy(to + l.begin, from + l.begin, (size_t)(l.end - l.begin) * sizeof *to);
      for (int64_t i = l.begin; add && i < l.end; i++) from[i] += to[i];
    }
  }
}

/* The speed of each pair of channels, or of all. */
static int64_t speeds_of(const nas_call *c, float *speed) {
  const nas_kuramoto_options *o = c->prepared;
  const float *omega = c->param[NAS_KURAMOTO_OMEGA];
  int64_t n = o->omega[0] == 'p' ? c->site.out.c / 2 : 1;
  for (int64_t i = 0; i < n; i++) speed[i] = hypotf(omega[2 * i], omega[2 * i + 1]);
  return n;
}

static nas_kuramoto loops_of(const nas_call *c, const chunk *k, float *stimulus, const float *speed) {
  const nas_kuramoto_options *o = c->prepared;
  return (nas_kuramoto){.rows = k->rows,
                        .channels = k->channels,
                        .n = o->n,
                        .global = o->omega[0] != 'p',
                        .gamma = *(const float *)c->param[NAS_KURAMOTO_GAMMA],
                        .speed = speed,
                        .bias = c->param[NAS_KURAMOTO_BIAS],
                        .stimulus = stimulus,
                        .by_stimulus = stimulus,
                        .by_bias = c->grad[NAS_KURAMOTO_BIAS]};
}

/* Where the oscillators start, each on its sphere: the second input, or noise, which evaluation has alike for every
 * image. `room` holds a state. */
static void begin(const nas_call *c, const chunk *k, const nas_kuramoto *loops, float *room, float *x) {
  bool train = c->site.mode == NAS_TRAIN;
  int64_t image = k->pixels * k->channels;
  nas_rng rng = nas_rng_make(train ? c->seed : 0, train ? (uint32_t)c->step : 0, NAS_STREAM_NOISE);
  if (c->site.n_in == 2) {
    turn(k, (const float *)c->x[1] + k->first * image, x);
  } else {
    uint64_t first = c->label_hash + (train ? (uint64_t)(k->first * image) : 0);
    nas_kernels()->normals(room, rng.key, rng.trial, rng.stream, first, train ? k->images * image : image);
    for (int64_t i = 1; !train && i < k->images; i++) memcpy(room + i * image, room, (size_t)image * sizeof *room);
    turn(k, room, x);
  }
  nas_kernels()->to_sphere(loops, x, NULL);
}

/* y = J x, over patches where the window is wide. */
static void couple(const nas_call *c, const chunk *k, float *x, float *patches, float *y) {
  if (k->taps > 1) patch(c, k, x, patches, false);
  nas_gemm(false, false, k->channels, k->rows, k->channels * k->taps, c->param[NAS_KURAMOTO_J],
           k->taps > 1 ? patches : x, false, y);
}

void nas_kuramoto_forward_fast(const nas_call *c) {
  int64_t state = state_of(c);
  float *stimulus = c->scratch, *room = stimulus + state, *speed = room + 3 * state, *patches = speed + c->site.out.c;
  speeds_of(c, speed);
  for (int64_t index = 0; index < chunks_of(c); index++) {
    chunk k = chunk_at(c, index);
    nas_kuramoto loops = loops_of(c, &k, stimulus, speed);
    int64_t first = k.first * k.pixels * k.channels;
    float *x = k.keep ? k.states : room + state;
    begin(c, &k, &loops, room, x);
    turn(&k, (const float *)c->x[0] + first, stimulus);
    for (int64_t t = 0; t < k.steps; t++) {
      float *y = k.keep ? x + k.all : room, *next = k.keep ? y + k.all : x;
      couple(c, &k, x, patches, y);
      nas_kernels()->kuramoto_step(&loops, x, y, next);
      x = next;
    }
    turn_back(&k, x, NULL, (float *)c->y + first);
  }
}

static void add_turns(const nas_call *c, const float *turns, bool first) {
  const nas_kuramoto_options *o = c->prepared;
  const float *omega = c->param[NAS_KURAMOTO_OMEGA];
  float *domega = c->grad[NAS_KURAMOTO_OMEGA];
  int64_t pairs = c->site.out.c / 2, own = o->omega[0] == 'p' ? pairs : 1;
  if (first) memset(domega, 0, (size_t)(2 * own) * sizeof *domega);
  for (int64_t i = 0; i < pairs; i++) {
    int64_t at = own > 1 ? 2 * i : 0;
    float speed = hypotf(omega[at], omega[at + 1]);
    if (!(speed > 0)) continue;
    domega[at] += turns[i] * (omega[at] / speed);
    domega[at + 1] += turns[i] * (omega[at + 1] / speed);
  }
}

/* One step back: g holds the gradient of the next state and gets that of this one. */
static void step_back(const nas_call *c, const chunk *k, const nas_kuramoto *loops, int64_t t, float *g, float *by_y,
                      float *patches, float *turns, double *by_gamma) {
  float *x = k->states + 2 * t * k->all, *back = patches + k->taps * k->all;
  bool first = k->first == 0 && t + 1 == k->steps;
  int64_t wide = k->channels * k->taps;
  nas_kernels()->kuramoto_reverse(loops, x, x + k->all, g, by_y, turns, by_gamma);
  add_turns(c, turns, first);
  if (k->taps > 1) patch(c, k, x, patches, false);
  nas_gemm(false, true, k->channels, wide, k->rows, by_y, k->taps > 1 ? patches : x, !first, c->grad[NAS_KURAMOTO_J]);
  nas_gemm(true, false, wide, k->rows, k->channels, c->param[NAS_KURAMOTO_J], by_y, k->taps == 1,
           k->taps > 1 ? back : g);
  if (k->taps > 1) patch(c, k, g, back, true);
}

/* All steps of one chunk back; g gets the gradient of the first states. */
static void chunk_back(const nas_call *c, const chunk *k, const nas_kuramoto *loops, float *g, float *by_y,
                       float *turns, float *patches, double *by_gamma) {
  memset(loops->by_stimulus, 0, (size_t)k->all * sizeof *g);
  turn(k, (const float *)c->dy + k->first * k->pixels * k->channels, g);
  for (int64_t t = k->steps; t-- > 0;) step_back(c, k, loops, t, g, by_y, patches, turns, by_gamma);
}

void nas_kuramoto_backward_fast(const nas_call *c) {
  int64_t state = state_of(c), channels = c->site.out.c;
  float *starts = c->scratch, *by_y = starts + chunks_of(c) * state, *by_c = by_y + state, *room = by_c + state;
  float *speed = room + state, *turns = speed + channels, *patches = turns + channels;
  double by_gamma = 0;
  speeds_of(c, speed);
  memset(c->grad[NAS_KURAMOTO_BIAS], 0, (size_t)channels * sizeof(float));
  for (int64_t index = 0; index < chunks_of(c); index++) {
    chunk k = chunk_at(c, index);
    nas_kuramoto loops = loops_of(c, &k, by_c, speed);
    int64_t first = k.first * k.pixels * channels;
    const float *plus = c->dplus[0] ? (const float *)c->dplus[0] + first : NULL;
    chunk_back(c, &k, &loops, starts + index * state, by_y, turns, patches, &by_gamma);
    if (c->dx[0]) turn_back(&k, by_c, plus, (float *)c->dx[0] + first);
  }
  if (c->grad[NAS_KURAMOTO_GAMMA]) *(float *)c->grad[NAS_KURAMOTO_GAMMA] = (float)by_gamma;
  /* The first input's gradient is finished before the second's is begun. */
  for (int64_t index = 0; c->site.n_in == 2 && c->dx[1] && index < chunks_of(c); index++) {
    chunk k = chunk_at(c, index);
    nas_kuramoto loops = loops_of(c, &k, by_c, speed);
    int64_t first = k.first * k.pixels * channels;
    turn(&k, (const float *)c->x[1] + first, room);
    nas_kernels()->to_sphere(&loops, room, starts + index * state);
    turn_back(&k, room, c->dplus[1] ? (const float *)c->dplus[1] + first : NULL, (float *)c->dx[1] + first);
  }
}
