#include "train/gemm.h"

#include "train/dnnl_library.h"

void nas_gemm_part(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row,
                   const float *b, bool add, float *c) {
  nas_dnnl.sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1, a, a_row, b, transpose_b ? k : n,
                 add ? 1 : 0, c, n);
}

void nas_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
              bool add, float *c) {
  nas_gemm_part(transpose_a, transpose_b, m, n, k, a, transpose_a ? m : k, b, add, c);
}
