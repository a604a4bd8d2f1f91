/* Pictures of NAS-Bench-201 cells: what cell_picture.h needs to know. */
#include "space/cell_picture.h"
#include "space/nas_bench_201.h"

/* Colours of Okabe and Ito, which stay apart for colour-blind readers; the dashes stay apart in grey print. */
static const struct {
  const char *label;
  nas_line_style line;
} styles[NB201_OPS] = {
    [NB201_NONE] = {"none", {"#c4c4c4", "1.5 5", "dotted", 1}},
    [NB201_SKIP] = {"skip", {"#555555", NULL, "solid", 1.4}},
    [NB201_CONV1] = {"conv 1\u00d71", {"#007a5a", "11 4", "dashed", 2.4}},
    [NB201_CONV3] = {"conv 3\u00d73", {"#0063a6", NULL, "bold", 3.2}},
    [NB201_POOL] = {"avg pool 3\u00d73", {"#c24e00", "2.5 3.5", "dotted", 2.4}},
};

static void fill_edges(const nas_arch *arch, nas_cell_picture *out) {
  for (int e = 0; e < NB201_EDGES; e++) {
    uint8_t op = arch->gene[e];
    out->edges[e] = (nas_cell_edge){.op = nas_nb201_ops[op], .none = op == NB201_NONE, .style = styles[op].line};
    nas_text_put(out->edges[e].label, sizeof out->edges[e].label, "%s", styles[op].label);
  }
  nas_cell_live(out->edges);
}

static nas_status picture_of(const nas_space *self, const nas_arch *arch, nas_task task, nas_cell_picture *out,
                             nas_err *err) {
  const nas_nb201_options *o = nas_space_options(self);
  nas_caption *caption = &out->caption;
  fill_edges(arch, out);
  nas_text_put(caption->title, sizeof caption->title, "NAS-Bench-201 cell #%d",
               nas_nb201_index_of(nas_nb201_code(arch)));
  nas_text_put(caption->basis, sizeof caption->basis,
               "%d channels, 3 \u00d7 %d cells, %d \u00d7 %d \u00d7 %d image, %d classes", (int)o->channels,
               (int)o->cells, task.input.c, task.input.h, task.input.w, task.classes);
  NAS_TRY(nas_space_format(self, arch, out->arch, err));
  return nas_caption_count(self, arch, task, caption, err);
}

nas_status nas_nb201_svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_cell_picture picture;
  NAS_TRY(picture_of(self, arch, task, &picture, err));
  return nas_cell_svg(&picture, out);
}

nas_status nas_nb201_dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_cell_picture picture;
  NAS_TRY(picture_of(self, arch, task, &picture, err));
  return nas_cell_dot(&picture, out);
}

void nas_nb201_json(const nas_space *self, const nas_arch *arch, nas_str *out) {
  nas_cell_picture picture;
  (void)self;
  fill_edges(arch, &picture);
  nas_cell_json(&picture, out);
}
