#ifndef NAS_BASE_LIBRARY_H
#define NAS_BASE_LIBRARY_H
/* Shared libraries that are loaded when they are first needed. libcurl, oneDNN, MPI and what they bring along take many
 * times as long to start as the answer to a question about a table, which needs none of them. */
#include <stddef.h>

#include "base/status.h"

/* One function: its name in the library, and the function pointer that is set to it. */
typedef struct nas_symbol {
  const char *name;
  void *pointer; /* to a function pointer of the type that the library's header declares */
} nas_symbol;

/* An entry of such a list for the member `name` of `table`: prefix "curl_", name easy_init, function curl_easy_init. */
#define NAS_SYMBOL(prefix, table, name) \
  { prefix #name, &(table).name }

typedef struct nas_library {
  const char *file;          /* what dlopen is asked for, such as "libcurl.so.4" */
  const char *remedy;        /* what to do where it is missing, such as "install libcurl4" */
  const nas_symbol *symbols; /* n of them */
  size_t n;
  void *handle; /* NULL until it is loaded */
} nas_library;

/* Loads the library and sets its function pointers; does nothing when that was done before. Any thread may call it.
 * Libraries stay loaded. Error: UNSUPPORTED, with the loader's reason and the remedy. */
nas_status nas_library_load(nas_library *library, nas_err *err);
/* A function of the library or of one that it brought along; NULL: there is none. The library must be loaded. */
void *nas_library_find(const nas_library *library, const char *name);
#endif
