#ifndef NAS_SEARCH_OBJECTIVES_H
#define NAS_SEARCH_OBJECTIVES_H
/* Several objectives at once: names to figures of a tell, and Pareto order. All values are to be minimised; an
 * objective whose name is one of more-is-better is negated. */
#include "search/strategy.h"

enum { NAS_OBJECTIVES_MAX = 6 };

typedef struct nas_objectives {
  int n;
  char name[NAS_OBJECTIVES_MAX][32];
} nas_objectives;

/* Reads "valid_accuracy,params". Each is one of valid_accuracy (more is better), valid_loss, seconds, params, macs, or
 * a metric that the evaluator delivers (setup->metrics; less is better). UNKNOWN_NAME, BAD_INPUT for an empty or
 * repeated name or too many. */
nas_status nas_objectives_parse(const char *text, const nas_strategy_setup *setup, const char *owner,
                                nas_objectives *out, nas_err *err);
/* Fills values[0..n-1]; false when the outcome is not ok or a figure is missing. */
bool nas_objectives_of(const nas_objectives *o, const nas_tell *t, double *values);

/* a is no worse in all n and better in one. */
bool nas_dominates(const double *a, const double *b, int n);
/* Fast non-dominated sorting and crowding distances (Deb et al. 2002) of `count` points of `n` values, row by row:
 * rank[i] = 0 for the first front; crowding[i] = infinity at the ends of a front. Cost: count squared times n. */
nas_status nas_pareto_rank(const double *points, size_t count, int n, uint32_t *rank, double *crowding, nas_err *err);
#endif
