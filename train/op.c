#include "train/op.h"

#include <stdlib.h>
#include <string.h>

#define NAS_OP_LINE(name) extern const nas_op nas_op_##name;
#include "train/ops.def"
#undef NAS_OP_LINE

static const nas_op *const all[] = {
#define NAS_OP_LINE(name) &nas_op_##name,
#include "train/ops.def"
#undef NAS_OP_LINE
    NULL};

const nas_op *const *nas_ops(void) { return all; }

const nas_op *nas_op_find(const char *name) {
  for (const nas_op *const *op = all; *op; op++)
    if (!strcmp((*op)->name, name)) return *op;
  return NULL;
}

nas_status nas_infer_same(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  nas_shape a = site->in[0];
  for (int32_t i = 1; i < site->n_in; i++) {
    nas_shape b = site->in[i];
    if (a.c != b.c || a.h != b.h || a.w != b.w)
      return nas_fail(err, NAS_E_BAD_INPUT, label,
                      "input %d is %dx%dx%d (CxHxW) but input 0 is %dx%dx%d; make them alike", i, b.c, b.h, b.w, a.c,
                      a.h, a.w);
  }
  *out = a;
  return NAS_OK;
}

nas_status nas_infer_rows(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  if (site->attrs.out < 1)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d neurons; there must be at least 1", site->attrs.out);
  *out = (nas_shape){site->attrs.out, site->in[0].h, site->in[0].w};
  return NAS_OK;
}

nas_status nas_infer_window(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  const nas_attrs *a = &site->attrs;
  nas_shape in = site->in[0];
  if (a->kernel_h < 1 || a->kernel_w < 1 || a->stride < 1 || a->pad < 0)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "kernel %dx%d, stride %d, padding %d: kernel and stride must be at least 1, padding at least 0",
                    a->kernel_h, a->kernel_w, a->stride, a->pad);
  int64_t h = (int64_t)in.h + 2 * (int64_t)a->pad - a->kernel_h, w = (int64_t)in.w + 2 * (int64_t)a->pad - a->kernel_w;
  if (h < 0 || w < 0)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "a %dx%d kernel with padding %d does not fit a %dx%d input",
                    a->kernel_h, a->kernel_w, a->pad, in.h, in.w);
  *out = (nas_shape){in.c, (int32_t)(h / a->stride + 1), (int32_t)(w / a->stride + 1)};
  return NAS_OK;
}

nas_status nas_op_options(const nas_site *site, const nas_option *table, void *values, const char *owner,
                          const char *label, nas_err *err) {
  nas_settings settings = {0};
  nas_status status = nas_settings_parse(&settings, site->attrs.options, label, err);
  if (status == NAS_OK) status = nas_options_fill(table, values, owner, &settings, err);
  nas_settings_free(&settings);
  return status;
}

nas_status nas_op_keep_options(nas_call *c, const nas_option *table, size_t size, nas_err *err) {
  c->prepared = calloc(1, size);
  if (!c->prepared) return nas_fail_memory(err, "an operation's options");
  return nas_op_options(&c->site, table, c->prepared, "the operation", NULL, err);
}

void nas_op_drop_options(nas_call *c) {
  free(c->prepared);
  c->prepared = NULL;
}
