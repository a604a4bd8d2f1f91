/* Descriptions of a cell for people and for Graphviz: caption, edge styles, DOT and JSON. */
#include <stdio.h>
#include <string.h>

#include "space/nas_bench_201.h"

/* Colours of Okabe and Ito, which stay apart for colour-blind readers; the dashes stay apart in grey print. */
const nas_nb201_style nas_nb201_styles[NB201_OPS] = {
    [NB201_NONE] = {"none", "#c4c4c4", "1.5 5", "dotted", 1},
    [NB201_SKIP] = {"skip", "#555555", NULL, "solid", 1.4},
    [NB201_CONV1] = {"conv 1\u00d71", "#007a5a", "11 4", "dashed", 2.4},
    [NB201_CONV3] = {"conv 3\u00d73", "#0063a6", NULL, "bold", 3.2},
    [NB201_POOL] = {"avg pool 3\u00d73", "#c24e00", "2.5 3.5", "dotted", 2.4},
};

void nas_nb201_live(const nas_arch *arch, bool live[NB201_EDGES]) {
  bool zero[NB201_NODES] = {false}, used[NB201_NODES] = {false};
  for (int e = 0; e < NB201_EDGES; e++) live[e] = arch->gene[e] != NB201_NONE;
  for (uint8_t to = 1; to < NB201_NODES; to++) {
    zero[to] = true;
    for (uint8_t from = 0; from < to; from++) {
      bool *edge = &live[nas_nb201_edge_of(from, to)];
      *edge = *edge && !zero[from];
      if (*edge) zero[to] = false;
    }
  }
  used[NB201_NODES - 1] = true;
  for (uint8_t to = NB201_NODES - 1; to > 0; to--)
    for (uint8_t from = 0; from < to; from++) {
      bool *edge = &live[nas_nb201_edge_of(from, to)];
      *edge = *edge && used[to];
      if (*edge) used[from] = true;
    }
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

nas_status nas_nb201_caption_of(const nas_space *self, const nas_arch *arch, nas_task task, nas_nb201_caption *out,
                                nas_err *err) {
  const nas_nb201_options *o = nas_space_options(self);
  nas_net *net;
  char params[32], macs[32];
  NAS_TRY(nas_space_net(self, arch, task, &net, err));
  nas_text_put(out->title, sizeof out->title, "NAS-Bench-201 cell #%d", nas_nb201_index_of(nas_nb201_code(arch)));
  nas_text_put(out->counts, sizeof out->counts, "%s parameters \u00b7 %s MACs", with_commas(net->params, params),
               with_commas(net->macs, macs));
  nas_text_put(out->basis, sizeof out->basis,
               "%d channels, 3 \u00d7 %d cells, %d \u00d7 %d \u00d7 %d image, %d classes", (int)o->channels,
               (int)o->cells, task.input.c, task.input.h, task.input.w, task.classes);
  nas_net_free(net);
  return NAS_OK;
}

const char *nas_nb201_node_name(uint8_t node) {
  static const char *const names[NB201_NODES] = {"input", "1", "2", "output"};
  return names[node];
}

nas_status nas_nb201_dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_nb201_caption caption;
  bool live[NB201_EDGES];
  NAS_TRY(nas_nb201_caption_of(self, arch, task, &caption, err));
  nas_nb201_live(arch, live);
  nas_str_fmt(out,
              "digraph cell {\n  rankdir=LR; nodesep=0.5; ranksep=1.1; labelloc=t; fontname=\"Helvetica\";\n"
              "  label=\"%s\\n%s\\n%s\";\n",
              caption.title, caption.counts, caption.basis);
  nas_str_add(out,
              "  node [shape=circle, fixedsize=true, width=0.7, style=filled, fillcolor=\"#f2f2f2\", "
              "fontname=\"Helvetica\", fontsize=12];\n  edge [fontname=\"Helvetica\", fontsize=11];\n");
  for (uint8_t node = 0; node < NB201_NODES; node++)
    nas_str_fmt(out, "  n%d [label=\"%s\"];\n", node, nas_nb201_node_name(node));
  for (int e = 0; e < NB201_EDGES; e++) {
    const nas_nb201_style *style = &nas_nb201_styles[arch->gene[e]];
    nas_nb201_edge edge = nas_nb201_edges[e];
    bool none = arch->gene[e] == NB201_NONE;
    /* Two more digits are the opacity: edges without an effect are pale. */
    nas_str_fmt(out,
                "  n%d -> n%d [label=<%s<BR/><FONT POINT-SIZE=\"7\"> </FONT>>, color=\"%s%s\", fontcolor=\"%s%s\", "
                "style=%s, penwidth=%g%s];\n",
                edge.from, edge.to, none ? "" : nas_nb201_ops[arch->gene[e]], style->colour, live[e] ? "" : "60",
                style->colour, live[e] ? "" : "90", style->dot, style->width, none ? ", arrowhead=none" : "");
  }
  nas_str_add(out, "}\n");
  return NAS_OK;
}

void nas_nb201_json(const nas_space *self, const nas_arch *arch, nas_str *out) {
  (void)self;
  bool live[NB201_EDGES];
  nas_nb201_live(arch, live);
  nas_str_add(out, ", \"edges\": [");
  for (int e = 0; e < NB201_EDGES; e++)
    nas_str_fmt(out, "%s{\"from\": %d, \"to\": %d, \"op\": \"%s\", \"live\": %s}", e ? ", " : "",
                nas_nb201_edges[e].from, nas_nb201_edges[e].to, nas_nb201_ops[arch->gene[e]],
                live[e] ? "true" : "false");
  nas_str_add(out, "]");
}
