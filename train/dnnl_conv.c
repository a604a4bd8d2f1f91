#include "train/dnnl_conv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "train/kernels/kernels.h"

#include "train/dnnl_library.h"

/* A convolution primitive with the memory objects of its arguments. */
typedef struct pass {
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t primitive;
  dnnl_memory_t first, second, weight, bias, scratch; /* src, dst or their gradients */
} pass;

struct nas_conv {
  pass forward, data, weights;
  dnnl_memory_t plain; /* the weights as the model keeps them */
  dnnl_primitive_t pack_forward, pack_data, unpack;
  nas_conv_sizes sizes;
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_status_t engine_status;

static void start(void) {
  engine_status = nas_dnnl.engine_create(&engine, dnnl_cpu, 0);
  if (engine_status == dnnl_success) engine_status = nas_dnnl.stream_create(&stream, engine, dnnl_stream_default_flags);
}

typedef struct descs {
  dnnl_memory_desc_t x, dy;            /* what is multiplied: f32 or bf16 */
  dnnl_memory_desc_t dx, y;            /* what comes out: f32 */
  dnnl_memory_desc_t weight, gradient; /* in any order */
  dnnl_memory_desc_t bias, plain;
  dnnl_dims_t strides, dilates, pad_low, pad_high;
  bool has_bias;
} descs;

#define TRY_DNNL(call)                                   \
  do {                                                   \
    dnnl_status_t dnnl_result = (call);                  \
    if (dnnl_result != dnnl_success) return dnnl_result; \
  } while (0)

static dnnl_status_t describe(const nas_site *s, const nas_conv_options *o, descs *d) {
  const nas_attrs *a = &s->attrs;
  int32_t groups = a->groups > 1 ? a->groups : 1;
  nas_shape in = s->in[0], out = s->out;
  int32_t images = o->images;
  dnnl_data_type_t type = o->bf16 ? dnnl_bf16 : dnnl_f32;
  dnnl_dims_t x = {images, in.c, in.h, in.w}, y = {images, out.c, out.h, out.w}, b = {out.c};
  dnnl_dims_t flat = {out.c, in.c, a->kernel_h, a->kernel_w};
  dnnl_dims_t grouped = {groups, out.c / groups, in.c / groups, a->kernel_h, a->kernel_w};
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->x, 4, x, type, dnnl_nhwc));
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->dx, 4, x, dnnl_f32, dnnl_nhwc));
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->dy, 4, y, type, dnnl_nhwc));
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->y, 4, y, dnnl_f32, dnnl_nhwc));
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->bias, 1, b, dnnl_f32, dnnl_a));
  int dims = groups > 1 ? 5 : 4;
  int64_t *w = groups > 1 ? grouped : flat;
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->weight, dims, w, type, dnnl_format_tag_any));
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->gradient, dims, w, dnnl_f32, dnnl_format_tag_any));
  TRY_DNNL(nas_dnnl.memory_desc_init_by_tag(&d->plain, dims, w, dnnl_f32, groups > 1 ? dnnl_goihw : dnnl_oihw));
  d->strides[0] = d->strides[1] = a->stride;
  d->dilates[0] = d->dilates[1] = 0;
  d->pad_low[0] = d->pad_low[1] = a->pad;
  /* oneDNN wants exact sizes; a stride may leave rows at the far border unused, which a smaller padding says. */
  d->pad_high[0] = (int64_t)(out.h - 1) * a->stride + a->kernel_h - in.h - a->pad;
  d->pad_high[1] = (int64_t)(out.w - 1) * a->stride + a->kernel_w - in.w - a->pad;
  d->has_bias = a->bias;
  return dnnl_success;
}

static dnnl_status_t new_memory(dnnl_memory_t *m, const dnnl_memory_desc_t *d) {
  return nas_dnnl.memory_create(m, d, engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t finish_pass(pass *p, const dnnl_convolution_desc_t *op, dnnl_primitive_desc_t hint,
                                 const dnnl_memory_desc_t *first, const dnnl_memory_desc_t *second, const descs *d,
                                 int64_t *scratch) {
  dnnl_primitive_attr_t attr;
  TRY_DNNL(nas_dnnl.primitive_attr_create(&attr));
  dnnl_status_t status = nas_dnnl.primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
  if (status == dnnl_success) status = nas_dnnl.primitive_desc_create(&p->desc, op, attr, engine, hint);
  nas_dnnl.primitive_attr_destroy(attr);
  if (status != dnnl_success) return status;
  TRY_DNNL(nas_dnnl.primitive_create(&p->primitive, p->desc));
  const dnnl_memory_desc_t *pad = nas_dnnl.primitive_desc_query_md(p->desc, dnnl_query_scratchpad_md, 0);
  TRY_DNNL(new_memory(&p->scratch, pad));
  TRY_DNNL(new_memory(&p->bias, &d->bias));
  int64_t bytes = (int64_t)nas_dnnl.memory_desc_get_size(pad);
  if (bytes > *scratch) *scratch = bytes;
  TRY_DNNL(new_memory(&p->first, first));
  return new_memory(&p->second, second);
}

static dnnl_status_t reorder(dnnl_primitive_t *p, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to) {
  dnnl_primitive_desc_t desc;
  TRY_DNNL(nas_dnnl.reorder_primitive_desc_create(&desc, from, engine, to, engine, NULL));
  dnnl_status_t status = nas_dnnl.primitive_create(p, desc);
  nas_dnnl.primitive_desc_destroy(desc);
  return status;
}

static dnnl_status_t build_forward(nas_conv *c, const descs *d, bool train) {
  dnnl_convolution_desc_t op;
  TRY_DNNL(nas_dnnl.convolution_forward_desc_init(
      &op, train ? dnnl_forward_training : dnnl_forward_inference, dnnl_convolution_direct, &d->x, &d->weight,
      d->has_bias ? &d->bias : NULL, &d->y, d->strides, d->pad_low, d->pad_high));
  TRY_DNNL(finish_pass(&c->forward, &op, NULL, &d->x, &d->y, d, &c->sizes.scratch));
  const dnnl_memory_desc_t *w = nas_dnnl.primitive_desc_query_md(c->forward.desc, dnnl_query_weights_md, 0);
  c->sizes.forward = (int64_t)nas_dnnl.memory_desc_get_size(w);
  TRY_DNNL(new_memory(&c->forward.weight, w));
  return reorder(&c->pack_forward, &d->plain, w);
}

static dnnl_status_t build_data(nas_conv *c, const descs *d) {
  dnnl_convolution_desc_t op;
  TRY_DNNL(nas_dnnl.convolution_backward_data_desc_init(&op, dnnl_convolution_direct, &d->dx, &d->weight, &d->dy,
                                                        d->strides, d->pad_low, d->pad_high));
  TRY_DNNL(finish_pass(&c->data, &op, c->forward.desc, &d->dx, &d->dy, d, &c->sizes.scratch));
  const dnnl_memory_desc_t *w = nas_dnnl.primitive_desc_query_md(c->data.desc, dnnl_query_weights_md, 0);
  c->sizes.data = (int64_t)nas_dnnl.memory_desc_get_size(w);
  TRY_DNNL(new_memory(&c->data.weight, w));
  return reorder(&c->pack_data, &d->plain, w);
}

static dnnl_status_t build_weights(nas_conv *c, const descs *d) {
  dnnl_convolution_desc_t op;
  TRY_DNNL(nas_dnnl.convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, &d->x, &d->gradient, NULL,
                                                           &d->dy, d->strides, d->pad_low, d->pad_high));
  TRY_DNNL(finish_pass(&c->weights, &op, c->forward.desc, &d->x, &d->dy, d, &c->sizes.scratch));
  const dnnl_memory_desc_t *w = nas_dnnl.primitive_desc_query_md(c->weights.desc, dnnl_query_diff_weights_md, 0);
  c->sizes.gradient = (int64_t)nas_dnnl.memory_desc_get_size(w);
  TRY_DNNL(new_memory(&c->weights.weight, w));
  return reorder(&c->unpack, w, &d->plain);
}

static dnnl_status_t build(nas_conv *c, const nas_site *site, const nas_conv_options *o) {
  descs d;
  TRY_DNNL(engine_status);
  TRY_DNNL(describe(site, o, &d));
  TRY_DNNL(new_memory(&c->plain, &d.plain));
  TRY_DNNL(build_forward(c, &d, o->train));
  if (o->train && o->data) TRY_DNNL(build_data(c, &d));
  return o->train ? build_weights(c, &d) : dnnl_success;
}

bool nas_conv_has_bf16(void) {
  if (strcmp(nas_kernels_name(), "avx512") != 0) return false;
  if (nas_dnnl_load(NULL) != NAS_OK) return false;
  unsigned isa = (unsigned)nas_dnnl.get_effective_cpu_isa(), wanted = (unsigned)dnnl_cpu_isa_avx512_core_bf16;
  return (isa & wanted) == wanted;
}

nas_status nas_conv_new(const nas_site *site, const nas_conv_options *options, nas_conv **out, nas_err *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  *out = NULL;
  NAS_TRY(nas_dnnl_load(err));
  pthread_once(&once, start);
  *out = calloc(1, sizeof **out);
  if (!*out) return nas_fail_memory(err, "a convolution");
  dnnl_status_t status = build(*out, site, options);
  if (status == dnnl_success) return NAS_OK;
  nas_conv_free(*out);
  *out = NULL;
  if (status == dnnl_out_of_memory) return nas_fail_memory(err, "a convolution");
  return nas_fail(err, NAS_E_UNSUPPORTED, NULL, "oneDNN refuses a %dx%d convolution of %d to %d channels (status %d)",
                  site->attrs.kernel_h, site->attrs.kernel_w, site->in[0].c, site->out.c, (int)status);
}

static void free_pass(pass *p) {
  if (p->primitive) nas_dnnl.primitive_destroy(p->primitive);
  if (p->desc) nas_dnnl.primitive_desc_destroy(p->desc);
  dnnl_memory_t memories[] = {p->first, p->second, p->weight, p->bias, p->scratch};
  for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
    if (memories[i]) nas_dnnl.memory_destroy(memories[i]);
}

void nas_conv_free(nas_conv *c) {
  if (!c) return;
  free_pass(&c->forward);
  free_pass(&c->data);
  free_pass(&c->weights);
  if (c->plain) nas_dnnl.memory_destroy(c->plain);
  dnnl_primitive_t reorders[] = {c->pack_forward, c->pack_data, c->unpack};
  for (size_t i = 0; i < sizeof reorders / sizeof *reorders; i++)
    if (reorders[i]) nas_dnnl.primitive_destroy(reorders[i]);
  free(c);
}

nas_conv_sizes nas_conv_size(const nas_conv *c) { return c->sizes; }

/* oneDNN's handles are not const, whichever way the data goes. */
static void aim(dnnl_memory_t memory, const void *data) {
  nas_dnnl.memory_set_data_handle(memory, (void *)(uintptr_t)data);
}

static void run_reorder(dnnl_primitive_t p, dnnl_memory_t from, dnnl_memory_t to) {
  dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  nas_dnnl.primitive_execute(p, stream, 2, args);
}

void nas_conv_pack_forward(nas_conv *c, const float *weight, void *packed) {
  aim(c->plain, weight);
  aim(c->forward.weight, packed);
  run_reorder(c->pack_forward, c->plain, c->forward.weight);
}

void nas_conv_pack_data(nas_conv *c, const float *weight, void *packed) {
  aim(c->plain, weight);
  aim(c->data.weight, packed);
  run_reorder(c->pack_data, c->plain, c->data.weight);
}

void nas_conv_unpack_gradient(nas_conv *c, void *packed, float *gradient) {
  aim(c->weights.weight, packed);
  aim(c->plain, gradient);
  run_reorder(c->unpack, c->weights.weight, c->plain);
}

static void aim_pass(pass *p, const void *first, const void *second, const void *weight, const void *bias,
                     void *scratch) {
  aim(p->first, first);
  aim(p->second, second);
  aim(p->weight, weight);
  aim(p->bias, bias);
  aim(p->scratch, scratch);
}

void nas_conv_forward(nas_conv *c, const void *x, void *packed, const float *bias, float *y, void *scratch) {
  pass *p = &c->forward;
  aim_pass(p, x, y, packed, bias, scratch);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, p->first},
                            {DNNL_ARG_DST, p->second},
                            {DNNL_ARG_WEIGHTS, p->weight},
                            {DNNL_ARG_SCRATCHPAD, p->scratch},
                            {DNNL_ARG_BIAS, p->bias}};
  nas_dnnl.primitive_execute(p->primitive, stream, bias ? 5 : 4, args);
}

void nas_conv_backward_data(nas_conv *c, const void *dy, void *packed, float *dx, void *scratch) {
  pass *p = &c->data;
  aim_pass(p, dx, dy, packed, NULL, scratch);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_SRC, p->first},
                            {DNNL_ARG_DIFF_DST, p->second},
                            {DNNL_ARG_WEIGHTS, p->weight},
                            {DNNL_ARG_SCRATCHPAD, p->scratch}};
  nas_dnnl.primitive_execute(p->primitive, stream, 4, args);
}

void nas_conv_backward_weights(nas_conv *c, const void *x, const void *dy, void *gradient, void *scratch) {
  pass *p = &c->weights;
  aim_pass(p, x, dy, gradient, NULL, scratch);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, p->first},
                            {DNNL_ARG_DIFF_DST, p->second},
                            {DNNL_ARG_DIFF_WEIGHTS, p->weight},
                            {DNNL_ARG_SCRATCHPAD, p->scratch}};
  nas_dnnl.primitive_execute(p->primitive, stream, 4, args);
}
