#ifndef NAS_TRAIN_VECTOR_H
#define NAS_TRAIN_VECTOR_H
/* Generic vectors of 16 floats (GCC and Clang), which the compiler cuts into what the CPU has; and the names of
 * functions that are compiled once per instruction set NAS_ISA. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t i16 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))
INLINE v16 load(const float *p) { return *(const v16u *)p; }
INLINE void store(float *p, v16 v) { *(v16u *)p = v; }
/* The first n < 16 numbers, zeros after them; and back. */
INLINE v16 load_part(const float *p, int64_t n) {
  v16 v = {0};
  memcpy(&v, p, (size_t)n * sizeof *p);
  return v;
}
INLINE void store_part(float *p, v16 v, int64_t n) { memcpy(p, &v, (size_t)n * sizeof *p); }
INLINE v16 load_upto(const float *p, int64_t n) { return n >= 16 ? load(p) : load_part(p, n); }
INLINE void store_upto(float *p, v16 v, int64_t n) {
  if (n >= 16) store(p, v);
  else store_part(p, v, n);
}
INLINE v16 splat(float x) { return x - (v16){0}; }
INLINE v16 select_positive(v16 x, v16 v) { return (v16)((i16)v & (x > 0)); }

#define NAS_ISA_JOIN_(name, isa) nas_##name##_##isa
#define NAS_ISA_JOIN(name, isa)  NAS_ISA_JOIN_(name, isa)
#define NAS_PER_ISA(name)        NAS_ISA_JOIN(name, NAS_ISA)
#endif
