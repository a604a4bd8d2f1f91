/* What pictures of cells and networks share: captions, line styles, edges with an effect, DOT and JSON. */
#include "space/cell_picture.h"

#include <stdio.h>
#include <string.h>

/* Colours after Okabe and Ito, dark enough for text, which stay apart for colour-blind readers. */
const nas_line_style *nas_line_style_of(int place) {
  static const nas_line_style styles[] = {
      {"#0063a6", NULL, "bold", 3},          {"#c24e00", "11 4", "dashed", 2.4},     {"#007a5a", NULL, "solid", 1.8},
      {"#8f3f87", "2.5 3.5", "dotted", 2.4}, {"#8a6a00", "14 4 3 4", "dashed", 2.4}, {"#1481a8", "5 3", "dashed", 2.4},
      {"#a3173a", NULL, "bold", 2.4},        {"#46468f", "8 3 2 3 2 3", "dashed", 2}};
  return &styles[place % (int)(sizeof styles / sizeof *styles)];
}

/* 1288506 -> "1,288,506". */
static const char *with_commas(int64_t value, char out[32]) {
  char digits[24];
  size_t n = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value), length = 0;
  for (size_t i = 0; i < n; i++) {
    if (i && (n - i) % 3 == 0) out[length++] = ',';
    out[length++] = digits[i];
  }
  out[length] = '\0';
  return out;
}

nas_status nas_caption_count(const nas_space *space, const nas_arch *arch, nas_task task, nas_caption *out,
                             nas_err *err) {
  nas_net *net;
  char params[32], macs[32];
  NAS_TRY(nas_space_net(space, arch, task, &net, err));
  nas_text_put(out->counts, sizeof out->counts, "%s parameters \u00b7 %s MACs", with_commas(net->params, params),
               with_commas(net->macs, macs));
  nas_net_free(net);
  return NAS_OK;
}

uint8_t nas_cell_to(int edge) { return edge < 1 ? 1 : edge < 3 ? 2 : 3; }
uint8_t nas_cell_from(int edge) { return (uint8_t)(edge - nas_cell_to(edge) * (nas_cell_to(edge) - 1) / 2); }

const char *nas_cell_node_name(int node) {
  static const char *const names[NAS_CELL_NODES] = {"input", "1", "2", "output"};
  return names[node];
}

void nas_cell_live(nas_cell_edge edges[NAS_CELL_EDGES]) {
  bool fed[NAS_CELL_NODES] = {true}, used[NAS_CELL_NODES] = {[NAS_CELL_NODES - 1] = true};
  for (int e = 0; e < NAS_CELL_EDGES; e++) {
    edges[e].live = !edges[e].none && fed[nas_cell_from(e)];
    if (edges[e].live) fed[nas_cell_to(e)] = true;
  }
  for (int e = NAS_CELL_EDGES; e-- > 0;) {
    edges[e].live = edges[e].live && used[nas_cell_to(e)];
    if (edges[e].live) used[nas_cell_from(e)] = true;
  }
}

void nas_xml_add(nas_str *out, const char *text) {
  for (const char *p = text; *p; p++) {
    if (*p == '<') nas_str_add(out, "&lt;");
    else if (*p == '>') nas_str_add(out, "&gt;");
    else if (*p == '&') nas_str_add(out, "&amp;");
    else nas_str_fmt(out, "%c", *p);
  }
}

nas_status nas_cell_dot(const nas_cell_picture *picture, nas_str *out) {
  const nas_caption *caption = &picture->caption;
  nas_str_fmt(out,
              "digraph cell {\n  rankdir=LR; nodesep=0.5; ranksep=1.1; labelloc=t; fontname=\"Helvetica\";\n"
              "  label=\"%s\\n%s\\n%s\";\n",
              caption->title, caption->counts, caption->basis);
  nas_str_add(out,
              "  node [shape=circle, fixedsize=true, width=0.7, style=filled, fillcolor=\"#f2f2f2\", "
              "fontname=\"Helvetica\", fontsize=12];\n  edge [fontname=\"Helvetica\", fontsize=11];\n");
  for (int node = 0; node < NAS_CELL_NODES; node++)
    nas_str_fmt(out, "  n%d [label=\"%s\"];\n", node, nas_cell_node_name(node));
  for (int e = 0; e < NAS_CELL_EDGES; e++) {
    const nas_cell_edge *edge = &picture->edges[e];
    const nas_line_style *style = &edge->style;
    nas_str_fmt(out, "  n%d -> n%d [label=<", nas_cell_from(e), nas_cell_to(e));
    if (!edge->none) nas_xml_add(out, edge->op);
    /* Two more digits are the opacity: edges without an effect are pale. */
    nas_str_fmt(out,
                "<BR/><FONT POINT-SIZE=\"7\"> </FONT>>, color=\"%s%s\", fontcolor=\"%s%s\", "
                "style=%s, penwidth=%g%s];\n",
                style->colour, edge->live ? "" : "60", style->colour, edge->live ? "" : "90", style->dot, style->width,
                edge->none ? ", arrowhead=none" : "");
  }
  nas_str_add(out, "}\n");
  return NAS_OK;
}

void nas_cell_json(const nas_cell_picture *picture, nas_str *out) {
  nas_str_add(out, ", \"edges\": [");
  for (int e = 0; e < NAS_CELL_EDGES; e++) {
    nas_str_fmt(out, "%s{\"from\": %d, \"to\": %d, \"op\": ", e ? ", " : "", nas_cell_from(e), nas_cell_to(e));
    nas_str_json(out, picture->edges[e].op);
    nas_str_fmt(out, ", \"live\": %s}", picture->edges[e].live ? "true" : "false");
  }
  nas_str_add(out, "]");
}
