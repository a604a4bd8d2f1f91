#ifndef NAS_SPACE_CELL_PICTURE_H
#define NAS_SPACE_CELL_PICTURE_H
/* Pictures of cells of four nodes, 0 (input) to 3 (output), with an operation on the edge from every node to every
 * later one; and what pictures of other networks need too. */
#include "space/space.h"

enum { NAS_CELL_NODES = 4, NAS_CELL_EDGES = 6 };

/* Colour and dash of a line: told apart in print without colour too. */
typedef struct nas_line_style {
  const char *colour, *dash /* SVG dash array, NULL = solid */, *dot /* Graphviz style */;
  double width;
} nas_line_style;
/* Styles of neuron types, by their place in a space's list; they repeat after eight. */
const nas_line_style *nas_line_style_of(int place);

/* The lines above a picture: what it is, "1,288,506 parameters · 184,730,250 MACs", what they are counted for. */
typedef struct nas_caption {
  char title[48], counts[96], basis[160];
} nas_caption;
/* Fills `counts` from the network of an architecture. */
nas_status nas_caption_count(const nas_space *space, const nas_arch *arch, nas_task task, nas_caption *out,
                             nas_err *err);

typedef struct nas_cell_edge {
  const char *op;  /* the word of the grammar */
  char label[32];  /* what stands at the line */
  bool none, live; /* none: no operation; live: has an effect on the output, from nas_cell_live */
  nas_line_style style;
} nas_cell_edge;

typedef struct nas_cell_picture {
  nas_caption caption;
  char arch[NAS_ARCH_TEXT_MAX];
  nas_cell_edge edges[NAS_CELL_EDGES]; /* by the later node, then by the earlier one */
} nas_cell_picture;

uint8_t nas_cell_from(int edge);
uint8_t nas_cell_to(int edge);
const char *nas_cell_node_name(int node);
/* Which edges have an effect: not `none`, out of a node that is not zero, on a way to the output. */
void nas_cell_live(nas_cell_edge edges[NAS_CELL_EDGES]);

nas_status nas_cell_svg(const nas_cell_picture *picture, nas_str *out);
nas_status nas_cell_dot(const nas_cell_picture *picture, nas_str *out);
/* Adds the member ", \"edges\": [...]". */
void nas_cell_json(const nas_cell_picture *picture, nas_str *out);

/* What every SVG picture here begins with, up to the lines above; `defs` (may be NULL) goes before those. */
void nas_svg_head(nas_str *out, const nas_caption *caption, int width, int height, const char *defs);
/* The text form below a picture, on as many lines as it needs; nas_svg_arch_lines says how many. */
int nas_svg_arch_lines(const char *arch, int width);
void nas_svg_arch(nas_str *out, const char *arch, int width, int height);
/* Text with <, > and & written as entities. */
void nas_xml_add(nas_str *out, const char *text);
#endif
