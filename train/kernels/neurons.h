#ifndef NAS_TRAIN_NEURON_LOOPS_H
#define NAS_TRAIN_NEURON_LOOPS_H
/* The loops of neurons (aptx.c, spline.c, waves.c, ...) for one instruction set; kernels.h says what they do. */
#include "train/kernels/neuron_kernels.h"
#include "train/kernels/vector.h"

struct nas_expression;

void NAS_PER_ISA(aptx_forward)(const nas_aptx *a);
void NAS_PER_ISA(aptx_backward)(const nas_aptx *a);
void NAS_PER_ISA(spike_sums)(const nas_spikes *s);
void NAS_PER_ISA(spike_sums_gradient)(const nas_spikes *s);
void NAS_PER_ISA(spline_forward)(const nas_spline *s);
void NAS_PER_ISA(spline_backward)(const nas_spline *s);
void NAS_PER_ISA(silu)(float *y, const float *x, int64_t n);
void NAS_PER_ISA(silu_gradient)(float *dx, const float *plus, const float *x, const float *g, int64_t n);
void NAS_PER_ISA(gaussians)(float *phi, const float *u, float low, float per_unit, int64_t first, int64_t count,
                            int64_t n);
void NAS_PER_ISA(gaussian_slopes)(float *du, const float *u, const float *phi, const float *g, float low,
                                  float per_unit, int64_t first, int64_t count, int64_t n);
void NAS_PER_ISA(chebyshev)(float *phi, const float *u, float *last, int64_t first, int64_t count, int64_t n);
void NAS_PER_ISA(chebyshev_slopes)(float *dx, const float *u, float *last, const float *g, int64_t first, int64_t count,
                                   int64_t n);
void NAS_PER_ISA(turn)(float *to, int64_t to_row, const float *plus, const float *from, int64_t from_row, int64_t rows,
                       int64_t columns);
void NAS_PER_ISA(group_norm)(const nas_group_norm *g);
void NAS_PER_ISA(group_norm_gradient)(const nas_group_norm *g);
void NAS_PER_ISA(pade_value)(const nas_pade *f);
void NAS_PER_ISA(pade_gradient)(const nas_pade *f);
void NAS_PER_ISA(multiply)(float *y, const float *a, const float *b, int64_t n);
void NAS_PER_ISA(add_product)(float *y, float factor, const float *a, const float *b, int64_t n);
void NAS_PER_ISA(kuramoto_step)(const nas_kuramoto *k, const float *x, float *y, float *next);
void NAS_PER_ISA(kuramoto_reverse)(const nas_kuramoto *k, const float *x, const float *y, float *g, float *by_y,
                                   float *turns, double *by_gamma);
void NAS_PER_ISA(to_sphere)(const nas_kuramoto *k, float *x, const float *g);
void NAS_PER_ISA(normals)(float *y, const uint32_t key[2], uint32_t trial, uint32_t stream, uint64_t first, int64_t n);
void NAS_PER_ISA(expression)(const struct nas_expression *e, const float *scalars, const float *x, float *y, int64_t n);
void NAS_PER_ISA(expression_gradient)(const struct nas_expression *e, const float *scalars, const float *x,
                                      const float *dy, const float *plus, float *dx, double *by_scalar, int64_t n);
void NAS_PER_ISA(rbf_forward)(const nas_rbf *f);
void NAS_PER_ISA(rbf_backward)(const nas_rbf *f);
void NAS_PER_ISA(log_positive)(float *y, const float *x, bool softplus, int64_t n);
void NAS_PER_ISA(log_positive_gradient)(float *dx, const float *plus, const float *x, const float *g, bool softplus,
                                        int64_t n);
void NAS_PER_ISA(lowest_highest)(nas_powers *p);
void NAS_PER_ISA(powers)(const nas_powers *p, float *y);
void NAS_PER_ISA(synapses)(const nas_synapses *s);
void NAS_PER_ISA(synapses_gradient)(const nas_synapses *s);
void NAS_PER_ISA(ltc_step)(const nas_ltc *l, const float *v, const float *above, float *below, float *next);
void NAS_PER_ISA(ltc_step_gradient)(const nas_ltc *l, const float *v, const float *below, const float *next, float *g,
                                    float *by_above, float *by_below);
void NAS_PER_ISA(mixed)(const nas_mixed *m);
void NAS_PER_ISA(mixed_gradient)(const nas_mixed *m);
double NAS_PER_ISA(powers_gradient)(const nas_powers *p, const float *y, const float *g, float *by_log);
void NAS_PER_ISA(means)(const nas_powers *up, const nas_powers *down, const float *above, const float *below, float *y,
                        int64_t out);
double NAS_PER_ISA(means_gradient)(const nas_powers *up, const nas_powers *down, float *above, float *below,
                                   const float *dy, int64_t out);
#endif
