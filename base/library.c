#include "base/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static nas_status load(nas_library *l, nas_err *err) {
  void *handle = dlopen(l->file, RTLD_LAZY | RTLD_LOCAL);
  if (!handle) return nas_fail(err, NAS_E_UNSUPPORTED, l->file, "cannot be loaded (%s); %s", dlerror(), l->remedy);
  for (size_t i = 0; i < l->n; i++) {
    void *function = dlsym(handle, l->symbols[i].name);
    if (!function)
      return nas_fail(err, NAS_E_UNSUPPORTED, l->file, "has no function %s; %s", l->symbols[i].name, l->remedy);
    memcpy(l->symbols[i].pointer, &function, sizeof function); /* a data pointer holds a function's, says POSIX */
  }
  l->handle = handle;
  return NAS_OK;
}

nas_status nas_library_load(nas_library *library, nas_err *err) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  nas_status status = library->handle ? NAS_OK : load(library, err);
  pthread_mutex_unlock(&mutex);
  return status;
}

void *nas_library_find(const nas_library *library, const char *name) { return dlsym(library->handle, name); }
