/* REINFORCE: a controller with one categorical distribution per gene, trained by the policy gradient with an
 * exponential moving average of the rewards as baseline and Adam as optimiser. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/archive.h"
#include "search/encoding.h"
#include "search/seen.h"

typedef struct reinforce_options {
  double learning_rate, baseline, beta1, beta2, initial;
  char duplicates[16];
} reinforce_options;

static const nas_option options[] = {
    NAS_OPT_REAL(reinforce_options, learning_rate, "learning-rate", "0.01", 0, 10, "of Adam"),
    NAS_OPT_REAL(reinforce_options, baseline, "baseline", "0.9", 0, 1, "momentum of the moving average of rewards"),
    NAS_OPT_REAL(reinforce_options, beta1, "beta1", "0.9", 0, 0.999999, "first moment of Adam"),
    NAS_OPT_REAL(reinforce_options, beta2, "beta2", "0.999", 0, 0.999999, "second moment of Adam"),
    NAS_OPT_REAL(reinforce_options, initial, "initial", "0.001", 0, 10, "deviation of the first logits"),
    NAS_OPT_DUPLICATES(reinforce_options, "allow"),
    NAS_OPT_END};

typedef struct reinforce_state {
  nas_seen seen;
  nas_encoding code;
  double *logits, *mean, *square; /* code.width each */
  double numerator, denominator;  /* of the baseline, without the bias towards its start at zero */
  int64_t steps;
} reinforce_state;

static const double adam_epsilon = 1e-8;

static nas_status open_reinforce(nas_strategy *s, nas_err *err) {
  const reinforce_options *o = nas_strategy_options(s);
  reinforce_state *r = nas_strategy_state(s);
  nas_seen_open(&r->seen, nas_strategy_space(s), o->duplicates);
  nas_encoding_of(nas_strategy_space(s), &r->code);
  r->logits = calloc(3 * (size_t)r->code.width + 1, sizeof *r->logits);
  if (!r->logits) return nas_fail_memory(err, "the controller");
  r->mean = r->logits + r->code.width;
  r->square = r->mean + r->code.width;
  nas_rng rng = nas_strategy_rng(s, 0);
  for (uint32_t i = 0; i < r->code.width; i++) r->logits[i] = o->initial * nas_rng_normal(rng, NAS_AT_TELL / 2 + i);
  return NAS_OK;
}

static void close_reinforce(nas_strategy *s) {
  reinforce_state *r = nas_strategy_state(s);
  nas_seen_close(&r->seen);
  free(r->logits);
}

static void softmax(const double *logits, int n, double *out) {
  double top = logits[0], sum = 0;
  for (int i = 1; i < n; i++) top = fmax(top, logits[i]);
  for (int i = 0; i < n; i++) sum += out[i] = exp(logits[i] - top);
  for (int i = 0; i < n; i++) out[i] /= sum;
}

static void draw(const reinforce_state *r, nas_rng rng, uint64_t first, nas_arch *out) {
  double p[256];
  *out = (nas_arch){.n = r->code.genes};
  for (uint8_t g = 0; g < r->code.genes; g++) {
    softmax(r->logits + r->code.first[g], r->code.choices[g], p);
    out->gene[g] = nas_draw_weighted(p, r->code.choices[g], nas_rng_unit(rng, first + g));
  }
}

enum { TRIES = 200 };

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  reinforce_state *r = nas_strategy_state(s);
  nas_rng rng = nas_strategy_rng(s, number);
  for (uint64_t i = 0; i < TRIES; i++) {
    draw(r, rng, i * NAS_GENES_MAX, out);
    if (!nas_seen_has(&r->seen, out)) return nas_seen_add(&r->seen, out, err);
  }
  NAS_TRY(nas_seen_sample(&r->seen, rng, NAS_SEEN_NUMBERS, out, err)); /* a policy that has converged on known ones */
  return nas_seen_add(&r->seen, out, err);
}

/* One step of Adam down the gradient of -(reward - baseline) log p(arch). */
static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)err;
  const reinforce_options *o = nas_strategy_options(s);
  reinforce_state *r = nas_strategy_state(s);
  if (!nas_tell_ok(t)) return NAS_OK;
  r->numerator = o->baseline * r->numerator + (1 - o->baseline) * t->valid_accuracy;
  r->denominator = o->baseline * r->denominator + (1 - o->baseline);
  double advantage = r->denominator > 0 ? t->valid_accuracy - r->numerator / r->denominator : t->valid_accuracy;
  r->steps++;
  double fix1 = 1 - pow(o->beta1, (double)r->steps), fix2 = 1 - pow(o->beta2, (double)r->steps), p[256];
  for (uint8_t g = 0; g < r->code.genes; g++) {
    uint32_t first = r->code.first[g];
    softmax(r->logits + first, r->code.choices[g], p);
    for (uint8_t c = 0; c < r->code.choices[g]; c++) {
      double gradient = advantage * (p[c] - (t->arch.gene[g] == c)), *m = &r->mean[first + c],
             *v = &r->square[first + c];
      *m = o->beta1 * *m + (1 - o->beta1) * gradient;
      *v = o->beta2 * *v + (1 - o->beta2) * gradient * gradient;
      r->logits[first + c] -= o->learning_rate * (*m / fix1) / (sqrt(*v / fix2) + adam_epsilon);
    }
  }
  return NAS_OK;
}

extern const nas_strategy_type nas_strategy_reinforce;
const nas_strategy_type nas_strategy_reinforce = {
    .name = "reinforce",
    .version = 1,
    .summary = "policy gradient on one distribution per gene, moving-average baseline",
    .citation =
        "Williams, Simple Statistical Gradient-Following Algorithms, Machine Learning 8, 1992; controller of "
        "Dong and Yang, NAS-Bench-201, ICLR 2020",
    .options = options,
    .options_size = sizeof(reinforce_options),
    .state_size = sizeof(reinforce_state),
    .open = open_reinforce,
    .close = close_reinforce,
    .ask = ask,
    .tell = tell,
};
