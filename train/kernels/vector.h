#ifndef NAS_TRAIN_VECTOR_H
#define NAS_TRAIN_VECTOR_H
/* Generic vectors of 16 floats (GCC and Clang), which the compiler cuts into what the CPU has; and the names of
 * functions that are compiled once per instruction set NAS_ISA. */
#include <stdint.h>

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t i16 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))
INLINE v16 load(const float *p) { return *(const v16u *)p; }
INLINE void store(float *p, v16 v) { *(v16u *)p = v; }
INLINE v16 select_positive(v16 x, v16 v) { return (v16)((i16)v & (x > 0)); }

#define NAS_ISA_JOIN_(name, isa) nas_##name##_##isa
#define NAS_ISA_JOIN(name, isa)  NAS_ISA_JOIN_(name, isa)
#define NAS_PER_ISA(name)        NAS_ISA_JOIN(name, NAS_ISA)
#endif
