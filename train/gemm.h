#ifndef NAS_TRAIN_GEMM_H
#define NAS_TRAIN_GEMM_H
/* Dense row-major matrix product through oneDNN: c [m,n] = (add ? c : 0) + op(a) op(b), op(a) [m,k], op(b) [k,n]. A
 * transposed operand is stored the other way round. */
#include <stdbool.h>
#include <stdint.h>

void nas_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
              bool add, float *c);
/* The same where the rows of `a`, as it is stored, lie a_row numbers apart. */
void nas_gemm_part(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row,
                   const float *b, bool add, float *c);
#endif
