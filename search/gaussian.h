#ifndef NAS_SEARCH_GAUSSIAN_H
#define NAS_SEARCH_GAUSSIAN_H
/* Gaussian process regression on a correlation matrix R + noise I, kept as its Cholesky factor, which grows by a row
 * per point (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1). The scale of the
 * process is estimated from the values: s2 = y' (R + noise I)^-1 y / n. */
#include "base/status.h"
#include "search/kernel.h"

/* Start from {0}; free with nas_gaussian_free. */
typedef struct nas_gaussian {
  size_t n, room;
  double *factor; /* lower triangle, row i at i * room */
  double *z;      /* factor^-1 y, after nas_gaussian_values */
  double scale2;
} nas_gaussian;

nas_status nas_gaussian_open(nas_gaussian *g, size_t room, nas_err *err);
void nas_gaussian_free(nas_gaussian *g);
/* Adds a point: its correlations with the n points before it, and its own variance 1 + noise. Cost n squared. */
void nas_gaussian_add(nas_gaussian *g, const double *correlation, double noise);
/* Drops all points but the first n. */
void nas_gaussian_cut(nas_gaussian *g, size_t n);
/* Takes the values of the n points (mean zero). */
void nas_gaussian_values(nas_gaussian *g, const double *y);
/* The logarithm of the marginal likelihood, up to a constant, at the estimated scale. */
double nas_gaussian_likelihood(const nas_gaussian *g);
/* Means and variances at m places; `v` holds their correlations, v[i * m + j] of point i with place j, and is
 * overwritten with factor^-1 v. Cost n squared times m. */
void nas_gaussian_predict(const nas_gaussian *g, double *v, size_t m, double *mean, double *variance);

/* theta[0..parts-1] and *noise of greatest marginal likelihood for n points with values y (NLopt, BOBYQA, at most
 * `evaluations`); they are also the start. */
nas_status nas_gaussian_fit(const nas_kernel *k, const nas_kernel_point *const *x, const double *y, size_t n,
                            int evaluations, double *theta, double *noise, nas_err *err);
#endif
