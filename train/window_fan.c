#include "train/window_fan.h"

#include <stdlib.h>

#include "train/filtered_fan.h"
#include "train/kernels/kernels.h"

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

nas_direct_shape nas_window_shape(const nas_branch *b, bool turned) {
  int64_t in = b->site.in[0].c, out = b->site.out.c;
  return (nas_direct_shape){turned ? in : out, turned ? out : in, b->site.attrs.kernel_h, turned};
}

bool nas_window_fits(const nas_branch *b, int64_t outs, bool wants_dx) {
  const nas_attrs *a = &b->site.attrs;
  nas_shape in = b->site.in[0], out = b->site.out;
  return a->kernel_h == a->kernel_w && a->kernel_h % 2 == 1 && a->kernel_h <= NAS_WINDOW_KERNEL &&
         a->pad == a->kernel_h / 2 && a->stride == 1 && a->groups <= 1 && !a->bias && out.c == outs &&
         nas_direct_channels(outs) && out.w % nas_direct_pixels(outs) == 0 &&
         (!wants_dx || (nas_direct_channels(in.c) && in.w % nas_direct_pixels(in.c) == 0));
}

/* Vectors of branches of one kernel size, as many side by side as the kernels take. */
nas_status nas_windowed_new(const nas_call *c, int64_t outs, nas_windowed *w, nas_err *err) {
  int64_t each = nas_direct_count(outs), most = nas_kernels()->direct_vectors();
  w->chunks = calloc((size_t)(c->n_branches * each), sizeof *w->chunks);
  if (!w->chunks) return nas_fail_memory(err, "a convolution");
  for (int32_t i = 0; i < c->n_branches;) {
    int64_t kernel = c->branch[i]->site.attrs.kernel_h, n = 0;
    int32_t first = i;
    for (; i < c->n_branches && c->branch[i]->site.attrs.kernel_h == kernel; i++) n += c->branch[i]->folded ? 0 : each;
    if (n == 0 || nas_filtered_branch(c->branch[first])) continue; /* branches of one size fold all or none */
    int64_t size = n % most == 0 || n < most ? most : n % 2 == 0 && most > 2 ? 2 : most;
    nas_direct_shape s = nas_window_shape(c->branch[first], false);
    for (int64_t v = 0; v < n; v++) {
      if (v % size == 0) w->chunks[w->n_chunks++] = (nas_window_chunk){.kernel = kernel, .at = w->weights};
      nas_window_chunk *k = &w->chunks[w->n_chunks - 1];
      k->branch[k->vectors] = first + (int32_t)(v / each);
      k->vector[k->vectors++] = v % each;
      w->weights += nas_direct_packed(&s);
    }
  }
  return NAS_OK;
}

void nas_windowed_free(nas_windowed *w) {
  free(w->chunks);
  *w = (nas_windowed){.chunks = NULL};
}

int64_t nas_fan_windows(const nas_fan_tile *t, const float *image, int64_t row, int64_t channels, int64_t kernel,
                        int64_t pixels, const float *w, int64_t next, nas_direct_window *out) {
  int64_t pad = kernel / 2, n = 0, length = (kernel - 1 + pixels) * channels, border = pad == 1 ? channels : 0;
  for (int64_t k = 0; k < kernel; k++) {
    int64_t from = row + k - pad;
    if (from < 0 || from >= t->height) continue;
    out[n++] = (nas_direct_window){
        image + nas_fan_pixel(t, from, -pad, channels), w + k * next, length, t->image * channels, border, border};
  }
  return n;
}

void nas_windowed_pack(const nas_windowed *w, const nas_call *c, float *packed) {
  for (int32_t i = 0; i < w->n_chunks; i++) {
    const nas_window_chunk *k = &w->chunks[i];
    for (int64_t v = 0; v < k->vectors; v++) {
      const nas_branch *b = c->branch[k->branch[v]];
      nas_direct_shape s = nas_window_shape(b, false);
      nas_direct_pack(packed + k->at, b->param[NAS_EDGE_WEIGHT], &s, k->vector[v], v, k->vectors, NULL);
    }
  }
}

/* All rows of a kernel at once, in all rows of the tile. */
static void forward_stacked(const nas_call *c, const nas_fan_tile *t, const nas_window_chunk *k, int64_t tile,
                            const float *x, const float *packed) {
  int64_t pixels = nas_direct_pixels(t->outs), numbers = t->images * t->height * t->width * t->outs;
  nas_direct_stack s = {.x = x + nas_fan_pixel(t, -1, -1, t->ins),
                        .w = packed + k->at,
                        .images = t->images,
                        .rows = t->height,
                        .width = t->width / pixels,
                        .step = pixels * t->ins,
                        .length = (2 + pixels) * t->ins,
                        .x_image = t->image * t->ins,
                        .x_row = t->row * t->ins,
                        .y = (float *)c->branch[k->branch[0]]->z + tile * numbers,
                        .ahead = tile + 1 < t->tiles ? numbers : 0};
  nas_kernels()->direct_stacked(&s);
}

static bool stacks(const nas_fan_tile *t, const nas_window_chunk *k) {
  int64_t pixels = nas_direct_pixels(t->outs);
  return k->kernel == 3 && t->outs <= 16 && nas_direct_stacks((2 + pixels) * t->ins, pixels * t->ins, k->vectors);
}

static void forward_chunk(const nas_call *c, const nas_fan_tile *t, const nas_window_chunk *k, int64_t tile,
                          const float *x, const float *packed) {
  int64_t pixels = nas_direct_pixels(t->outs), length = (k->kernel - 1 + pixels) * t->ins, rows = t->width * t->outs;
  const nas_kernel_set *kernels = nas_kernels();
  if (stacks(t, k)) {
    forward_stacked(c, t, k, tile, x, packed);
    return;
  }
  nas_direct_window windows[NAS_WINDOW_KERNEL];
  nas_direct_row r = {.windows = windows,
                      .width = t->width / pixels,
                      .step = pixels * t->ins,
                      .images = t->together,
                      .y_next = t->height * rows,
                      .vectors = (int32_t)k->vectors};
  for (int64_t v = 0; v < k->vectors; v++) {
    r.pitch[v] = pixels * t->outs;
    r.y[v] = (float *)c->branch[k->branch[v]]->z + tile * t->images * t->height * rows + 16 * k->vector[v];
  }
  bool fetch = tile + 1 < t->tiles && t->together == 1;
  for (int64_t image = 0; image < t->images; image += t->together) {
    for (int64_t row = 0; row < t->height; row++) {
      r.n_windows = nas_fan_windows(t, x + image * t->image * t->ins, row, t->ins, k->kernel, pixels, packed + k->at,
                                    length * 16 * k->vectors, windows);
      r.n_ahead = 0;
      if (fetch) r.ahead[r.n_ahead++] = (nas_direct_ahead){r.y[0] + t->images * t->height * rows, r.pitch[0]};
      kernels->direct_row(&r);
      for (int64_t v = 0; v < k->vectors; v++) r.y[v] += rows;
    }
    for (int64_t v = 0; v < k->vectors; v++) r.y[v] += (t->together - 1) * t->height * rows;
  }
}

void nas_windowed_forward(const nas_windowed *w, const nas_call *c, const nas_fan_tile *t, int64_t tile, const float *x,
                          const float *packed) {
  for (int32_t i = 0; i < w->n_chunks; i++) forward_chunk(c, t, &w->chunks[i], tile, x, packed);
}

static void weight_gradient(const nas_fan_tile *t, const nas_window_chunk *k, const float *x, float *const *dz,
                            float *total) {
  int64_t pixels = nas_direct_pixels(t->outs), pad = k->kernel / 2, border = pad == 1 ? t->ins : 0;
  nas_direct_gradient g = {.images = t->images,
                           .width = t->width / pixels,
                           .step = pixels * t->ins,
                           .length = (k->kernel - 1 + pixels) * t->ins,
                           .left = border,
                           .right = border,
                           .x_image = t->image * t->ins,
                           .x_row = t->row * t->ins,
                           .dz_image = t->image * t->outs,
                           .dz_row = t->row * t->outs,
                           .dz_pitch = pixels * t->outs,
                           .vectors = (int32_t)k->vectors};
  if (pad == 1 && nas_direct_stacks_gradient(g.length, k->vectors)) {
    g.rows = t->height;
    g.x = x + nas_fan_pixel(t, -1, -1, t->ins);
    g.dw = total + k->at;
    g.dz[0] = dz[k->branch[0]] + nas_fan_pixel(t, 0, 0, t->outs) + 16 * k->vector[0];
    nas_kernels()->direct_gradient_stacked(&g);
    return;
  }
  for (int64_t row = 0; row < k->kernel; row++) {
    int64_t first = larger(0, pad - row), last = t->height - larger(0, row - pad);
    if (first >= last) continue;
    g.rows = last - first;
    g.x = x + nas_fan_pixel(t, first + row - pad, -pad, t->ins);
    g.dw = total + k->at + row * g.length * 16 * k->vectors;
    for (int64_t v = 0; v < k->vectors; v++)
      g.dz[v] = dz[k->branch[v]] + nas_fan_pixel(t, first, 0, t->outs) + 16 * k->vector[v];
    nas_kernels()->direct_gradient(&g);
  }
}

void nas_windowed_gradient(const nas_windowed *w, const nas_fan_tile *t, const float *x, float *const *dz,
                           float *total) {
  for (int32_t i = 0; i < w->n_chunks; i++) weight_gradient(t, &w->chunks[i], x, dz, total);
}

void nas_windowed_unpack(const nas_windowed *w, const nas_call *c, const float *total) {
  for (int32_t i = 0; i < w->n_chunks; i++) {
    const nas_window_chunk *k = &w->chunks[i];
    for (int64_t v = 0; v < k->vectors; v++) {
      const nas_branch *b = c->branch[k->branch[v]];
      nas_direct_shape s = nas_window_shape(b, false);
      nas_direct_unpack(b->grad[NAS_EDGE_WEIGHT], total + k->at, &s, k->vector[v], v, k->vectors);
    }
  }
}
