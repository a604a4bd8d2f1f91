#ifndef NAS_TRAIN_EXPANSION_H
#define NAS_TRAIN_EXPANSION_H
/* Layers that expand each input into a few functions of itself and sum those with weights (Kolmogorov-Arnold layers):
 * y_o = b_o + sum_i base_oi silu(x_i) + scale_oi sum_k W_oik phi_k(u_i), for every row of the channels-last matrix.
 * The functions are made block by block and never stored for the whole batch. An operation of this kind gives a
 * nas_expansion_kind and a `prepare` that calls nas_expansion_prepare(_fast) with it; all else of its kernels is here.
 */
#include "train/op.h"

enum { NAS_EXPANSION_TERMS_MAX = 72, NAS_EXPANSION_OPTIONS_MAX = 64 };

typedef struct nas_expansion_kind {
  const nas_option *options;
  size_t options_size; /* at most NAS_EXPANSION_OPTIONS_MAX */
  int64_t (*terms)(const void *options);
  /* phi[0..terms-1] and their derivatives at u. */
  void (*basis)(const void *options, double u, double *phi, double *slope);
  int weight, scale, base, offset; /* parameter slots; -1: absent */
  /* For the fast kernels, n numbers at a time: the values of `count` terms from `first` on, phi[term][n]; and to du the
   * sums of g[term][n] times the derivatives of these, phi being their values. Terms come in order; `work` holds
   * `works` times n numbers that stay meanwhile. NULL: the operation has fast kernels of its own. */
  void (*values)(const void *options, int64_t first, int64_t count, const float *u, float *phi, float *work, int64_t n);
  void (*slopes)(const void *options, int64_t first, int64_t count, const float *u, const float *phi, const float *g,
                 float *du, float *work, int64_t n);
  int64_t works;
} nas_expansion_kind;

/* At c->prepared. */
typedef struct nas_expansion {
  const nas_expansion_kind *kind;
  int64_t terms, by_term; /* W is [term][input][neuron]; scale and base are [input][neuron] */
  _Alignas(16) unsigned char options[NAS_EXPANSION_OPTIONS_MAX];
} nas_expansion;

/* Makes c->prepared; nas_op_drop_options releases it. */
nas_status nas_expansion_keep(nas_call *c, const nas_expansion_kind *kind, nas_err *err);

/* Inputs: u, and optionally another x for the silu branch (u serves for both otherwise). */
nas_status nas_expansion_prepare(nas_call *c, const nas_expansion_kind *kind, nas_err *err);
void nas_expansion_forward_f32(const nas_call *c);
void nas_expansion_forward_f64(const nas_call *c);
void nas_expansion_backward_f32(const nas_call *c);
void nas_expansion_backward_f64(const nas_call *c);
/* "basis": the functions at every input, [row][input][term]. */
int64_t nas_expansion_probe_f32(const nas_call *c, const char *name, double *out);
int64_t nas_expansion_probe_f64(const nas_call *c, const char *name, double *out);

/* The same by matrix products, f32. */
nas_status nas_expansion_prepare_fast(nas_call *c, const nas_expansion_kind *kind, nas_err *err);
void nas_expansion_forward_fast(const nas_call *c);
void nas_expansion_backward_fast(const nas_call *c);

/* The reference kernel of one element type. */
#define NAS_EXPANSION_KERNEL(prepare_function, suffix)                                                     \
  {                                                                                                        \
    .prepare = prepare_function, .release = nas_op_drop_options, .forward = nas_expansion_forward##suffix, \
    .backward = nas_expansion_backward##suffix, .reads = NAS_READS_X, .probe = nas_expansion_probe##suffix \
  }
#endif
