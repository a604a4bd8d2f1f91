#ifndef NAS_CLI_REPLAY_H
#define NAS_CLI_REPLAY_H
/* What the parts of `nascent replay` share: the line as given, the runs, and the printers. */
#include "cli/cli.h"
#include "search/replay_load.h"
#include "search/replay_report.h"

/* One strategy with its options. */
typedef struct nas_contender {
  char name[192]; /* as written: "random", "regularized-evolution:population=20" */
  const nas_strategy_type *type;
  nas_settings settings;
  nas_str options; /* all of them, as a JSON object */
  nas_replay_run *runs;
  nas_replay_summary summary;
  nas_replay_point *curve;
} nas_contender;

typedef struct nas_replay_session {
  nas_cli *cli;
  const char *strategies, *seconds, *axis, *test, *show, *svg;
  int64_t budget, runs, jobs, workers, seed, points, resamples;
  nas_replay_source source;
  nas_replay_recorded recorded;
  nas_replay_limits limits;
  nas_replay_axis curve_axis;
  nas_contender *contenders;
  size_t n_contenders;
  double *moments;
  size_t n_moments;
  nas_replay_difference *differences;
  size_t n_differences;
} nas_replay_session;

/* Reads "a,b:key=value:key=value" and the -o of each strategy into the contenders, and checks every option. */
nas_status nas_contenders_read(nas_replay_session *s, nas_err *err);
void nas_contenders_free(nas_replay_session *s);

/* What --show names, in the form that the flags ask for. */
nas_status nas_replay_print(const nas_replay_session *s, nas_err *err);
/* Two panels, validation and test regret: medians with the band between the quartiles. */
nas_status nas_replay_svg(const nas_replay_session *s, const char *path, nas_err *err);
#endif
