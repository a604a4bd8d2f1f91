/* A table as a benchmark, through the installed library:
 *   cc bench_table.c $(pkg-config --cflags --libs nascent) -o bench_table
 *   ./bench_table toy.db toys 12
 * lists what the table holds, picks a cell by its mean validation accuracy after the given epochs, and says what the
 * cell reaches after the longest training, seed by seed where there are several. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <bench-db/bench.h>

static int fail(const nas_err *err) {
  fprintf(stderr, "%s: %s\n", err->where, err->msg);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: bench_table FILE DATASET EPOCHS\n");
    return 2;
  }
  nas_err err = {0};
  nas_bench *bench;
  if (nas_bench_open(argv[1], 0, &bench, &err) != NAS_OK) return fail(&err);
  printf("%zu cells of %s\n", nas_bench_cells(bench), nas_bench_space_name(bench));

  const nas_bench_slice *slices;
  size_t n_slices;
  int64_t longest = 0;
  if (nas_bench_slices(bench, &slices, &n_slices, &err) != NAS_OK) return fail(&err);
  for (size_t i = 0; i < n_slices; i++) {
    printf("%s, %lld epochs, seed ", slices[i].dataset, (long long)slices[i].epochs);
    printf(slices[i].seed < 0 ? "mean" : "%lld", (long long)slices[i].seed);
    printf(": %zu trials; valid figures are from %s, test figures from %s\n", slices[i].trials, slices[i].splits[1],
           slices[i].splits[2]);
    if (slices[i].epochs > longest) longest = slices[i].epochs;
  }

  /* A column is a flat array over cells; NAN where the table has nothing. */
  nas_bench_where short_run = {.dataset = argv[2], .epochs = atoi(argv[3]), .seed = NAS_BENCH_MEAN};
  const double *valid;
  if (nas_bench_column(bench, "valid_accuracy", &short_run, &valid, &err) != NAS_OK) return fail(&err);
  size_t best = 0;
  for (size_t cell = 1; cell < nas_bench_cells(bench); cell++)
    if (isnan(valid[best]) || valid[cell] > valid[best]) best = cell;
  const nas_bench_cell *cell = nas_bench_cell_at(bench, best);
  printf("best %s with %.2f %% on the validation images\n", cell->arch, valid[best]);

  nas_bench_where long_run = {.dataset = argv[2], .epochs = longest, .seed = NAS_BENCH_MEAN};
  double test, params;
  if (nas_bench_value(bench, best, "test_accuracy", &long_run, &test, &err) != NAS_OK) return fail(&err);
  if (nas_bench_value(bench, best, "params", &long_run, &params, &err) != NAS_OK) return fail(&err);
  printf("%.0f parameters, test accuracy %.2f %% after %lld epochs\n", params, test, (long long)longest);

  /* Looking up takes a text or an index. */
  size_t again;
  if (nas_bench_find(bench, cell->arch, &again, &err) != NAS_OK) return fail(&err);
  nas_bench_close(bench);
  return again == best ? 0 : 1;
}
