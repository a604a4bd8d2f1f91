/* NAS-Bench-201: 15,625 cells in a fixed skeleton (Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible
 * Neural Architecture Search", ICLR 2020).
 *
 * Published to the letter: operation names, the text form |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, index order, unique
 * classes, skeleton, parameter and MAC counts.
 *
 * Zeros. The unique classes are the zero-aware ones: an edge that is `none`, or that leaves a node whose unique string
 * is exactly "#", is "#". The published rule does not simplify sums, so a node that sums two zeros is "#+#" and counts
 * as different from "#"; it stays so here. The network follows the mathematics behind the rule: a node all of whose
 * incoming edges are zero is zero, and an edge out of it contributes nothing. (The published PyTorch code differs in
 * one point: a convolution edge out of such a node still adds the shift of its batch norm, a constant per channel.)
 * The layers of such an edge stay in the description, since published parameter and MAC counts include them. */
#include "space/nas_bench_201.h"

const char *const nas_nb201_ops[NB201_OPS] = {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"};

const nas_nb201_edge nas_nb201_edges[NB201_EDGES] = {{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}};

static const nas_option options[] = {
    NAS_OPT_INT(nas_nb201_options, channels, "channels", "16", 1, 1024, "channels of the first stage (then x2, x4)"),
    NAS_OPT_INT(nas_nb201_options, cells, "cells", "5", 1, 100, "cells in each of the three stages"), NAS_OPT_END};

static uint8_t genes(const nas_space *self) {
  (void)self;
  return NB201_EDGES;
}

static uint8_t choices(const nas_space *self, uint8_t gene) {
  (void)self, (void)gene;
  return NB201_OPS;
}

static const char *choice_name(const nas_space *self, uint8_t gene, uint8_t choice) {
  (void)self, (void)gene;
  return choice < NB201_OPS ? nas_nb201_ops[choice] : NULL;
}

static nas_status canonical(const nas_space *self, const nas_arch *arch, nas_str *out) {
  (void)self;
  char unique[NB201_UNIQUE_MAX];
  nas_nb201_unique(arch, unique);
  nas_str_add(out, unique);
  return NAS_OK;
}

static uint64_t size(const nas_space *self) {
  (void)self;
  return NB201_CELLS;
}

static nas_status at(const nas_space *self, uint64_t index, nas_arch *out, nas_err *err) {
  (void)self, (void)err;
  nas_nb201_decode(nas_nb201_code_at((uint16_t)index), out);
  return NAS_OK;
}

static bool index_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  (void)self;
  *out = nas_nb201_index_of(nas_nb201_code(arch));
  return true;
}

static uint64_t classes(const nas_space *self) {
  (void)self;
  return NB201_CLASSES;
}

static bool class_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  (void)self;
  *out = nas_nb201_class_of(nas_nb201_code(arch));
  return true;
}

static nas_status class_first(const nas_space *self, uint64_t class_id, nas_arch *out, nas_err *err) {
  (void)self, (void)err;
  nas_nb201_decode(nas_nb201_class_first((uint16_t)class_id), out);
  return NAS_OK;
}

static void edge(const nas_space *self, uint8_t gene, uint8_t *from, uint8_t *to) {
  (void)self;
  *from = nas_nb201_edges[gene].from;
  *to = nas_nb201_edges[gene].to;
}

static const char *choice_summary(const nas_space *self, uint8_t gene, uint8_t choice) {
  (void)self, (void)gene;
  static const char *const summaries[NB201_OPS] = {"no edge: contributes zero", "passes its input on unchanged",
                                                   "ReLU, 1x1 convolution, batch norm",
                                                   "ReLU, 3x3 convolution, batch norm", "3x3 average pooling"};
  return choice < NB201_OPS ? summaries[choice] : NULL;
}

extern const nas_space_type nas_space_type_nas_bench_201;
const nas_space_type nas_space_type_nas_bench_201 = {
    .name = "nas-bench-201",
    .version = 1,
    .summary = "cells of four nodes and six edges with five operations in a skeleton of three stages",
    .citation =
        "X. Dong, Y. Yang: NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, "
        "ICLR 2020",
    .options = options,
    .options_size = sizeof(nas_nb201_options),
    .genes = genes,
    .choices = choices,
    .choice_name = choice_name,
    .parse = nas_nb201_parse,
    .format = nas_nb201_format,
    .canonical = canonical,
    .size = size,
    .at = at,
    .index = index_of,
    .classes = classes,
    .class_of = class_of,
    .class_first = class_first,
    .net = nas_nb201_net,
    .dot = nas_nb201_dot,
    .svg = nas_nb201_svg,
    .json = nas_nb201_json,
    .edge = edge,
    .choice_summary = choice_summary,
};
