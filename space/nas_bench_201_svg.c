/* The SVG picture of a cell: nodes in a row, short edges straight, long ones as arcs above and below, so that no two
 * labels can meet whatever the operations are. */
#include <math.h>

#include "space/nas_bench_201.h"

#define WIDTH  720
#define HEIGHT 380
#define MIDDLE 240 /* height of the row of nodes */
#define LEFT   60
#define STEP   200
#define RADIUS 27
#define ARROW  11 /* length of an arrow head */

static double node_x(int node) { return LEFT + STEP * node; }

/* How far the control points of an arc lie above the row (negative: below) and towards its middle, by edge. */
static const struct {
  double lift, inset;
} arcs[NB201_EDGES] = {{0, 0.33}, {92, 0.3}, {0, 0.33}, {172, 0.1}, {-92, 0.3}, {0, 0.33}};

typedef struct point {
  double x, y;
} point;

/* From p towards q by a distance. */
static point towards(point p, point q, double distance) {
  double dx = q.x - p.x, dy = q.y - p.y, length = hypot(dx, dy);
  return (point){p.x + dx / length * distance, p.y + dy / length * distance};
}

static void add_arrow_head(nas_str *out, int op) {
  nas_str_fmt(out,
              "<marker id=\"head%d\" markerUnits=\"userSpaceOnUse\" markerWidth=\"%d\" markerHeight=\"10\" "
              "refX=\"0.5\" refY=\"5\" orient=\"auto\"><path d=\"M0 0.5L%d 5L0 9.5z\" fill=\"%s\"/></marker>\n",
              op, ARROW, ARROW, nas_nb201_styles[op].colour);
}

static void add_edge(nas_str *out, int e, uint8_t op, bool live) {
  const nas_nb201_style *style = &nas_nb201_styles[op];
  point a = {node_x(nas_nb201_edges[e].from), MIDDLE}, b = {node_x(nas_nb201_edges[e].to), MIDDLE};
  double inset = arcs[e].inset * (b.x - a.x);
  point ca = {a.x + inset, MIDDLE - arcs[e].lift}, cb = {b.x - inset, MIDDLE - arcs[e].lift};
  bool none = op == NB201_NONE;
  point start = towards(a, ca, RADIUS), end = towards(b, cb, RADIUS + (none ? 0 : ARROW));
  nas_str_fmt(out, "<g class=\"edge\"%s><title>edge %d to %d: %s%s</title>\n", none || live ? "" : " opacity=\"0.45\"",
              nas_nb201_edges[e].from, nas_nb201_edges[e].to, nas_nb201_ops[op],
              none || live ? "" : " (without effect)");
  nas_str_fmt(out,
              "<path d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\" fill=\"none\" stroke=\"%s\" "
              "stroke-width=\"%g\"",
              start.x, start.y, ca.x, ca.y, cb.x, cb.y, end.x, end.y, style->colour, style->width);
  if (style->dash) nas_str_fmt(out, " stroke-dasharray=\"%s\"", style->dash);
  if (!none) nas_str_fmt(out, " marker-end=\"url(#head%d)\"", op);
  nas_str_add(out, "/>\n");
  /* The middle of a Bezier curve; the label stands off it on the outer side. */
  double middle = (start.y + 3 * ca.y + 3 * cb.y + end.y) / 8, y = arcs[e].lift < 0 ? middle + 20 : middle - 10;
  if (!none)
    nas_str_fmt(out, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" font-size=\"14\">%s</text>\n", (a.x + b.x) / 2, y,
                style->colour, style->label);
  nas_str_add(out, "</g>\n");
}

static void add_node(nas_str *out, uint8_t node) {
  nas_str_fmt(out,
              "<circle cx=\"%.1f\" cy=\"%d\" r=\"%d\" fill=\"#f4f4f4\" stroke=\"#222222\" "
              "stroke-width=\"1.4\"/><text x=\"%.1f\" y=\"%d\" font-size=\"14\">%s</text>\n",
              node_x(node), MIDDLE, RADIUS, node_x(node), MIDDLE + 5, nas_nb201_node_name(node));
}

static void add_head(nas_str *out, const nas_nb201_caption *caption) {
  nas_str_fmt(out,
              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
              "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" text-anchor=\"middle\" fill=\"#222222\">\n",
              WIDTH, HEIGHT, WIDTH, HEIGHT);
  nas_str_fmt(out, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n<defs>\n", caption->title,
              WIDTH, HEIGHT);
  for (int op = 1; op < NB201_OPS; op++) add_arrow_head(out, op);
  nas_str_fmt(out, "</defs>\n<text x=\"%d\" y=\"28\" font-size=\"18\" font-weight=\"bold\">%s</text>\n", WIDTH / 2,
              caption->title);
  nas_str_fmt(out, "<text x=\"%d\" y=\"49\" font-size=\"13\">%s</text>\n", WIDTH / 2, caption->counts);
  nas_str_fmt(out, "<text x=\"%d\" y=\"66\" font-size=\"12\" fill=\"#666666\">%s</text>\n", WIDTH / 2, caption->basis);
}

nas_status nas_nb201_svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_nb201_caption caption;
  char text[NAS_ARCH_TEXT_MAX];
  bool live[NB201_EDGES];
  NAS_TRY(nas_nb201_caption_of(self, arch, task, &caption, err));
  NAS_TRY(nas_space_format(self, arch, text, err));
  nas_nb201_live(arch, live);
  add_head(out, &caption);
  for (int e = 0; e < NB201_EDGES; e++) add_edge(out, e, arch->gene[e], live[e]);
  for (uint8_t node = 0; node < NB201_NODES; node++) add_node(out, node);
  nas_str_fmt(out,
              "<text x=\"%d\" y=\"%d\" font-size=\"11\" fill=\"#666666\" font-family=\"'DejaVu Sans Mono', Menlo, "
              "Consolas, monospace\">%s</text>\n</svg>\n",
              WIDTH / 2, HEIGHT - 14, text);
  return NAS_OK;
}
