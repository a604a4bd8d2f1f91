#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "harness.h"
#include "nb201.h"

enum { COLUMNS_MAX = 32 };

static int split(char *line, char *fields[COLUMNS_MAX]) {
  int n = 0;
  for (char *rest = line, *field; n < COLUMNS_MAX && (field = strsep(&rest, ",\n"));) fields[n++] = field;
  return n;
}

/* The columns in the order of `wanted`. */
static void find_columns(char *header, const char *const *wanted, int n, int at[]) {
  char *names[COLUMNS_MAX];
  int n_names = split(header, names);
  for (int i = 0; i < n; i++) {
    at[i] = -1;
    for (int k = 0; k < n_names; k++)
      if (strcmp(names[k], wanted[i]) == 0) at[i] = k;
    if (at[i] < 0) fail_msg("no column %s", wanted[i]);
  }
}

void nb201_open(nas_space **space, nas_replay_table **table) {
  static const char *const wanted[] = {"arch",
                                       "c10_valid_acc_12",
                                       "c10valid_train_s_per_epoch",
                                       "c10valid_xvalid_s_per_eval",
                                       "c10valid_xvalid_acc_200",
                                       "c10valid_oritest_acc_200",
                                       "params_c10",
                                       "macs_c10"};
  enum { WANTED = sizeof wanted / sizeof *wanted };
  int at[WANTED];
  char line[1024], *fields[COLUMNS_MAX];
  gzFile file = gzopen(nas_shared_file("data/nb201/nb201.csv.gz"), "rb");
  assert_non_null(file);
  assert_non_null(gzgets(file, line, sizeof line));
  find_columns(line, wanted, WANTED, at);
  assert_ok(nas_space_open("nas-bench-201", NULL, space, nas_test_err()));
  assert_ok(nas_replay_table_new(*space, table, nas_test_err()));
  while (gzgets(file, line, sizeof line)) {
    double x[WANTED];
    split(line, fields);
    for (int i = 1; i < WANTED; i++) x[i] = strtod(fields[at[i]], NULL);
    nas_replay_row row = {.valid_accuracy = x[1],
                          .seconds = 12 * x[2] + x[3],
                          .report_valid = x[4],
                          .report_test = x[5],
                          .params = x[6],
                          .macs = x[7]};
    assert_ok(nas_space_parse(*space, fields[at[0]], &row.arch, nas_test_err()));
    assert_ok(nas_replay_table_add(*table, &row, nas_test_err()));
  }
  gzclose(file);
  assert_int_equal((*table)->n, 15625);
}
