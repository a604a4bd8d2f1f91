#ifndef NAS_TRAIN_DNNL_LIBRARY_H
#define NAS_TRAIN_DNNL_LIBRARY_H
/* oneDNN, loaded by the first plan: it and the C++ library take longer to start than most commands run. A function is
 * called as nas_dnnl.sgemm(...) instead of dnnl_sgemm(...); one that is used for the first time is added to the list.
 */
#include <dnnl.h>

#include "base/library.h"

/* clang-format off */
#define NAS_DNNL_FUNCTIONS(F) \
  F(convolution_backward_data_desc_init) F(convolution_backward_weights_desc_init) \
  F(convolution_forward_desc_init) F(engine_create) F(get_effective_cpu_isa) F(memory_create) \
  F(memory_desc_get_size) F(memory_desc_init_by_tag) F(memory_destroy) F(memory_set_data_handle) \
  F(primitive_attr_create) F(primitive_attr_destroy) F(primitive_attr_set_scratchpad_mode) \
  F(primitive_create) F(primitive_desc_create) F(primitive_desc_destroy) F(primitive_desc_query_md) \
  F(primitive_destroy) F(primitive_execute) F(reorder_primitive_desc_create) F(sgemm) F(stream_create) \
  F(version)
/* clang-format on */

typedef struct nas_dnnl_functions {
#define NAS_DNNL_POINTER(name) __typeof__(dnnl_##name) *name;
  NAS_DNNL_FUNCTIONS(NAS_DNNL_POINTER)
#undef NAS_DNNL_POINTER
} nas_dnnl_functions;
extern nas_dnnl_functions nas_dnnl;

/* Must have succeeded before any of them is called; nas_one_thread does it for whoever plans or steps a network. */
nas_status nas_dnnl_load(nas_err *err);
/* A function of oneDNN or of a library that it brings along, such as OpenMP's; NULL: there is none. */
void *nas_dnnl_find(const char *name);
#endif
