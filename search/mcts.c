/* Monte-Carlo tree search over the genes: depth d of the tree decides gene d. UCT picks the way down, one node is added
 * per proposal, the genes below it are drawn at random, and the result is added to every node on the way. A proposal
 * under way counts as a visit with the lowest value, so that other workers take other ways. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/archive.h"
#include "search/encoding.h"
#include "search/seen.h"

typedef struct mcts_options {
  double exploration;
  char duplicates[16];
} mcts_options;

static const nas_option options[] = {
    NAS_OPT_REAL(mcts_options, exploration, "exploration", "0.2", 0, 1000,
                 "weight of the bound's width; values are scaled to 0..1 over the results so far"),
    NAS_OPT_DUPLICATES(mcts_options, "exact"), NAS_OPT_END};

typedef struct mcts_node {
  uint32_t children; /* place of the first of them; 0 = none yet */
  uint32_t visits, pending;
  bool closed; /* everything below has been proposed */
  double sum;  /* of values */
} mcts_node;

typedef struct mcts_state {
  nas_seen seen;
  nas_encoding code;
  mcts_node *nodes; /* the root is node 0 */
  size_t n, cap;
  uint8_t *depth; /* by ask number: how far down the tree its proposal went; 255 = it did not */
  size_t cap_depth;
  double low, high;
  bool any;
} mcts_state;

enum { ROLLOUTS = 50, DESCENTS = 200, OUTSIDE = 255 };

static nas_status open_mcts(nas_strategy *s, nas_err *err) {
  const mcts_options *o = nas_strategy_options(s);
  mcts_state *m = nas_strategy_state(s);
  nas_seen_open(&m->seen, nas_strategy_space(s), o->duplicates);
  nas_encoding_of(nas_strategy_space(s), &m->code);
  m->n = 1;
  return nas_grow(&m->nodes, &m->cap, 1, sizeof *m->nodes, "the tree", err);
}

static void close_mcts(nas_strategy *s) {
  mcts_state *m = nas_strategy_state(s);
  nas_seen_close(&m->seen);
  free(m->nodes);
  free(m->depth);
}

static nas_status expand(mcts_state *m, size_t node, uint8_t choices, nas_err *err) {
  if (m->nodes[node].children) return NAS_OK;
  NAS_TRY(nas_grow(&m->nodes, &m->cap, m->n + choices, sizeof *m->nodes, "the tree", err));
  m->nodes[node].children = (uint32_t)m->n;
  m->n += choices;
  return NAS_OK;
}

static double bound(const mcts_state *m, const mcts_options *o, const mcts_node *parent, const mcts_node *child) {
  double n = child->visits + (double)child->pending, range = m->high > m->low ? m->high - m->low : 1;
  double mean = (child->sum + child->pending * m->low) / n;
  return (mean - m->low) / range + o->exploration * sqrt(log(parent->visits + (double)parent->pending + 1) / n);
}

/* The child to go down to: a new one at random while there is any, else the one with the greatest bound. -1 when all
 * are closed. */
static int pick(const mcts_state *m, const mcts_options *o, const mcts_node *parent, uint8_t choices, nas_rng rng,
                uint64_t at, bool *is_new) {
  const mcts_node *child = &m->nodes[parent->children];
  uint32_t fresh = 0;
  int best = -1;
  double top = 0;
  for (int c = 0; c < choices; c++) fresh += !child[c].closed && !child[c].visits && !child[c].pending;
  *is_new = fresh > 0;
  uint64_t left = fresh ? nas_rng_below(rng, at, fresh) : 0;
  for (int c = 0; c < choices; c++) {
    if (child[c].closed) continue;
    if (fresh) {
      if (!child[c].visits && !child[c].pending && left-- == 0) return c;
      continue;
    }
    double b = bound(m, o, parent, &child[c]);
    if (best < 0 || b > top) best = c, top = b;
  }
  return best;
}

/* Closes the node and the ancestors that have nothing open left. `way` holds the nodes from the root down. */
static void close_up(mcts_state *m, const uint32_t *way, int depth) {
  m->nodes[way[depth]].closed = true;
  while (depth-- > 0) {
    const mcts_node *parent = &m->nodes[way[depth]];
    for (uint8_t c = 0; c < m->code.choices[depth]; c++)
      if (!m->nodes[parent->children + c].closed) return;
    m->nodes[way[depth]].closed = true;
  }
}

/* Random genes below the tree; false when none of the tries is new. */
static bool roll_out(const mcts_state *m, nas_rng rng, uint64_t at, uint8_t depth, nas_arch *arch) {
  for (int i = 0; i < ROLLOUTS; i++) {
    for (uint8_t g = depth; g < m->code.genes; g++)
      arch->gene[g] = (uint8_t)nas_rng_below(rng, at + (uint64_t)i * NAS_GENES_MAX + g, m->code.choices[g]);
    if (!nas_seen_has(&m->seen, arch)) return true;
    if (depth == m->code.genes) break;
  }
  return false;
}

/* One way down. *depth is OUTSIDE when it led to nothing new. */
static nas_status descend(mcts_state *m, const mcts_options *o, nas_rng rng, uint64_t at, nas_arch *arch,
                          uint8_t *depth, nas_err *err) {
  uint32_t way[NAS_GENES_MAX + 1] = {0};
  bool is_new = false;
  uint8_t d = 0;
  *arch = (nas_arch){.n = m->code.genes};
  while (d < m->code.genes && !is_new) {
    NAS_TRY(expand(m, way[d], m->code.choices[d], err));
    const mcts_node *parent = &m->nodes[way[d]];
    int c = pick(m, o, parent, m->code.choices[d], rng, at + d, &is_new);
    if (c < 0) break;
    arch->gene[d] = (uint8_t)c;
    way[d + 1] = parent->children + (uint32_t)c;
    d++;
  }
  *depth = OUTSIDE;
  bool found = roll_out(m, rng, at + NAS_GENES_MAX, d, arch);
  if (d == m->code.genes && (m->seen.any || !found)) close_up(m, way, d);
  if (!found) {
    /* A node below which nothing new was met counts as visited at its lowest, or the way would lead here again. */
    for (int i = 0; i <= d; i++) {
      m->nodes[way[i]].visits++;
      m->nodes[way[i]].sum += m->low;
    }
    return NAS_OK;
  }
  for (int i = 0; i <= d; i++) m->nodes[way[i]].pending++;
  *depth = d;
  return NAS_OK;
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const mcts_options *o = nas_strategy_options(s);
  mcts_state *m = nas_strategy_state(s);
  nas_rng rng = nas_strategy_rng(s, number);
  uint8_t depth = OUTSIDE;
  NAS_TRY(nas_grow(&m->depth, &m->cap_depth, (size_t)number + 1, sizeof *m->depth, "the tree", err));
  for (uint64_t i = 0; i < DESCENTS && depth == OUTSIDE && !m->nodes[0].closed; i++)
    NAS_TRY(descend(m, o, rng, i * NAS_GENES_MAX * (ROLLOUTS + 2), out, &depth, err));
  if (depth == OUTSIDE) NAS_TRY(nas_seen_sample(&m->seen, rng, 1 << 22, out, err));
  m->depth[number] = depth;
  return nas_seen_add(&m->seen, out, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)err;
  mcts_state *m = nas_strategy_state(s);
  bool ok = nas_tell_ok(t);
  if (ok) {
    m->low = m->any ? fmin(m->low, t->valid_accuracy) : t->valid_accuracy;
    m->high = m->any ? fmax(m->high, t->valid_accuracy) : t->valid_accuracy;
    m->any = true;
  }
  if (m->depth[t->number] == OUTSIDE) return NAS_OK;
  uint32_t node = 0;
  for (uint8_t d = 0; d <= m->depth[t->number]; d++) {
    mcts_node *n = &m->nodes[node];
    n->pending--;
    n->visits++;
    n->sum += ok ? t->valid_accuracy : m->low;
    if (d < m->depth[t->number]) node = n->children + t->arch.gene[d];
  }
  return NAS_OK;
}

extern const nas_strategy_type nas_strategy_mcts;
const nas_strategy_type nas_strategy_mcts = {
    .name = "mcts",
    .version = 1,
    .summary = "Monte-Carlo tree search (UCT) over the genes, one decision after the other",
    .citation =
        "Kocsis and Szepesvari, Bandit Based Monte-Carlo Planning, ECML 2006; Wang et al., Neural Architecture "
        "Search using Deep Neural Networks and Monte Carlo Tree Search, AAAI 2020",
    .options = options,
    .options_size = sizeof(mcts_options),
    .state_size = sizeof(mcts_state),
    .open = open_mcts,
    .close = close_mcts,
    .ask = ask,
    .tell = tell,
};
