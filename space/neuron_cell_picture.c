/* Pictures of a cell of neurons. */
#include "space/cell_picture.h"
#include "space/neuron_cell.h"

static void fill_edges(const nas_space *self, const nas_arch *arch, nas_cell_picture *out) {
  static const nas_line_style lines[] = {
      {"#c4c4c4", "1.5 5", "dotted", 1}, {"#555555", NULL, "solid", 1.4}, {"#777777", "2.5 3.5", "dotted", 2}};
  static const char *const labels[] = {"none", "skip", "avg pool 3\u00d73"};
  for (int e = 0; e < EDGES; e++) {
    const char *op = cell_data_of(self)->ops[arch->gene[e]];
    nas_cell_edge *edge = &out->edges[e];
    *edge = (nas_cell_edge){.op = op,
                            .none = cell_op_is(cell_data_of(self), arch->gene[e], NONE),
                            .style = *nas_line_style_of(arch->gene[e])};
    /* Options are left to the text below where they would not fit between two nodes. */
    bool fits = strlen(op) <= 18;
    nas_text_put(edge->label, sizeof edge->label, "%.*s%s", fits ? 18 : (int)strcspn(op, "("), op,
                 fits ? "" : "(\u2026)");
    for (int i = 0; i < PLAIN_OPS; i++)
      if (cell_op_is(cell_data_of(self), arch->gene[e], i)) {
        edge->style = lines[i];
        nas_text_put(edge->label, sizeof edge->label, "%s", labels[i]);
      }
  }
  nas_cell_live(out->edges);
}

static nas_status picture_of(const nas_space *self, const nas_arch *arch, nas_task task, nas_cell_picture *out,
                             nas_err *err) {
  const cell_options *o = cell_options_of(self);
  nas_caption *caption = &out->caption;
  char window[24] = "";
  fill_edges(self, arch, out);
  uint64_t index = 0;
  nas_space_index(self, arch, &index);
  nas_text_put(caption->title, sizeof caption->title, "neuron cell #%ju", (uintmax_t)index);
  if (cell_is_conv(self)) nas_text_put(window, sizeof window, ", %d \u00d7 %d windows", (int)o->kernel, (int)o->kernel);
  nas_text_put(caption->basis, sizeof caption->basis,
               "width %d%s, %d \u00d7 %d cell%s%s%s, %d \u00d7 %d \u00d7 %d image, %d classes", (int)o->width, window,
               (int)o->stages, (int)o->cells, o->stages * o->cells > 1 ? "s" : "",
               o->match[0] == 'n' ? "" : ", matched by ", o->match[0] == 'n' ? "" : o->match, task.input.c,
               task.input.h, task.input.w, task.classes);
  NAS_TRY(nas_space_format(self, arch, out->arch, err));
  return nas_caption_count(self, arch, task, caption, err);
}

nas_status nas_neuron_cell_svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_cell_picture picture;
  NAS_TRY(picture_of(self, arch, task, &picture, err));
  return nas_cell_svg(&picture, out);
}

nas_status nas_neuron_cell_dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_cell_picture picture;
  NAS_TRY(picture_of(self, arch, task, &picture, err));
  return nas_cell_dot(&picture, out);
}

void nas_neuron_cell_json(const nas_space *self, const nas_arch *arch, nas_str *out) {
  nas_cell_picture picture;
  fill_edges(self, arch, &picture);
  nas_cell_json(&picture, out);
}
