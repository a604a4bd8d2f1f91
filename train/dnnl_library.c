#include "train/dnnl_library.h"

nas_dnnl_functions nas_dnnl;

#define SYMBOL(name) NAS_SYMBOL("dnnl_", nas_dnnl, name),
static const nas_symbol symbols[] = {NAS_DNNL_FUNCTIONS(SYMBOL)};
static nas_library library = {NAS_DNNL_LIBRARY, "install oneDNN (Debian: libdnnl2)", symbols,
                              sizeof symbols / sizeof *symbols, NULL};

nas_status nas_dnnl_load(nas_err *err) { return nas_library_load(&library, err); }

void *nas_dnnl_find(const char *name) { return nas_library_find(&library, name); }
