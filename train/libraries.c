#include "train/libraries.h"

#include "train/dnnl_library.h"

nas_status nas_train_libraries_load(nas_err *err) { return nas_dnnl_load(err); }

void nas_train_libraries(nas_str *out) {
  if (nas_dnnl_load(NULL) != NAS_OK) {
    nas_str_add(out, "no oneDNN");
    return;
  }
  const dnnl_version_t *v = nas_dnnl.version();
  /* The same library takes other kernels, and other orders of summation, on another instruction set. */
  nas_str_fmt(out, "oneDNN %d.%d.%d, instruction set 0x%x", v->major, v->minor, v->patch,
              (unsigned)nas_dnnl.get_effective_cpu_isa());
}
