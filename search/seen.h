#ifndef NAS_SEARCH_SEEN_H
#define NAS_SEARCH_SEEN_H
/* Which architectures were proposed already, for strategies that avoid duplicates. */
#include "base/rng.h"
#include "search/map.h"
#include "space/space.h"

/* The option that every strategy with a choice in it has; member `duplicates` is a char[16]. */
#define NAS_OPT_DUPLICATES(S, dflt)                                      \
  NAS_OPT_CHOICE(S, duplicates, "duplicates", dflt, "allow|exact|class", \
                 "repeats: allow them, avoid the same architecture (exact), or any of the same network (class)")

typedef struct nas_seen {
  const nas_space *space; /* borrowed */
  bool any, by_class;
  nas_map map; /* key of an architecture -> 1 + number of its first proposal */
} nas_seen;

/* `mode` is the value of the option. Free with nas_seen_close. */
void nas_seen_open(nas_seen *s, const nas_space *space, const char *mode);
void nas_seen_close(nas_seen *s);
/* What identifies an architecture here: its genes, or its canonical form when mode is class. */
uint64_t nas_seen_key(const nas_seen *s, const nas_arch *arch);
/* Was it (or, by class, its equal) added? Always false when duplicates are allowed. */
bool nas_seen_has(const nas_seen *s, const nas_arch *arch);
nas_status nas_seen_add(nas_seen *s, const nas_arch *arch, nas_err *err);

/* Places in the number sequence of one ask that nas_seen_sample and nas_seen_mutate draw from, from `first` on. */
enum { NAS_SEEN_NUMBERS = 1 << 16 };
/* A uniform draw from what is not seen (from all when duplicates are allowed). EXHAUSTED when nothing is left: certain
 * where the space has an index, after a thousand draws where it has none. */
nas_status nas_seen_sample(const nas_seen *s, nas_rng rng, uint64_t first, nas_arch *out, nas_err *err);
/* A copy of `parent` with `mutations` one-gene changes that is not seen; when a hundred tries give none, one with ever
 * more changes, at last a nas_seen_sample. */
nas_status nas_seen_mutate(const nas_seen *s, const nas_arch *parent, int mutations, nas_rng rng, uint64_t first,
                           nas_arch *out, nas_err *err);
#endif
