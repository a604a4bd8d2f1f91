#include "train/libraries.h"

#include <dnnl.h>

void nas_train_libraries(nas_str *out) {
  const dnnl_version_t *v = dnnl_version();
  /* The same library takes other kernels, and other orders of summation, on another instruction set. */
  nas_str_fmt(out, "oneDNN %d.%d.%d, instruction set 0x%x", v->major, v->minor, v->patch,
              (unsigned)dnnl_get_effective_cpu_isa());
}
