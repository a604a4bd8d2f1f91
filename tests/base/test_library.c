#include "base/library.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static double (*cosine)(double);
static int (*nothing)(void);
static const nas_symbol one[] = {{"cos", &cosine}};
static const nas_symbol wrong[] = {{"cos", &cosine}, {"no_such_function", &nothing}};

static void loads_once(void **state) {
  (void)state;
  nas_library m = {"libm.so.6", "", one, 1, NULL};
  assert_ok(nas_library_load(&m, nas_test_err()));
  assert_close(cosine(1.0), cos(1.0), 0);
  void *handle = m.handle;
  assert_ok(nas_library_load(&m, nas_test_err()));
  assert_ptr_equal(m.handle, handle);
  assert_non_null(nas_library_find(&m, "sin"));
  assert_null(nas_library_find(&m, "no_such_function"));
}

static void says_what_is_missing_and_what_to_do(void **state) {
  (void)state;
  nas_library absent = {"libnascent-absent.so.1", "install the package absent", one, 1, NULL};
  assert_fails(nas_library_load(&absent, nas_test_err()), NAS_E_UNSUPPORTED, "install the package absent");
  assert_string_equal(nas_test_err()->where, "libnascent-absent.so.1");
  nas_library old = {"libm.so.6", "install a newer one", wrong, 2, NULL};
  assert_fails(nas_library_load(&old, nas_test_err()), NAS_E_UNSUPPORTED, "has no function no_such_function");
  assert_null(old.handle);
}

/* What a question about a table waits for: none of what trains, downloads or talks to other ranks. */
static void the_program_starts_without_the_large_libraries(void **state) {
  (void)state;
  char *out;
  nas_run(&out, NULL, "LD_TRACE_LOADED_OBJECTS=1 '%s'", nas_program());
  if (!strstr(out, "libsqlite3")) nas_skip("the loader does not list the libraries here");
  static const char *const late[] = {"libcurl", "libdnnl", "libmpi", "libcrypto", "libnlopt", "libgomp"};
  for (size_t i = 0; i < sizeof late / sizeof *late; i++)
    if (strstr(out, late[i])) fail_msg("the program is linked with %s, which base/library.h should load", late[i]);
  free(out);
}

NAS_SUITE(Library, NAS_CASE(loads_once), NAS_CASE(says_what_is_missing_and_what_to_do),
          NAS_CASE(the_program_starts_without_the_large_libraries))
