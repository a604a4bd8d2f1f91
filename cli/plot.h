#ifndef NAS_CLI_PLOT_H
#define NAS_CLI_PLOT_H
/* Small SVG plots: points and lines over labelled axes. */
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

typedef struct nas_plot {
  const char *title, *x_label, *y_label;
  double x_min, x_max, y_min, y_max; /* data ranges; widened by a margin */
  bool log_x, whole_x;               /* whole_x: ticks at whole numbers only */
  bool log_y;
} nas_plot;

/* Sets the ranges to hold these points as well (non-finite ones are left out). Start from an empty plot with
 * nas_plot_reset. */
void nas_plot_reset(nas_plot *p);
void nas_plot_hold(nas_plot *p, double x, double y);

/* Writes <svg> with frame, ticks and labels; then any number of the next two; then </svg>. */
void nas_plot_begin(nas_plot *p, nas_str *out);
/* A dot with a tooltip (HTML-escaped). */
void nas_plot_point(const nas_plot *p, nas_str *out, double x, double y, const char *colour, const char *tip);
/* A polyline; `step` draws it as stairs. `name` (may be NULL) is written at its end. */
void nas_plot_line(const nas_plot *p, nas_str *out, const double *x, const double *y, size_t n, const char *colour,
                   bool step, const char *name);
/* The area between two lines over the same x. */
void nas_plot_band(const nas_plot *p, nas_str *out, const double *x, const double *low, const double *high, size_t n,
                   const char *colour);
void nas_plot_end(nas_str *out);

/* Adds text with &, <, > and quotes escaped. */
void nas_html_text(nas_str *out, const char *text);
/* The k-th colour of a palette that colour-blind readers can tell apart (Okabe and Ito). */
const char *nas_plot_colour(size_t k);
#endif
