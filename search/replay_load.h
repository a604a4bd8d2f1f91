#ifndef NAS_SEARCH_REPLAY_LOAD_H
#define NAS_SEARCH_REPLAY_LOAD_H
/* From a database to the table of a replay. */
#include "bench-db/bench.h"
#include "search/replay.h"

/* Which figures. */
typedef struct nas_replay_source {
  const char *path;                     /* of the database */
  const char *dataset;                  /* with or without @version; NULL: the only one */
  const char *recipe;                   /* likewise */
  int64_t campaign;                     /* 0: all */
  int64_t search_epochs, report_epochs; /* 0: the shortest and the longest training that the table has */
} nas_replay_source;

/* What was read. */
typedef struct nas_replay_recorded {
  nas_bench *bench; /* owns space */
  nas_space *space;
  nas_replay_table *table;
  char dataset[128];
  int64_t search_epochs, report_epochs;
  size_t left_out; /* architectures without the figures of both fidelities */
  bool timed;      /* every row has a cost; without, all costs are 0 */
} nas_replay_recorded;

/* Figures are means over the recorded seeds. Where no run has just the search epochs, the figures come from that epoch
 * in the curves of the report runs. A trial costs the training of the search epochs and the evaluation after the last;
 * where the search runs have no times, those of the report runs count. Errors: those of opening the database;
 * UNKNOWN_NAME for the data set; NOT_FOUND for epochs that the table does not have; UNSUPPORTED for a space that this
 * program does not have. Close *out in any case. */
nas_status nas_replay_load(const nas_replay_source *source, nas_replay_recorded *out, nas_err *err);
/* Gives the table of a load its curves, for strategies of several fidelities: the validation accuracy after each epoch
 * up to the search fidelity, of the search runs or, where those have no curves, of the report runs. NOT_FOUND: neither
 * has them; BAD_INPUT: rows without times. Once. */
nas_status nas_replay_load_curves(nas_replay_recorded *recorded, const nas_replay_source *source, nas_err *err);
void nas_replay_recorded_close(nas_replay_recorded *recorded);

/* What a replay sets differently from a live search, unless told otherwise: an option `unique` is false, because each
 * architecture of a table has figures of its own and the published protocols draw over all of them. */
nas_status nas_replay_defaults(const nas_strategy_type *type, nas_settings *out, nas_err *err);
#endif
