#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "drive.h"
#include "harness.h"
#include "table.h"

enum { AT_PARAMS = 3, AT_MACS = 4, AT_TRAIN = 5, AT_EVAL = 6, AT_TEST = 9, AT_VALID = 11, FIELDS = 16 };

nas_nb201_table *nas_table_load(void) {
  gzFile f = gzopen(nas_shared_file("data/nb201/nb201.csv.gz"), "rb");
  nas_nb201_table *t = calloc(1, sizeof *t);
  char line[1024];
  int n = 0;
  assert_non_null(f);
  assert_non_null(t);
  assert_non_null(gzgets(f, line, sizeof line));
  while (gzgets(f, line, sizeof line)) {
    double field[FIELDS];
    const char *at = line;
    for (int i = 0; i < FIELDS; i++, at = strchr(at, ',') ? strchr(at, ',') + 1 : "") field[i] = atof(at);
    int index = (int)field[0];
    assert_in_range(index, 0, NAS_TABLE_CELLS - 1);
    t->valid[index] = (float)field[AT_VALID];
    t->test[index] = (float)field[AT_TEST];
    t->seconds[index] = (float)(12 * field[AT_TRAIN] + field[AT_EVAL]);
    t->params[index] = (float)field[AT_PARAMS];
    t->macs[index] = (float)field[AT_MACS];
    t->best = fmax(t->best, field[AT_VALID]);
    n++;
  }
  gzclose(f);
  assert_int_equal(n, NAS_TABLE_CELLS);
  return t;
}

static double run_once(const nas_nb201_table *table, const nas_space *space, const char *name, const char *settings,
                       uint64_t seed, double seconds, uint64_t *evaluations, double *test) {
  nas_strategy *s = nas_drive_open(name, settings, space, seed);
  double spent = 0, best = -1;
  *evaluations = 0;
  for (uint64_t k = 0;; k++) {
    nas_arch arch;
    uint64_t i;
    nas_status status = nas_strategy_ask(s, k, &arch, nas_test_err());
    if (status == NAS_E_EXHAUSTED) break;
    assert_ok(status);
    assert_true(nas_space_index(space, &arch, &i));
    spent += (double)table->seconds[i];
    if (spent > seconds) break;
    ++*evaluations;
    nas_tell tell = {.number = k,
                     .arch = arch,
                     .outcome = NAS_OUTCOME_OK,
                     .valid_accuracy = (double)table->valid[i],
                     .valid_loss = 1,
                     .seconds = (double)table->seconds[i],
                     .params = (double)table->params[i],
                     .macs = (double)table->macs[i]};
    assert_ok(nas_strategy_tell(s, &tell, nas_test_err()));
    if (tell.valid_accuracy > best) {
      best = tell.valid_accuracy;
      *test = (double)table->test[i];
    }
  }
  nas_strategy_close(s);
  return table->best - best;
}

void nas_simulate(const nas_nb201_table *table, const nas_space *space, const char *name, const char *settings,
                  int runs, double seconds, nas_simulation *out) {
  double squares = 0;
  *out = (nas_simulation){0};
  for (int r = 0; r < runs; r++) {
    uint64_t evaluations;
    double test = 0;
    out->regrets[r] = run_once(table, space, name, settings, (uint64_t)r, seconds, &evaluations, &test);
    out->regret += out->regrets[r] / runs;
    out->evaluations += (double)evaluations / runs;
    out->test += test / runs;
    squares += test * test / runs;
  }
  out->test_std = sqrt(fmax(0, squares - out->test * out->test) * runs / fmax(1, runs - 1));
}
