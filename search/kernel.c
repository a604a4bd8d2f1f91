#include "search/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

nas_status nas_kernel_open(const nas_space *space, const char *name, nas_kernel *out, nas_err *err) {
  *out = (nas_kernel){.space = space, .wl = strcmp(name, "wl") == 0};
  nas_encoding_of(space, &out->code);
  out->parts = out->wl ? NAS_WL_ROUNDS : out->code.genes <= NAS_KERNEL_PARTS ? out->code.genes : 1;
  if (!out->wl) return NAS_OK;
  for (uint8_t g = 0; g < out->code.genes; g++) {
    if (!nas_space_edge(space, g, &out->from[g], &out->to[g]))
      return nas_fail(err, NAS_E_UNSUPPORTED, "kernel", "the genes of %s are no edges of a graph; use kernel=hamming",
                      nas_space_type_of(space)->name);
    if (out->to[g] > out->last) out->last = out->to[g];
    out->none[g] = 255;
    for (uint8_t c = 0; c < out->code.choices[g]; c++)
      if (strcmp(nas_space_choice_name(space, g, c), "none") == 0) out->none[g] = c;
  }
  return NAS_OK;
}

/* Which operations lie on a way from input to output. Edges lead to higher nodes, so n passes are enough. */
static void find_live(const nas_kernel *k, const nas_arch *arch, bool *live) {
  bool reached[256] = {true}, leads[256] = {false};
  leads[k->last] = true;
  for (uint8_t pass = 0; pass < k->last; pass++)
    for (uint8_t g = 0; g < arch->n; g++) {
      if (arch->gene[g] == k->none[g]) continue;
      if (reached[k->from[g]]) reached[k->to[g]] = true;
      if (leads[k->to[g]]) leads[k->from[g]] = true;
    }
  for (uint8_t g = 0; g < arch->n; g++) live[g] = arch->gene[g] != k->none[g] && reached[k->from[g]] && leads[k->to[g]];
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

void nas_kernel_point_of(const nas_kernel *k, const nas_arch *arch, nas_kernel_point *out) {
  bool live[NAS_GENES_MAX];
  uint32_t label[NAS_GENES_MAX], next[NAS_GENES_MAX];
  out->arch = *arch;
  out->n = 0;
  if (!k->wl) return;
  find_live(k, arch, live);
  for (uint8_t g = 0; g < arch->n; g++) label[g] = arch->gene[g] + 1u;
  for (int round = 0; round < NAS_WL_ROUNDS; round++) {
    uint8_t n = 0;
    for (uint8_t g = 0; g < arch->n; g++)
      if (live[g]) out->label[round][n++] = label[g];
    out->n = n;
    qsort(out->label[round], n, sizeof(uint32_t), by_value);
    for (uint8_t g = 0; g < arch->n; g++) {
      /* own label, the multiset of the labels before it (a sum of hashes), and whether it ends at the output */
      uint64_t mix[3] = {label[g], k->from[g] == 0, k->to[g] == k->last};
      for (uint8_t p = 0; p < arch->n; p++)
        if (live[p] && k->to[p] == k->from[g]) mix[1] += nas_hash64(&label[p], sizeof label[p]);
      next[g] = (uint32_t)nas_hash64(mix, sizeof mix);
    }
    memcpy(label, next, sizeof label);
  }
}

/* The squared distance of the counts of two sorted lists. */
static double count_distance(const uint32_t *a, uint8_t n, const uint32_t *b, uint8_t m) {
  double sum = 0;
  for (uint8_t i = 0, j = 0; i < n || j < m;) {
    uint32_t label = i < n && (j == m || a[i] <= b[j]) ? a[i] : b[j];
    int difference = 0;
    while (i < n && a[i] == label) i++, difference++;
    while (j < m && b[j] == label) j++, difference--;
    sum += difference * difference;
  }
  return sum;
}

void nas_kernel_distance(const nas_kernel *k, const nas_kernel_point *a, const nas_kernel_point *b, double *distance) {
  if (k->wl)
    for (int r = 0; r < NAS_WL_ROUNDS; r++) distance[r] = count_distance(a->label[r], a->n, b->label[r], b->n);
  else if (k->parts == 1) distance[0] = nas_arch_distance(&a->arch, &b->arch) / (double)k->code.genes;
  else
    for (int g = 0; g < k->parts; g++) distance[g] = a->arch.gene[g] != b->arch.gene[g];
}

double nas_kernel_value(const nas_kernel *k, const double *theta, const nas_kernel_point *a,
                        const nas_kernel_point *b) {
  double distance[NAS_KERNEL_PARTS] = {0}, sum = 0;
  nas_kernel_distance(k, a, b, distance);
  for (int i = 0; i < k->parts; i++) sum += theta[i] * distance[i];
  return exp(-sum);
}
