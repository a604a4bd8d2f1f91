#ifndef NAS_TRAIN_EXPANSION_H
#define NAS_TRAIN_EXPANSION_H
/* Layers that expand each input into a few functions of itself and sum those with weights (Kolmogorov-Arnold layers):
 * y_o = b_o + sum_i base_oi silu(x_i) + scale_oi sum_k W_oik phi_k(u_i), for every row of the channels-last matrix.
 * The functions are made input by input and never stored for the whole batch. */
#include "train/op.h"

enum { NAS_EXPANSION_TERMS_MAX = 72 };

typedef struct nas_expansion {
  const void *options;
  /* phi[0..terms-1] and their derivatives at u. */
  void (*basis)(const void *options, double u, double *phi, double *slope);
  int64_t terms;
  int64_t by_term;                 /* W is [term][input][neuron]; scale and base are [input][neuron] */
  int weight, scale, base, offset; /* parameter slots; -1: absent */
  /* For the fast kernels, n numbers at a time; `work` holds `works` times n numbers. values: phi_term of all u, in
   * `phi` or in `work`; called for each term in order. slopes: adds g times the derivative to du. */
  const float *(*values)(const void *options, int64_t term, const float *u, float *phi, float *work, int64_t n);
  void (*slopes)(const void *options, int64_t term, const float *u, const float *g, float *du, float *work, int64_t n);
  int64_t works;
} nas_expansion;

/* Inputs: u, and optionally another x for the silu branch (u serves for both otherwise). */
void nas_expansion_forward_f32(const nas_call *c, const nas_expansion *e);
void nas_expansion_forward_f64(const nas_call *c, const nas_expansion *e);
void nas_expansion_backward_f32(const nas_call *c, const nas_expansion *e);
void nas_expansion_backward_f64(const nas_call *c, const nas_expansion *e);
/* The functions at every input, [row][input][term]; returns how many. out may be NULL. */
int64_t nas_expansion_basis_f32(const nas_call *c, const nas_expansion *e, double *out);
int64_t nas_expansion_basis_f64(const nas_call *c, const nas_expansion *e, double *out);
/* Bytes of scratch that the two passes need. */
void nas_expansion_reserve(nas_call *c, const nas_expansion *e);

/* The same by matrix products, f32. */
void nas_expansion_forward_fast(const nas_call *c, const nas_expansion *e);
void nas_expansion_backward_fast(const nas_call *c, const nas_expansion *e);
void nas_expansion_reserve_fast(nas_call *c, const nas_expansion *e);
#endif
