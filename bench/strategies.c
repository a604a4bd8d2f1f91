/* Cost of one ask and one tell after `told` trials, for every strategy: seconds of processor time, one core, one
 * worker. bench-strategies [-n ASKS] [-t TOLD] [--json] [STRATEGY...]; bench/strategies_optuna.py puts a peer beside.
 */
#include <popt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "search/strategy.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Separable with interactions, so that models have something to learn: 60 to 95. */
static double accuracy_of(const nas_arch *a, int32_t epochs) {
  double sum = 60;
  for (uint8_t g = 0; g < a->n; g++) {
    uint8_t pair[3] = {g, a->gene[g], a->gene[(g + 1) % a->n]};
    sum += 35.0 / a->n * (double)(nas_hash64(pair, 3) % 1000) / 1000;
  }
  return sum - 10.0 / (1 + epochs);
}

static nas_status step(nas_strategy *s, uint64_t k, nas_err *err) {
  nas_proposal p;
  NAS_TRY(nas_strategy_propose(s, k, &p, err));
  nas_tell t = {.number = k,
                .arch = p.arch,
                .valid_accuracy = accuracy_of(&p.arch, p.epochs),
                .seconds = 1,
                .valid_loss = 1,
                .params = 1000.0 * p.arch.gene[0],
                .macs = 1000};
  return nas_strategy_tell(s, &t, err);
}

static nas_status measure(const char *name, const nas_space *space, uint64_t told, uint64_t asks, double *each,
                          nas_err *err) {
  const nas_strategy_setup setup = {.space = space, .seed = 1, .epochs = 27};
  nas_strategy *s;
  NAS_TRY(nas_strategy_open_with(name, NULL, &setup, &s, err));
  nas_status status = NAS_OK;
  for (uint64_t k = 0; k < told && status == NAS_OK; k++) status = step(s, k, err);
  double begin = now();
  for (uint64_t k = told; k < told + asks && status == NAS_OK; k++) status = step(s, k, err);
  *each = (now() - begin) / (double)asks;
  nas_strategy_close(s);
  return status;
}

int main(int argc, const char **argv) {
  int asks = 100, told = 1000, failed = 0, json = 0, rows = 0;
  const struct poptOption flags[] = {{"asks", 'n', POPT_ARG_INT, &asks, 0, "asks and tells measured (100)", "N"},
                                     {"told", 't', POPT_ARG_INT, &told, 0, "trials told before (1000)", "N"},
                                     {"json", 0, POPT_ARG_NONE, &json, 0, "print one JSON object", NULL},
                                     POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, flags, 0);
  int rc = poptGetNextOpt(context);
  const char **names = poptGetArgs(context);
  nas_err err = {0};
  nas_space *space = NULL;
  if (rc < -1 || asks < 1 || told < 0) {
    fprintf(stderr, "bench-strategies: wrong usage, see --help\n");
    poptFreeContext(context);
    return 2;
  }
  if (nas_space_open("nas-bench-201", NULL, &space, &err) != NAS_OK) return 1;
  if (json) printf("{\"schema\": \"nascent.bench-strategies\", \"told\": %d, \"asks\": %d, \"rows\": [", told, asks);
  else printf("ask + tell after %d trials, mean of %d\n", told, asks);
  for (const nas_strategy_type *const *t = nas_strategy_types(); *t; t++) {
    bool wanted = !names && !(*t)->recall; /* what waits for something outside has no time of its own */
    for (const char **n = names; n && *n; n++) wanted |= strcmp(*n, (*t)->name) == 0;
    if (!wanted) continue;
    double each = 0;
    if (measure((*t)->name, space, (uint64_t)told, (uint64_t)asks, &each, &err) != NAS_OK) {
      fprintf(stderr, "%s: %s\n", (*t)->name, err.msg);
      failed = 1;
    } else if (json) printf("%s\n  {\"strategy\": \"%s\", \"seconds\": %.9g}", rows++ ? "," : "", (*t)->name, each);
    else printf("%-24s %12.3f us\n", (*t)->name, 1e6 * each);
  }
  if (json) printf("]}\n");
  nas_space_close(space);
  poptFreeContext(context);
  return failed;
}
