#ifndef NAS_SPACE_NEURON_EDGE_H
#define NAS_SPACE_NEURON_EDGE_H
/* What the spaces of neurons share: neuron types with options as people write them, and layers of them that cost as
 * much as linear ones. */
#include <stddef.h>

#include "space/net.h"

enum { NAS_NEURON_WORD_MAX = 64, NAS_NEURON_WORDS_MAX = 16 };

/* A neuron type and its options, written "lif" or "lif(steps=100;tau=2)". */
typedef struct nas_neuron_word {
  const char *type;  /* with static lifetime */
  char options[256]; /* "steps=100\ntau=2\n" */
} nas_neuron_word;

/* Reads a word; `where` is for messages. Errors: UNKNOWN_NAME with the nearest of the types and of `more` (a list that
 * ends with NULL, or NULL), and what the type's options say. */
nas_status nas_neuron_word_read(const char *word, const char *where, const char *const *more, nas_neuron_word *out,
                                nas_err *err);

/* How many characters of a text come before the first of `stops` that is not in parentheses, so that a word may hold an
 * expression: activation(activation=(a+tanh(b*x))*c*x)~0. All of it where a parenthesis stays open. */
size_t nas_neuron_word_span(const char *text, const char *stops);

/* OK for "none", the name of an activation, or an expression. `where` is for messages; of a fault in an expression the
 * place is "activation:COLUMN". */
nas_status nas_activation_word_check(const char *word, const char *where, nas_err *err);

/* Cuts a list at its commas into words without the spaces around them, in place (commas in parentheses are of the
 * word). Returns how many, at most `room`; -1 when there are more. */
int nas_neuron_words_cut(char *list, const char **words, int room);

/* How a layer of neurons is sized: as it is, or to have the parameters or MACs of a linear one (with bias). */
typedef enum nas_match { NAS_MATCH_NONE, NAS_MATCH_PARAMS, NAS_MATCH_MACS } nas_match;
nas_match nas_match_of(const char *text /* none|params|macs */);

/* Adds a layer `in` -> `out` of a type; dense (kernel 0) or over kernel x kernel patches that keep the size.
 *
 * Matched, its cost is brought to that of the linear layer `in` -> `out`. The neurons themselves and their options stay
 * what they are; how many there are changes. A layer of h of them is followed by a linear readout h -> out (1x1 in the
 * convolutional form), and h is the number whose cost comes nearest. A type whose layer costs the same within 0.5 % as
 * it is stays without a readout. Where the nearest h misses by more than 2 %, which happens to expensive neurons in
 * narrow layers, a linear layer in -> r (1x1) comes before them too; of all (r, h)
 * within 2 % the one that lets the most numbers pass, min(r, h), is taken, or else the nearest. The choice is recorded
 * in net->matches. */
nas_status nas_neuron_edge(nas_net *net, int32_t in, const nas_neuron_word *word, int32_t out_channels, int32_t kernel,
                           nas_match match, const char *label, int32_t *out, nas_err *err);
#endif
