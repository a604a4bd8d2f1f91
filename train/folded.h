#ifndef NAS_TRAIN_FOLDED_H
#define NAS_TRAIN_FOLDED_H
/* One by one convolutions between a ReLU and a batch norm, in training, without their output z.
 *
 * z = W x is linear in x, so all that the norm wants of it follows from the mean m and the products P = sum of
 * (x - m)(x - m)' of the fan's input: the mean of z is W m, its sum of squared deviations the diagonal of W P W'. The
 * sum that takes the branch then multiplies x - m by W with the norm's factors in it and stores nothing but itself.
 * Backward, with D = sum of dy (x - m)' and dz = a dy + b (z - W m) + c as in norm.h: sum of dy (z - W m) = the
 * diagonal of D W', dW = a D + b W P, and dx = W' a dy + (W' b W) (x - m) + W' c, where the middle term is one matrix
 * for all branches of a fan. So x is read instead of z, once for several branches, and a third of the multiplications
 * is added: a gain wherever memory is the limit. */
#include "train/branch.h"

/* True when a branch can run so. */
bool nas_folds(const nas_branch *b);
/* Numbers in a fan's `gram`: m, then P. */
static inline int64_t nas_gram_numbers(int64_t channels) { return channels + channels * channels; }

/* ---- the fan ---- */

/* Gathers m and P tile by tile. */
typedef struct nas_gram {
  int64_t channels, seen;
  bool relu;
  float *shift, *centred, *products, *sum, *square; /* the deviations are from the first tile's mean */
  double *total;
} nas_gram;

int64_t nas_gram_scratch(int64_t channels, int64_t rows);
void nas_gram_begin(nas_gram *g, int64_t channels, bool relu, int64_t rows, void *scratch);
/* `next`: where as many rows will be added next, or NULL. */
void nas_gram_add(nas_gram *g, const float *x, int64_t rows, const float *next);
/* Writes m and P to `gram`; overwrites the scratch. */
void nas_gram_close(nas_gram *g, float *gram);
/* The branch's statistics, from its fan's gram; `room`: two times channels^2 numbers. */
void nas_folded_statistics(const nas_branch *b, double rows, float *room);
/* Adds W' b W to `square` and W' c to `shift`. */
void nas_folded_return(const nas_branch *b, float *square, float *shift, float *room);

/* ---- the sum ---- */

int64_t nas_folded_forward_scratch(const nas_call *c, int64_t block);
/* Packs the weights of all folded branches of a sum. */
void nas_folded_begin(const nas_call *c, void *scratch);
/* to = plus + the folded branches, numbers first .. first + n - 1 of the sum, at most `block`; plus may be NULL or to.
 */
void nas_folded_add(const nas_call *c, int64_t first, int64_t n, float *to, const float *plus, int64_t block,
                    void *scratch);
int64_t nas_folded_backward_scratch(const nas_call *c, int64_t block);
/* The gradients of all folded branches' parameters and the factors of their dz. */
void nas_folded_backward(const nas_call *c, int64_t block, void *scratch);
#endif
