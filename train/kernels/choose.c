#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "train/kernels/kernels.h"

/* The features of the levels x86-64-v3 and -v4 that matter here; a CPU that has these has the rest. */
#ifdef NAS_KERNELS_X86
extern const nas_kernel_set nas_kernels_x86_v3, nas_kernels_x86_v4;
extern const nas_winograd_bf16 nas_winograd_4_bf16;

static bool has_avx512(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_avx2(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
#endif
extern const nas_kernel_set nas_kernels_baseline;
static bool always(void) { return true; }

/* Best first. */
static const struct {
  const char *name;
  const nas_kernel_set *kernels;
  bool (*is_here)(void);
} levels[] = {
#ifdef NAS_KERNELS_X86
    {"avx512", &nas_kernels_x86_v4, has_avx512},
    {"avx2", &nas_kernels_x86_v3, has_avx2},
#endif
    {"baseline", &nas_kernels_baseline, always}};
enum { LEVELS = sizeof levels / sizeof *levels };

/* The first level that NASCENT_CPU allows, or LEVELS for a name that is none. */
static int first_allowed(const char *wanted) {
  int i = 0;
  while (wanted && i < LEVELS && strcmp(levels[i].name, wanted) != 0) i++;
  return i;
}

static int chosen_level(void) {
  int i = first_allowed(getenv("NASCENT_CPU"));
  if (i == LEVELS) i = 0; /* nas_kernels_check has said so */
  while (!levels[i].is_here()) i++;
  return i;
}

const char *nas_kernels_name(void) { return levels[chosen_level()].name; }

const nas_kernel_set *nas_kernels(void) {
  static const nas_kernel_set *chosen;
  const nas_kernel_set *found = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
  if (!found) {
    found = levels[chosen_level()].kernels; /* the same in every thread */
    __atomic_store_n(&chosen, found, __ATOMIC_RELAXED);
  }
  return found;
}

const nas_winograd_bf16 *nas_bf16_kernels(void) {
#ifdef NAS_KERNELS_X86
  if (nas_kernels() == &nas_kernels_x86_v4 && __builtin_cpu_supports("avx512bf16")) return &nas_winograd_4_bf16;
#endif
  return NULL;
}

nas_status nas_kernels_check(nas_err *err) {
  const char *wanted = getenv("NASCENT_CPU");
  if (first_allowed(wanted) < LEVELS) return NAS_OK;
  nas_guess guess = nas_guess_for(wanted);
  for (int i = 0; i < LEVELS; i++) nas_guess_add(&guess, levels[i].name);
  return nas_fail(err, NAS_E_UNKNOWN_NAME, "NASCENT_CPU", "no instruction set '%s'%s; known: %s", wanted,
                  nas_guess_text(&guess), LEVELS > 1 ? "avx512, avx2, baseline" : "baseline");
}
