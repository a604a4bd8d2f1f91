#ifndef NAS_CLI_DB_FIGURE_H
#define NAS_CLI_DB_FIGURE_H
/* A figure of every cell of a table, as people name it:
 * METRIC[,dataset=D][,epochs=E][,epoch=K][,seed=S|mean][,recipe=R]. */
#include "bench-db/bench.h"
#include "cli/cli.h"

/* What holds where the figure's own text does not say otherwise; filled by flags. */
typedef struct nas_figure_defaults {
  const char *dataset, *recipe, *seed;
  int64_t epochs, epoch, campaign;
} nas_figure_defaults;

/* The flags --dataset, --epochs, --epoch, --seed, --recipe and --campaign: six rows of a table of flags. */
#define NAS_FIGURE_FLAGS(d)                                                                                    \
  {"dataset", 'd', NAS_FLAG_TEXT, &(d).dataset, "NAME", "data set (default: the only one)"},                   \
      {"epochs", 'e', NAS_FLAG_INT, &(d).epochs, "E", "runs of so many epochs (default: the only ones)"},      \
      {"epoch", 0, NAS_FLAG_INT, &(d).epoch, "K", "figures of that epoch of the curve (default: of the end)"}, \
      {"seed", 0, NAS_FLAG_TEXT, &(d).seed, "S", "one seed, or `mean` (default) over those recorded"},         \
      {"recipe", 0, NAS_FLAG_TEXT, &(d).recipe, "NAME", "recipe (default: the only one)"}, {                   \
    "campaign", 0, NAS_FLAG_INT, &(d).campaign, "N", "the space of this campaign (default: the only one)"      \
  }

typedef struct nas_figure {
  char text[256]; /* as written */
  char *metric;   /* into words */
  char words[256];
  nas_bench_where where;
} nas_figure;

/* Errors: USAGE. */
nas_status nas_figure_read(const char *text, const nas_figure_defaults *defaults, nas_figure *out, nas_err *err);
/* The column; belongs to the table. */
nas_status nas_figure_column(nas_bench *b, const nas_figure *f, const double **values, nas_err *err);
#endif
