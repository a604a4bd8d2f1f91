/* Each operation alone, forward and backward: the fast plan against the plain reference, at the sizes of the three
 * stages of a NAS-Bench-201 network; convolutions, with the ReLU and the batch norm of an edge, also against oneDNN
 * alone on the whole batch. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "train/conv_fan.h"
#include "train/direct_fan.h"
#include "train/dnnl_conv.h"
#include "train/kernels/kernels.h"
#include "train/one_thread.h"
#include "train/op.h"

typedef struct settings {
  char *only;
  int batch, json, smoke;
  double seconds; /* spent on each figure */
} settings;

typedef struct row {
  const char *op;
  nas_attrs attrs;
} row;

static const row rows[] = {
    {"conv2d", {.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}},
    {"conv2d", {.kernel_h = 1, .kernel_w = 1, .stride = 1}},
    {"batch_norm", {0}},
    {"relu", {0}},
    {"avg_pool", {.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}},
    {"max_pool", {.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}},
    {"global_pool", {0}},
    {"linear", {.out = 10, .bias = true}},
    {"dropout", {.rate = 0.2}},
    {"mul", {0}},
    {"square", {0}},
    {"tanh", {0}},
    {"sigmoid", {0}},
};

/* Forward and backward of one kernel in ms, median-free: the best of what fits the time. */
typedef struct timing {
  double forward, backward;
} timing;

static double best_of(const settings *s, void (*run)(const nas_call *), const nas_call *call) {
  double best = 1e30, until = nas_clock() + s->seconds;
  for (int i = 0; i < 2 || (nas_clock() < until && !s->smoke); i++) {
    double start = nas_clock();
    run(call);
    double took = nas_clock() - start;
    if (took < best) best = took;
  }
  return 1e3 * best;
}

/* Buffers of a call, all from one allocation list so that one loop frees them. */
typedef struct pool {
  void *parts[64];
  int n;
} pool;

static float *numbers(pool *p, int64_t n, uint64_t stream) {
  float *part = aligned_alloc(64, ((size_t)n * sizeof *part + 64) / 64 * 64 + 64);
  if (part) nas_rng_fill_normal(nas_rng_make(stream, 0, NAS_STREAM_SAMPLE), 0, part, (size_t)n, 1);
  return p->parts[p->n++] = part;
}

static bool fill_call(const nas_op *op, nas_call *c, pool *p) {
  nas_param_spec specs[NAS_OP_PARAMS_MAX];
  int32_t n = op->params ? op->params(&c->site, specs) : 0;
  for (int32_t i = 0; i < c->site.n_in; i++) {
    c->x[i] = numbers(p, nas_site_in(&c->site, i), 1 + (uint64_t)i);
    c->dx[i] = numbers(p, nas_site_in(&c->site, i), 9);
  }
  c->y = numbers(p, nas_site_out(&c->site), 2);
  c->dy = numbers(p, nas_site_out(&c->site), 3);
  for (int32_t i = 0; i < n; i++) {
    c->param[i] = numbers(p, specs[i].count, 4);
    if (!specs[i].running) c->grad[i] = numbers(p, specs[i].count, 5);
    for (int64_t k = 0; specs[i].running && c->param[i] && k < specs[i].count; k++) ((float *)c->param[i])[k] = 1;
  }
  for (int i = 0; i < p->n; i++)
    if (!p->parts[i]) return false;
  return true;
}

static nas_status time_kernel(const settings *s, const nas_op *op, const nas_kernel *kernel, const nas_site *site,
                              timing *out, nas_err *err) {
  nas_call c = {.site = *site};
  pool p = {{NULL}, 0};
  for (int32_t i = 0; i < site->n_in; i++) c.wants_dx[i] = true;
  nas_status status = fill_call(op, &c, &p) ? NAS_OK : nas_fail_memory(err, "a benchmark's buffers");
  if (status == NAS_OK && kernel->prepare) status = kernel->prepare(&c, err);
  int64_t scratch = c.forward_scratch > c.backward_scratch ? c.forward_scratch : c.backward_scratch;
  if (status == NAS_OK) {
    c.saved = numbers(&p, c.saved_bytes / 4 + 1, 6);
    c.scratch = numbers(&p, scratch / 4 + 1, 7);
    if (!c.saved || !c.scratch) status = nas_fail_memory(err, "a benchmark's buffers");
  }
  if (status == NAS_OK) {
    out->forward = best_of(s, kernel->forward, &c);
    out->backward = best_of(s, kernel->backward, &c);
  }
  if (kernel->release) kernel->release(&c);
  for (int i = 0; i < p.n; i++) free(p.parts[i]);
  return status;
}

/* ReLU, convolution and batch norm as training runs them, in a fan of one branch: without the sum that applies the
 * norm (see weighted_sum in train/). */
static nas_status time_fan(const settings *s, const nas_site *site, timing *out, nas_err *err) {
  pool p = {{NULL}, 0};
  int64_t channels = site->out.c, n = nas_site_out(site);
  int64_t weights = channels * site->in[0].c * site->attrs.kernel_h * site->attrs.kernel_w;
  nas_branch branch = {.site = *site};
  nas_call c = {.site = *site, .relu_in = true, .n_branches = 1, .branch = {&branch}};
  c.wants_dx[0] = true;
  const nas_kernel *fan = nas_kernels()->direct && nas_direct_fan_fits(&c) ? &nas_direct_fan : &nas_conv_fan;
  NAS_TRY(fan->prepare(&c, err));
  c.x[0] = numbers(&p, nas_site_in(site, 0), 1);
  c.dx[0] = numbers(&p, nas_site_in(site, 0), 2);
  branch.z = numbers(&p, n, 3);
  branch.dy = numbers(&p, n, 4);
  branch.stats = numbers(&p, NAS_BRANCH_STATS * channels, 5);
  for (int i = 0; i < 6; i++) {
    branch.param[i] = numbers(&p, i == NAS_EDGE_WEIGHT ? weights : channels, 6);
    branch.grad[i] = i == NAS_EDGE_BIAS ? NULL : numbers(&p, i == NAS_EDGE_WEIGHT ? weights : channels, 7);
  }
  c.scratch = numbers(&p, (c.forward_scratch > c.backward_scratch ? c.forward_scratch : c.backward_scratch) / 4, 8);
  bool whole = true;
  for (int i = 0; i < p.n; i++) whole = whole && p.parts[i];
  if (whole) {
    out->forward = best_of(s, fan->forward, &c);
    out->backward = best_of(s, fan->backward, &c);
  }
  fan->release(&c);
  for (int i = 0; i < p.n; i++) free(p.parts[i]);
  return whole ? NAS_OK : nas_fail_memory(err, "a benchmark's buffers");
}

/* oneDNN alone on the whole batch, weights packed beforehand. */
static nas_status time_dnnl(const settings *s, const nas_site *site, timing *out, nas_err *err) {
  nas_conv *conv;
  pool p = {{NULL}, 0};
  NAS_TRY(nas_conv_new(site, &(nas_conv_options){site->batch, true, true, false}, &conv, err));
  nas_conv_sizes z = nas_conv_size(conv);
  float *x = numbers(&p, nas_site_in(site, 0), 1), *y = numbers(&p, nas_site_out(site), 2);
  float *forward = numbers(&p, z.forward / 4, 3), *data = numbers(&p, z.data / 4, 4);
  float *gradient = numbers(&p, z.gradient / 4, 5), *scratch = numbers(&p, z.scratch / 4 + 1, 6);
  bool whole = x && y && forward && data && gradient && scratch;
  double until = nas_clock() + 2 * s->seconds;
  *out = (timing){1e30, 1e30};
  for (int i = 0; whole && (i < 2 || (nas_clock() < until && !s->smoke)); i++) {
    double start = nas_clock();
    nas_conv_forward(conv, x, forward, NULL, y, scratch);
    double middle = nas_clock();
    nas_conv_backward_weights(conv, x, y, gradient, scratch);
    nas_conv_backward_data(conv, y, data, x, scratch);
    double end = nas_clock();
    if (1e3 * (middle - start) < out->forward) out->forward = 1e3 * (middle - start);
    if (1e3 * (end - middle) < out->backward) out->backward = 1e3 * (end - middle);
  }
  nas_conv_free(conv);
  for (int i = 0; i < p.n; i++) free(p.parts[i]);
  return whole ? NAS_OK : nas_fail_memory(err, "a benchmark's buffers");
}

static void print_row(const settings *s, const char *name, const nas_site *site, timing fast, timing plain, timing bare,
                      bool first) {
  nas_shape in = site->in[0];
  if (s->json) {
    printf(
        "%s\n  {\"op\": \"%s\", \"c\": %d, \"h\": %d, \"w\": %d, \"batch\": %d, \"forward_ms\": %.5f, "
        "\"backward_ms\": %.5f, \"reference_forward_ms\": %.5f, \"reference_backward_ms\": %.5f",
        first ? "" : ",", name, in.c, in.h, in.w, site->batch, fast.forward, fast.backward, plain.forward,
        plain.backward);
    if (bare.forward > 0)
      printf(", \"dnnl_forward_ms\": %.5f, \"dnnl_backward_ms\": %.5f", bare.forward, bare.backward);
    printf("}");
    return;
  }
  printf("%-14s %3d %3dx%-3d %10.4f %10.4f %10.4f %10.4f", name, in.c, in.h, in.w, fast.forward, fast.backward,
         plain.forward, plain.backward);
  if (bare.forward > 0) printf(" %10.4f %10.4f", bare.forward, bare.backward);
  printf("\n");
  fflush(stdout);
}

static nas_status measure(const settings *s, const row *r, nas_shape shape, bool first, nas_err *err) {
  const nas_op *op = nas_op_find(r->op);
  nas_site site = {.n_in = op->min_inputs, .batch = s->batch, .attrs = r->attrs, .mode = NAS_TRAIN};
  timing fast = {0}, plain = {0}, bare = {0};
  char name[40];
  for (int32_t i = 0; i < site.n_in; i++) site.in[i] = shape;
  bool conv = op->traits & NAS_OP_CONV;
  if (conv) site.attrs.out = shape.c;
  NAS_TRY(op->infer(&site, r->op, &site.out, err));
  if (conv) NAS_TRY(time_fan(s, &site, &fast, err));
  else NAS_TRY(time_kernel(s, op, op->fast ? op->fast : &op->f32, &site, &fast, err));
  NAS_TRY(time_kernel(s, op, &op->f32, &site, &plain, err));
  if (conv) NAS_TRY(time_dnnl(s, &site, &bare, err));
  snprintf(name, sizeof name, r->attrs.kernel_h ? "%s %dx%d" : "%s", r->op, r->attrs.kernel_h, r->attrs.kernel_w);
  print_row(s, name, &site, fast, plain, bare, first);
  return NAS_OK;
}

static nas_status measure_all(const settings *s, nas_err *err) {
  static const nas_shape stages[] = {{16, 32, 32}, {32, 16, 16}, {64, 8, 8}};
  if (s->json) printf("{\"schema\": \"nascent.bench-ops/1\", \"rows\": [");
  else
    printf("%-14s %3s %7s %10s %10s %10s %10s %10s %10s   (ms, batch %d)\n", "operation", "C", "HxW", "forward",
           "backward", "plain fwd", "plain bwd", "oneDNN fwd", "oneDNN bwd", s->batch);
  bool first = true;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t k = 0; k < (s->smoke ? 1 : sizeof stages / sizeof *stages); k++) {
      if (s->only && strcmp(s->only, rows[i].op) != 0) continue;
      NAS_TRY(measure(s, &rows[i], s->smoke ? (nas_shape){4, 5, 5} : stages[k], first, err));
      first = false;
    }
  if (s->json) printf("\n]}\n");
  return NAS_OK;
}

int main(int argc, const char **argv) {
  settings s = {.batch = 64, .seconds = 0.1};
  struct poptOption options[] = {
      {"only", 0, POPT_ARG_STRING, &s.only, 0, "one operation", "NAME"},
      {"batch", 'b', POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.batch, 0, "images", "N"},
      {"seconds", 0, POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &s.seconds, 0, "time for each figure", "S"},
      {"json", 0, POPT_ARG_NONE, &s.json, 0, "print JSON", NULL},
      {"smoke", 0, POPT_ARG_NONE, &s.smoke, 0, "tiny sizes, two runs: does it run at all", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, options, 0);
  int rest = poptGetNextOpt(context);
  if (rest < -1 || s.batch < 1) {
    fprintf(stderr, "bench-ops: %s; see --help\n", rest < -1 ? poptStrerror(rest) : "the batch must be at least 1");
    return 2;
  }
  if (s.smoke) s.batch = 2;
  nas_err err = {0};
  nas_status status = nas_one_thread(&err);
  if (status == NAS_OK) status = measure_all(&s, &err);
  if (status != NAS_OK) fprintf(stderr, "bench-ops: %s%s%s\n", err.where, *err.where ? ": " : "", err.msg);
  poptFreeContext(context);
  return nas_status_exit(status);
}
