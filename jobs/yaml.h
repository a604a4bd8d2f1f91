#ifndef NAS_JOBS_YAML_H
#define NAS_JOBS_YAML_H
/* The part of YAML that a campaign file may use: one document, a mapping of plain values and of mappings of plain
 * values. Anchors, aliases, tags and lists are refused, so no file can grow when it is read. */
#include "base/options.h"

/* Reads n bytes into settings "key" and "section.key" with where = "NAME:LINE:COLUMN" of the key; the same key twice is
 * an error, as is anything beyond the above. */
nas_status nas_yaml_read(const char *name, const char *bytes, size_t n, nas_settings *out, nas_err *err);
#endif
