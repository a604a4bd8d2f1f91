/* The SVG picture of a cell: nodes in a row, short edges straight, long ones as arcs above and below, so that no two
 * labels can meet whatever the operations are. */
#include <math.h>
#include <string.h>

#include "space/cell_picture.h"

#define WIDTH     720
#define HEIGHT    380
#define MIDDLE    240 /* height of the row of nodes */
#define LEFT      60
#define STEP      200
#define RADIUS    27
#define ARROW     11  /* length of an arrow head */
#define LETTER    6.7 /* width of a letter of the text form, in size 11 */
#define LINE      15  /* height of its lines */
#define LINES_MAX 8

static double node_x(int node) { return LEFT + STEP * node; }

/* How far the control points of an arc lie above the row (negative: below) and towards its middle, by edge. */
static const struct {
  double lift, inset;
} arcs[NAS_CELL_EDGES] = {{0, 0.33}, {92, 0.3}, {0, 0.33}, {172, 0.1}, {-92, 0.3}, {0, 0.33}};

typedef struct point {
  double x, y;
} point;

/* From p towards q by a distance. */
static point towards(point p, point q, double distance) {
  double dx = q.x - p.x, dy = q.y - p.y, length = hypot(dx, dy);
  return (point){p.x + dx / length * distance, p.y + dy / length * distance};
}

static void add_arrow_head(nas_str *out, int e, const char *colour) {
  nas_str_fmt(out,
              "<marker id=\"head%d\" markerUnits=\"userSpaceOnUse\" markerWidth=\"%d\" markerHeight=\"10\" "
              "refX=\"0.5\" refY=\"5\" orient=\"auto\"><path d=\"M0 0.5L%d 5L0 9.5z\" fill=\"%s\"/></marker>\n",
              e, ARROW, ARROW, colour);
}

static void add_edge(nas_str *out, int e, const nas_cell_edge *edge) {
  const nas_line_style *style = &edge->style;
  point a = {node_x(nas_cell_from(e)), MIDDLE}, b = {node_x(nas_cell_to(e)), MIDDLE};
  double inset = arcs[e].inset * (b.x - a.x);
  point ca = {a.x + inset, MIDDLE - arcs[e].lift}, cb = {b.x - inset, MIDDLE - arcs[e].lift};
  bool none = edge->none;
  point start = towards(a, ca, RADIUS), end = towards(b, cb, RADIUS + (none ? 0 : ARROW));
  nas_str_fmt(out, "<g class=\"edge\"%s><title>edge %d to %d: ", none || edge->live ? "" : " opacity=\"0.45\"",
              nas_cell_from(e), nas_cell_to(e));
  nas_xml_add(out, edge->op);
  nas_str_fmt(out, "%s</title>\n", none || edge->live ? "" : " (without effect)");
  nas_str_fmt(out,
              "<path d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\" fill=\"none\" stroke=\"%s\" "
              "stroke-width=\"%g\"",
              start.x, start.y, ca.x, ca.y, cb.x, cb.y, end.x, end.y, style->colour, style->width);
  if (style->dash) nas_str_fmt(out, " stroke-dasharray=\"%s\"", style->dash);
  if (!none) nas_str_fmt(out, " marker-end=\"url(#head%d)\"", e);
  nas_str_add(out, "/>\n");
  /* The middle of a Bezier curve; the label stands off it on the outer side. */
  double middle = (start.y + 3 * ca.y + 3 * cb.y + end.y) / 8, y = arcs[e].lift < 0 ? middle + 20 : middle - 10;
  if (!none) {
    nas_str_fmt(out, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" font-size=\"14\">", (a.x + b.x) / 2, y, style->colour);
    nas_xml_add(out, edge->label);
    nas_str_add(out, "</text>\n");
  }
  nas_str_add(out, "</g>\n");
}

static void add_node(nas_str *out, int node) {
  nas_str_fmt(out,
              "<circle cx=\"%.1f\" cy=\"%d\" r=\"%d\" fill=\"#f4f4f4\" stroke=\"#222222\" "
              "stroke-width=\"1.4\"/><text x=\"%.1f\" y=\"%d\" font-size=\"14\">%s</text>\n",
              node_x(node), MIDDLE, RADIUS, node_x(node), MIDDLE + 5, nas_cell_node_name(node));
}

void nas_svg_head(nas_str *out, const nas_caption *caption, int width, int height, const char *defs) {
  nas_str_fmt(out,
              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
              "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" text-anchor=\"middle\" fill=\"#222222\">\n",
              width, height, width, height);
  nas_str_fmt(out, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", caption->title, width,
              height);
  if (defs) nas_str_fmt(out, "<defs>\n%s</defs>\n", defs);
  nas_str_fmt(out, "<text x=\"%d\" y=\"28\" font-size=\"18\" font-weight=\"bold\">%s</text>\n", width / 2,
              caption->title);
  nas_str_fmt(out, "<text x=\"%d\" y=\"49\" font-size=\"13\">%s</text>\n", width / 2, caption->counts);
  nas_str_fmt(out, "<text x=\"%d\" y=\"66\" font-size=\"12\" fill=\"#666666\">%s</text>\n", width / 2, caption->basis);
}

/* Cuts a text form after '|' into lines that fit; returns how many, with the length of each. */
static int cut(const char *arch, int width, size_t lengths[LINES_MAX]) {
  size_t room = (size_t)((width - 20) / LETTER), n = 0;
  while (*arch && n < LINES_MAX) {
    size_t length = strlen(arch);
    if (length > room && n + 1 < LINES_MAX) {
      length = room;
      while (length > 1 && arch[length - 1] != '|') length--;
      if (length == 1) length = room;
    }
    lengths[n++] = length;
    arch += length;
  }
  return (int)n;
}

int nas_svg_arch_lines(const char *arch, int width) {
  size_t lengths[LINES_MAX];
  return cut(arch, width, lengths);
}

void nas_svg_arch(nas_str *out, const char *arch, int width, int height) {
  size_t lengths[LINES_MAX];
  int n = cut(arch, width, lengths);
  for (int i = 0; i < n; i++) {
    char line[NAS_ARCH_TEXT_MAX];
    nas_text_put(line, sizeof line, "%.*s", (int)lengths[i], arch);
    nas_str_fmt(out,
                "<text x=\"%d\" y=\"%d\" font-size=\"11\" fill=\"#666666\" font-family=\"'DejaVu Sans Mono', Menlo, "
                "Consolas, monospace\">",
                width / 2, height - 14 - LINE * (n - 1 - i));
    nas_xml_add(out, line);
    nas_str_add(out, "</text>\n");
    arch += lengths[i];
  }
}

nas_status nas_cell_svg(const nas_cell_picture *picture, nas_str *out) {
  int height = HEIGHT + LINE * (nas_svg_arch_lines(picture->arch, WIDTH) - 1);
  nas_str defs = {0};
  for (int e = 0; e < NAS_CELL_EDGES; e++)
    if (!picture->edges[e].none) add_arrow_head(&defs, e, picture->edges[e].style.colour);
  nas_svg_head(out, &picture->caption, WIDTH, height, nas_str_text(&defs));
  nas_str_free(&defs);
  for (int e = 0; e < NAS_CELL_EDGES; e++) add_edge(out, e, &picture->edges[e]);
  for (int node = 0; node < NAS_CELL_NODES; node++) add_node(out, node);
  nas_svg_arch(out, picture->arch, WIDTH, height);
  nas_str_add(out, "</svg>\n");
  return NAS_OK;
}
