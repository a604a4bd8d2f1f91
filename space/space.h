#ifndef NAS_SPACE_SPACE_H
#define NAS_SPACE_SPACE_H
/* Search spaces: sets of architectures with a text form, an index, a canonical form, neighbours, and the network
 * that each architecture stands for. A space type is one `const nas_space_type` in its own file and one line in
 * spaces.def. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "space/net.h"

#define NAS_GENES_MAX     64
#define NAS_ARCH_TEXT_MAX 512

/* An architecture: a plain value. Gene i takes one of nas_space_choices(space, i) values. */
typedef struct nas_arch {
  uint8_t n;
  uint8_t gene[NAS_GENES_MAX];
} nas_arch;

bool nas_arch_same(const nas_arch *a, const nas_arch *b);

typedef struct nas_space nas_space;
typedef struct nas_space_type nas_space_type;

/* The contract of a space type. `self` is the space; its options struct is at nas_space_options(self) and its
 * private data at nas_space_data(self). Callers use the nas_space_... functions below instead. */
struct nas_space_type {
  const char *name; /* "nas-bench-201" */
  int version;
  const char *summary, *citation;
  const nas_option *options;
  size_t options_size, data_size;                    /* data is zeroed before open */
  nas_status (*open)(nas_space *self, nas_err *err); /* may be NULL */
  void (*close)(nas_space *self);                    /* may be NULL */
  uint8_t (*genes)(const nas_space *self);
  uint8_t (*choices)(const nas_space *self, uint8_t gene);
  const char *(*choice_name)(const nas_space *self, uint8_t gene, uint8_t choice);
  nas_status (*parse)(const nas_space *self, const char *text, nas_arch *out, nas_err *err);
  nas_status (*format)(const nas_space *self, const nas_arch *arch, nas_str *out);
  /* Equal networks give equal texts. */
  nas_status (*canonical)(const nas_space *self, const nas_arch *arch, nas_str *out);
  uint64_t (*size)(const nas_space *self); /* 0: too many to count */
  nas_status (*at)(const nas_space *self, uint64_t index, nas_arch *out, nas_err *err);
  bool (*index)(const nas_space *self, const nas_arch *arch, uint64_t *out); /* published index */
  uint64_t (*classes)(const nas_space *self); /* number of unique classes; 0: not counted */
  bool (*class_of)(const nas_space *self, const nas_arch *arch, uint64_t *out);
  /* The index of the first member of a class (in index order). */
  nas_status (*class_first)(const nas_space *self, uint64_t class_id, nas_arch *out, nas_err *err);
  nas_status (*net)(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *net, nas_err *err);
  /* Graphviz DOT and SVG pictures of the cell, whose caption counts parameters and MACs for the task; may be NULL. */
  nas_status (*dot)(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
  nas_status (*svg)(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
  /* Adds further members (", \"edges\": [...]") to the JSON object of an architecture; may be NULL. */
  void (*json)(const nas_space *self, const nas_arch *arch, nas_str *out);
  /* Where gene g is the operation on an edge of a DAG whose nodes are numbered from 0 (the input) to the last (the
   * output) along its edges: the two nodes. May be NULL; then the genes are plain categories to strategies. */
  void (*edge)(const nas_space *self, uint8_t gene, uint8_t *from, uint8_t *to); /* both 0: this one is no edge */
  /* True when a text of digits only is an architecture's text rather than its index. May be NULL: never. */
  bool (*numeral)(const nas_space *self, const char *text);
  /* A choice in a line of words; NULL where its name says it, or where it is a neuron type, which describes itself. May
   * be NULL. */
  const char *(*choice_summary)(const nas_space *self, uint8_t gene, uint8_t choice);
};

/* The registry: NULL-terminated. */
const nas_space_type *const *nas_space_types(void);
/* UNKNOWN_NAME with the nearest name when absent. "declared:LABEL" is the type `declared`: tables tell declared spaces
 * apart by such names. */
nas_status nas_space_find(const char *name, const nas_space_type **out, nas_err *err);

/* Opens a space with its options (settings may be NULL); free with nas_space_close. */
nas_status nas_space_open(const char *name, const nas_settings *settings, nas_space **out, nas_err *err);
void nas_space_close(nas_space *space);

const nas_space_type *nas_space_type_of(const nas_space *space);
const void *nas_space_options(const nas_space *space);
void *nas_space_data(const nas_space *space);

uint8_t nas_space_genes(const nas_space *space);
uint8_t nas_space_choices(const nas_space *space, uint8_t gene);
/* The edge that gene g labels; false where the genes of the type are no edges. */
bool nas_space_edge(const nas_space *space, uint8_t gene, uint8_t *from, uint8_t *to);
/* The word of the grammar, such as "nor_conv_3x3". */
const char *nas_space_choice_name(const nas_space *space, uint8_t gene, uint8_t choice);
/* What it does, in a line; NULL where the type does not say. */
const char *nas_space_choice_summary(const nas_space *space, uint8_t gene, uint8_t choice);
/* Errors name the column: where = "arch:COLUMN". Accepts the text form or a decimal index. */
nas_status nas_space_parse(const nas_space *space, const char *text, nas_arch *out, nas_err *err);
/* Writes the text form (at most NAS_ARCH_TEXT_MAX bytes). */
nas_status nas_space_format(const nas_space *space, const nas_arch *arch, char out[NAS_ARCH_TEXT_MAX], nas_err *err);
nas_status nas_space_canonical(const nas_space *space, const nas_arch *arch, char out[NAS_ARCH_TEXT_MAX], nas_err *err);
uint64_t nas_space_size(const nas_space *space);
nas_status nas_space_at(const nas_space *space, uint64_t index, nas_arch *out, nas_err *err);
bool nas_space_index(const nas_space *space, const nas_arch *arch, uint64_t *out);
uint64_t nas_space_classes(const nas_space *space);
bool nas_space_class(const nas_space *space, const nas_arch *arch, uint64_t *out);
nas_status nas_space_class_first(const nas_space *space, uint64_t class_id, nas_arch *out, nas_err *err);

/* Uniform over architectures, or over unique classes (then the first member of the class). Uses rng indices
 * first..first+NAS_GENES_MAX-1. */
nas_status nas_space_sample(const nas_space *space, nas_rng rng, uint64_t first, bool unique, nas_arch *out,
                            nas_err *err);
/* Changes exactly one gene, uniformly over genes and other choices. Uses two rng indices. */
nas_status nas_space_mutate(const nas_space *space, const nas_arch *arch, nas_rng rng, uint64_t first, nas_arch *out,
                            nas_err *err);
/* Number of one-gene neighbours, and the k-th (gene-major, choices ascending, the own one left out). */
uint32_t nas_space_neighbours(const nas_space *space);
nas_status nas_space_neighbour(const nas_space *space, const nas_arch *arch, uint32_t k, nas_arch *out, nas_err *err);

/* The network of an architecture; free with nas_net_free. */
nas_status nas_space_net(const nas_space *space, const nas_arch *arch, nas_task task, nas_net **out, nas_err *err);

/* Picture and description. Captions count parameters and MACs for the task. UNSUPPORTED where the type has none. */
nas_status nas_space_draw(const nas_space *space, const nas_arch *arch, nas_task task,
                          const char *format /* svg|dot|json */, nas_str *out, nas_err *err);
#endif
