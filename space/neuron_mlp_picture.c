/* Pictures of networks of layers: boxes from left to right. */
#include "space/cell_picture.h"
#include "space/neuron_mlp.h"

enum { BOX_TOP = 92, BOX_HEIGHT = 92, GAP = 34, EDGE = 24, BOXES_MAX = LAYERS_MAX + 2, TEXTS = 4 };

/* A box: type, options, number of neurons, and what follows them. */
typedef struct box {
  char text[TEXTS][NAS_NEURON_WORD_MAX + 16];
  const char *colour;
  int width;
} box;

static void fill_box(box *b, const char *word, const char *size, const char *after, const char *colour) {
  size_t type = strcspn(word, "("), longest = 0;
  *b = (box){.colour = colour};
  nas_text_put(b->text[0], sizeof b->text[0], "%.*s", (int)type, word);
  nas_text_put(b->text[1], sizeof b->text[1], "%s", word + type);
  nas_text_put(b->text[2], sizeof b->text[2], "%s", size);
  nas_text_put(b->text[3], sizeof b->text[3], "%s", after);
  for (int i = 0; i < TEXTS; i++)
    if (strlen(b->text[i]) > longest) longest = strlen(b->text[i]);
  b->width = 24 + (longest > 9 ? 8 * (int)longest : 72);
}

static int fill_boxes(const nas_space *self, const nas_arch *arch, nas_task task, box boxes[BOXES_MAX]) {
  const mlp_data *d = mlp_data_of(self);
  const mlp_options *o = mlp_options_of(self);
  int n = 0;
  char size[32], after[64];
  nas_text_put(size, sizeof size, "%d \u00d7 %d \u00d7 %d", task.input.c, task.input.h, task.input.w);
  fill_box(&boxes[n++], "input", size, "", "#222222");
  for (; n <= mlp_depth_of(self, arch); n++) {
    const uint8_t *gene = arch->gene + 1 + PARTS * (n - 1);
    const char *norm = d->word[NORM][gene[NORM]], *activation = d->word[ACTIVATION][gene[ACTIVATION]];
    if (!strcmp(activation, "none")) activation = o->activation;
    bool normed = strcmp(norm, "none") != 0, bent = strcmp(activation, "none") != 0;
    nas_text_put(size, sizeof size, "%d neurons", (int)d->width[gene[WIDTH]]);
    nas_text_put(after, sizeof after, "%s%s%s%s", normed ? norm : "", normed ? " norm" : "", normed && bent ? ", " : "",
                 bent ? activation : "");
    fill_box(&boxes[n], d->word[TYPE][gene[TYPE]], size, after, nas_line_style_of(gene[TYPE])->colour);
  }
  nas_text_put(size, sizeof size, "%d outputs", (int)task.classes);
  fill_box(&boxes[n++], o->head, size, "", "#222222");
  return n;
}

static nas_status caption_of(const nas_space *self, const nas_arch *arch, nas_task task, nas_caption *out,
                             nas_err *err) {
  const mlp_options *o = mlp_options_of(self);
  int depth = mlp_depth_of(self, arch);
  nas_text_put(out->title, sizeof out->title, "network of %d layer%s and a head", depth, depth > 1 ? "s" : "");
  nas_text_put(out->basis, sizeof out->basis, "%s%s%d \u00d7 %d \u00d7 %d image, %d classes",
               o->match[0] == 'n' ? "" : "matched by ",
               o->match[0] == 'n'   ? ""
               : o->match[0] == 'p' ? "params, "
                                    : "macs, ",
               task.input.c, task.input.h, task.input.w, task.classes);
  return nas_caption_count(self, arch, task, out, err);
}

static void add_box(const box *b, int x, nas_str *out) {
  static const int size[TEXTS] = {15, 10, 13, 12};
  nas_str_fmt(out,
              "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#f4f4f4\" stroke=\"%s\" "
              "stroke-width=\"2\"/>\n",
              x, BOX_TOP, b->width, BOX_HEIGHT, b->colour);
  for (int i = 0; i < TEXTS; i++) {
    if (!b->text[i][0]) continue;
    nas_str_fmt(out, "<text x=\"%d\" y=\"%d\" font-size=\"%d\"%s>", x + b->width / 2, BOX_TOP + 24 + 19 * i, size[i],
                i ? "" : " font-weight=\"bold\"");
    nas_xml_add(out, b->text[i]);
    nas_str_add(out, "</text>\n");
  }
}

nas_status nas_neuron_mlp_svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_caption caption;
  box boxes[BOXES_MAX];
  char text[NAS_ARCH_TEXT_MAX];
  int n = fill_boxes(self, arch, task, boxes), width = 2 * EDGE - GAP, middle = BOX_TOP + BOX_HEIGHT / 2;
  NAS_TRY(caption_of(self, arch, task, &caption, err));
  NAS_TRY(nas_space_format(self, arch, text, err));
  for (int i = 0; i < n; i++) width += boxes[i].width + GAP;
  int total = width < 480 ? 480 : width, x = EDGE + (total - width) / 2;
  int height = BOX_TOP + BOX_HEIGHT + 26 + 15 * nas_svg_arch_lines(text, total);
  nas_svg_head(out, &caption, total, height, NULL);
  for (int i = 0; i < n; x += boxes[i++].width + GAP) {
    add_box(&boxes[i], x, out);
    if (i)
      nas_str_fmt(out,
                  "<path d=\"M%d %dh%d\" stroke=\"#222222\" stroke-width=\"1.4\"/><path d=\"M%d %dl-9 -4.5v9z\"/>\n",
                  x - GAP, middle, GAP - 9, x, middle);
  }
  nas_svg_arch(out, text, total, height);
  nas_str_add(out, "</svg>\n");
  return NAS_OK;
}

nas_status nas_neuron_mlp_dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_caption caption;
  box boxes[BOXES_MAX];
  int n = fill_boxes(self, arch, task, boxes);
  NAS_TRY(caption_of(self, arch, task, &caption, err));
  nas_str_fmt(out,
              "digraph network {\n  rankdir=LR; labelloc=t; fontname=\"Helvetica\";\n  label=\"%s\\n%s\\n%s\";\n"
              "  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f4f4f4\", fontname=\"Helvetica\", "
              "fontsize=12];\n",
              caption.title, caption.counts, caption.basis);
  for (int i = 0; i < n; i++) {
    nas_str_fmt(out, "  n%d [color=\"%s\", label=<<B>", i, boxes[i].colour);
    nas_xml_add(out, boxes[i].text[0]);
    nas_str_add(out, "</B>");
    for (int k = 1; k < TEXTS; k++) {
      if (!boxes[i].text[k][0]) continue;
      nas_str_add(out, "<BR/>");
      nas_xml_add(out, boxes[i].text[k]);
    }
    nas_str_add(out, ">];\n");
    if (i) nas_str_fmt(out, "  n%d -> n%d;\n", i - 1, i);
  }
  nas_str_add(out, "}\n");
  return NAS_OK;
}
