/* Exhaustive search: every architecture, or one of every unique class, in the order of the space's index. */
#include <string.h>

#include "search/strategy.h"

typedef struct enumerate_options {
  int64_t from, to;
  bool unique;
} enumerate_options;

static const nas_option options[] = {
    NAS_OPT_INT(enumerate_options, from, "from", "0", 0, 9e15, "the first index (of a class when unique)"),
    NAS_OPT_INT(enumerate_options, to, "to", "0", 0, 9e15, "the index to stop before; 0 = the end of the space"),
    NAS_OPT_FLAG(enumerate_options, unique, "unique", "false", "one architecture of every unique class"), NAS_OPT_END};

static nas_status open_enumerate(nas_strategy *s, nas_err *err) {
  const enumerate_options *o = nas_strategy_options(s);
  const nas_space *space = nas_strategy_space(s);
  const char *name = nas_space_type_of(space)->name;
  uint64_t size = o->unique ? nas_space_classes(space) : nas_space_size(space);
  if (o->unique && !size)
    return nas_fail(err, NAS_E_UNSUPPORTED, "strategy enumerate", "%s does not count its unique classes; unique=false",
                    name);
  if (size && ((uint64_t)o->from >= size || (uint64_t)o->to > size))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "strategy enumerate", "from..to is %lld..%lld; %s ends before %llu",
                    (long long)o->from, (long long)o->to, name, (unsigned long long)size);
  if (o->to && o->to <= o->from)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "strategy enumerate", "to is %lld; it must be above from (%lld)",
                    (long long)o->to, (long long)o->from);
  return NAS_OK;
}

/* For spaces without an index: the genes as a number, the last one fastest. False past the end. */
static bool from_digits(const nas_space *space, uint64_t number, nas_arch *out) {
  *out = (nas_arch){.n = nas_space_genes(space)};
  for (uint8_t i = out->n; i-- > 0;) {
    uint8_t choices = nas_space_choices(space, i);
    out->gene[i] = (uint8_t)(number % choices);
    number /= choices;
  }
  return number == 0;
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const enumerate_options *o = nas_strategy_options(s);
  const nas_space *space = nas_strategy_space(s);
  uint64_t size = o->unique ? nas_space_classes(space) : nas_space_size(space), index = (uint64_t)o->from + number;
  if ((o->to && index >= (uint64_t)o->to) || (size && index >= size))
    return nas_fail(err, NAS_E_EXHAUSTED, "strategy enumerate", "index %llu was the last",
                    (unsigned long long)index - 1);
  if (o->unique) return nas_space_class_first(space, index, out, err);
  if (size && nas_space_type_of(space)->at) return nas_space_at(space, index, out, err);
  if (from_digits(space, index, out)) return NAS_OK;
  return nas_fail(err, NAS_E_EXHAUSTED, "strategy enumerate", "all architectures have been proposed");
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)s, (void)t, (void)err; /* nothing is learned */
  return NAS_OK;
}

extern const nas_strategy_type nas_strategy_enumerate;
const nas_strategy_type nas_strategy_enumerate = {
    .name = "enumerate",
    .version = 1,
    .summary = "every architecture in index order",
    .citation = "Dong and Yang, NAS-Bench-201: Extending the Scope of Reproducible NAS, ICLR 2020",
    .options = options,
    .options_size = sizeof(enumerate_options),
    .open = open_enumerate,
    .ask = ask,
    .tell = tell,
    .seedless = true,
    .nonadaptive = true,
};
