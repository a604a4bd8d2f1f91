/* Rank correlation. Values become whole ranks once; a resample is then a weight for each pair, and everything is
 * counted with weights: groups of equal ranks in one pass, discordant pairs by a Fenwick tree. */
#include "bench-db/rank.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

typedef struct pair {
  double x, y;
  uint32_t a, b; /* dense ranks of x and y, from 0 */
} pair;

typedef struct ranking {
  pair *pairs; /* sorted by a, then b */
  size_t n, n_a, n_b;
  uint32_t *weight;
  double *mean_b; /* mean rank of each group of y */
  uint64_t *tree, *of_b;
} ranking;

static int by_y(const void *p, const void *q) {
  double a = ((const pair *)p)->y, b = ((const pair *)q)->y;
  return (a > b) - (a < b);
}

static int by_x(const void *p, const void *q) {
  const pair *a = p, *b = q;
  if (a->x != b->x) return a->x < b->x ? -1 : 1;
  return (a->b > b->b) - (a->b < b->b);
}

static void number_groups(ranking *r) {
  qsort(r->pairs, r->n, sizeof *r->pairs, by_y);
  for (size_t i = 0; i < r->n; i++) {
    if (i && r->pairs[i].y != r->pairs[i - 1].y) r->n_b++;
    r->pairs[i].b = (uint32_t)r->n_b;
  }
  qsort(r->pairs, r->n, sizeof *r->pairs, by_x);
  for (size_t i = 0; i < r->n; i++) {
    if (i && r->pairs[i].x != r->pairs[i - 1].x) r->n_a++;
    r->pairs[i].a = (uint32_t)r->n_a;
  }
  r->n_a += r->n > 0;
  r->n_b += r->n > 0;
}

static double twos(double w) { return w * (w - 1) / 2; }

/* Pairs of pairs by how they are tied, and those in opposite orders. */
typedef struct order {
  double all, tied_x, tied_y, tied_both, discordant;
} order;

static order count_order(ranking *r) {
  order o = {0};
  double total = 0;
  memset(r->tree, 0, (r->n_b + 1) * sizeof *r->tree);
  memset(r->of_b, 0, r->n_b * sizeof *r->of_b);
  for (size_t i = 0, end; i < r->n; i = end) { /* one group of equal x */
    double group = 0, same = 0;
    for (end = i; end < r->n && r->pairs[end].a == r->pairs[i].a; end++) {
      double w = r->weight[end];
      uint64_t below = 0; /* weight before this group with y at most this one's */
      for (size_t k = r->pairs[end].b + 1u; k; k &= k - 1) below += r->tree[k];
      o.discordant += w * (total - (double)below);
      same = end > i && r->pairs[end].b == r->pairs[end - 1].b ? same + w : w;
      bool last = end + 1 == r->n || r->pairs[end + 1].a != r->pairs[i].a || r->pairs[end + 1].b != r->pairs[end].b;
      if (last) o.tied_both += twos(same);
      group += w;
    }
    for (size_t k = i; k < end; k++) {
      r->of_b[r->pairs[k].b] += r->weight[k];
      for (size_t at = r->pairs[k].b + 1u; at <= r->n_b; at += at & (~at + 1)) r->tree[at] += r->weight[k];
    }
    o.tied_x += twos(group);
    total += group;
  }
  for (size_t b = 0; b < r->n_b; b++) o.tied_y += twos((double)r->of_b[b]);
  o.all = twos(total);
  return o;
}

static double kendall(const order *o) {
  double scale = sqrt(o->all - o->tied_x) * sqrt(o->all - o->tied_y);
  return scale > 0 ? (o->all - o->tied_x - o->tied_y + o->tied_both - 2 * o->discordant) / scale : (double)NAN;
}

/* Weighted product-moment correlation of two columns that `value` gives. */
typedef struct moments {
  double w, x, y, xx, yy, xy;
} moments;

static void add(moments *m, double w, double x, double y) {
  m->w += w, m->x += w * x, m->y += w * y;
  m->xx += w * x * x, m->yy += w * y * y, m->xy += w * x * y;
}

static double correlation(const moments *m) {
  double xx = m->xx - m->x * m->x / m->w, yy = m->yy - m->y * m->y / m->w, xy = m->xy - m->x * m->y / m->w;
  if (!(xx > 1e-12 * m->xx) || !(yy > 1e-12 * m->yy)) return (double)NAN;
  return fmax(-1, fmin(1, xy / (sqrt(xx) * sqrt(yy))));
}

/* After count_order, which leaves the weights by y in of_b. Ranks are centred, so that sums stay exact. */
static double spearman(ranking *r, double centre) {
  double before = 0;
  for (size_t b = 0; b < r->n_b; b++) {
    r->mean_b[b] = before + ((double)r->of_b[b] + 1) / 2 - centre;
    before += (double)r->of_b[b];
  }
  moments m = {0};
  before = 0;
  for (size_t i = 0, end; i < r->n; i = end) {
    double group = 0;
    for (end = i; end < r->n && r->pairs[end].a == r->pairs[i].a; end++) group += r->weight[end];
    double rank = before + (group + 1) / 2 - centre;
    for (size_t k = i; k < end; k++) add(&m, r->weight[k], rank, r->mean_b[r->pairs[k].b]);
    before += group;
  }
  return correlation(&m);
}

static double pearson(const ranking *r, double x0, double y0) {
  moments m = {0};
  for (size_t i = 0; i < r->n; i++) add(&m, r->weight[i], r->pairs[i].x - x0, r->pairs[i].y - y0);
  return correlation(&m);
}

static void correlate(ranking *r, double x0, double y0, double out[3]) {
  order o = count_order(r);
  out[0] = spearman(r, ((double)r->n + 1) / 2);
  out[1] = kendall(&o);
  out[2] = pearson(r, x0, y0);
}

/* ---- intervals ---- */

static void draw(ranking *r, nas_rng rng, uint64_t sample) {
  uint32_t words[4] = {0};
  memset(r->weight, 0, r->n * sizeof *r->weight);
  for (size_t i = 0; i < r->n; i++) {
    if (i % 4 == 0) nas_rng_block(rng, sample * (r->n / 4 + 1) + i / 4, words);
    r->weight[(uint64_t)words[i % 4] * r->n >> 32]++;
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double q) {
  double at = q * (double)(n - 1);
  size_t i = (size_t)at;
  return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

static nas_status find_intervals(ranking *r, double x0, double y0, size_t resamples, uint64_t seed, nas_rank *out[3],
                                 nas_err *err) {
  double *values = malloc(3 * resamples * sizeof *values), three[3];
  if (!values) return nas_fail_memory(err, "the resamples of a correlation");
  size_t n[3] = {0};
  nas_rng rng = nas_rng_make(seed, 0, NAS_STREAM_RESAMPLE);
  for (size_t s = 0; s < resamples; s++) {
    draw(r, rng, s);
    correlate(r, x0, y0, three);
    for (int k = 0; k < 3; k++)
      if (!isnan(three[k])) values[(size_t)k * resamples + n[k]++] = three[k];
  }
  for (int k = 0; k < 3; k++) {
    double *v = values + (size_t)k * resamples;
    if (!n[k] || isnan(out[k]->value)) continue;
    qsort(v, n[k], sizeof *v, ascending);
    out[k]->low = quantile(v, n[k], 0.025);
    out[k]->high = quantile(v, n[k], 0.975);
  }
  free(values);
  return NAS_OK;
}

nas_status nas_rank_correlate(const double *x, const double *y, size_t n, size_t resamples, uint64_t seed,
                              nas_ranks *out, nas_err *err) {
  const nas_rank none = {(double)NAN, (double)NAN, (double)NAN};
  *out = (nas_ranks){0, none, none, none};
  ranking r = {.pairs = malloc((n + 1) * sizeof *r.pairs),
               .weight = malloc((n + 1) * sizeof *r.weight),
               .mean_b = malloc((n + 1) * sizeof *r.mean_b),
               .tree = malloc((n + 2) * sizeof *r.tree),
               .of_b = malloc((n + 1) * sizeof *r.of_b)};
  nas_status status = r.pairs && r.weight && r.mean_b && r.tree && r.of_b && n < UINT32_MAX
                          ? NAS_OK
                          : nas_fail_memory(err, "the ranks of a correlation");
  double x0 = 0, y0 = 0;
  for (size_t i = 0; status == NAS_OK && i < n; i++) {
    if (isnan(x[i]) || isnan(y[i])) continue;
    r.pairs[r.n++] = (pair){x[i], y[i], 0, 0};
    x0 += (x[i] - x0) / (double)r.n;
    y0 += (y[i] - y0) / (double)r.n;
  }
  out->n = r.n;
  if (status == NAS_OK && r.n > 1) {
    double three[3];
    nas_rank *ranks[3] = {&out->spearman, &out->kendall, &out->pearson};
    number_groups(&r);
    for (size_t i = 0; i < r.n; i++) r.weight[i] = 1;
    correlate(&r, x0, y0, three);
    for (int k = 0; k < 3; k++) ranks[k]->value = three[k];
    if (resamples) status = find_intervals(&r, x0, y0, resamples, seed, ranks, err);
  }
  free(r.pairs);
  free(r.weight);
  free(r.mean_b);
  free(r.tree);
  free(r.of_b);
  return status;
}
