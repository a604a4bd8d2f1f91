#include "base/status.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct status_row {
  nas_status code;
  int exit_status;
  const char *name, *summary;
} status_row;

static const status_row rows[] = {
#define NAS_STATUS(name, code, exit_status, summary) {NAS_E_##name, exit_status, #name, summary},
#include "base/status.def"
#undef NAS_STATUS
};

static const status_row *find_row(nas_status code) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].code == code) return &rows[i];
  return NULL;
}

const char *nas_status_name(nas_status code) {
  const status_row *row = find_row(code);
  return row ? row->name : "UNKNOWN";
}

const char *nas_status_summary(nas_status code) {
  const status_row *row = find_row(code);
  return row ? row->summary : "an error code of another program version";
}

int nas_status_exit(nas_status code) {
  const status_row *row = find_row(code);
  return row ? row->exit_status : 1;
}

nas_status nas_vfail(nas_err *err, nas_status code, const char *where, const char *fmt, va_list args) {
  if (err) {
    /* Formatted aside first: an argument may be a text of the very error that is being overwritten. */
    nas_err fresh = {.code = code};
    if (where) snprintf(fresh.where, sizeof fresh.where, "%s", where);
    vsnprintf(fresh.msg, sizeof fresh.msg, fmt, args);
    *err = fresh;
  }
  return code;
}

nas_status(nas_fail)(nas_err *err, nas_status code, const char *where, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  nas_vfail(err, code, where, fmt, args);
  va_end(args);
  return code;
}

nas_status(nas_fail_errno)(nas_err *err, int number, const char *where, const char *what) {
  nas_status code = NAS_E_IO;
  if (number == ENOSPC || number == EDQUOT) code = NAS_E_NO_SPACE;
  if (number == ENOMEM) code = NAS_E_NO_MEMORY;
  if (number == ENOENT || number == ENOTDIR) code = NAS_E_NOT_FOUND;
  return nas_fail(err, code, where, "%s: %s", what, strerror(number));
}

nas_status(nas_fail_memory)(nas_err *err, const char *what) {
  return nas_fail(err, NAS_E_NO_MEMORY, NULL, "no memory left for %s", what);
}
