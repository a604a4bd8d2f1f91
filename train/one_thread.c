#include "train/one_thread.h"

#include <stddef.h>

#include "train/dnnl_library.h"

typedef void (*set_threads)(int);

nas_status nas_one_thread(nas_err *err) {
  /* The library is asked for at run time: which OpenMP oneDNN brings with it is its packager's choice, and linking
   * another one would put two into the process. Two threads that race here store the same pointer. */
  static _Atomic(set_threads) call;
  set_threads set = call;
  if (!set) {
    NAS_TRY(nas_dnnl_load(err));
    unsigned runtime = nas_dnnl.version()->cpu_runtime;
    if (runtime == DNNL_RUNTIME_SEQ) return NAS_OK;
    void *symbol = runtime == DNNL_RUNTIME_OMP ? nas_dnnl_find("omp_set_num_threads") : NULL;
    if (!symbol)
      return nas_fail(err, NAS_E_UNSUPPORTED, NULL, "oneDNN runs its own threads here; install one built for OpenMP");
    *(void **)&set = symbol;
    call = set;
  }
  set(1);
  return NAS_OK;
}
