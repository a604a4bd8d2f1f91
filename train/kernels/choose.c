#include <stddef.h>

#include "train/kernels/kernels.h"

extern const nas_kernel_set nas_kernels_baseline;
#ifdef NAS_KERNELS_X86
extern const nas_kernel_set nas_kernels_x86_v3, nas_kernels_x86_v4;

/* The features of the levels x86-64-v3 and -v4 that matter here; a CPU that has these has the rest. */
const nas_kernel_set *nas_kernels(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return &nas_kernels_x86_v4;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    return &nas_kernels_x86_v3;
  return &nas_kernels_baseline;
}
#else
const nas_kernel_set *nas_kernels(void) { return &nas_kernels_baseline; }
#endif
