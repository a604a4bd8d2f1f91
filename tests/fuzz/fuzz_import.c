/* Maps, CSV and JSON of an import: any bytes are read or refused with a message. The first line says which: a byte of
 * 'm' is a map, anything else a file, which is then imported by a map that reads whatever it finds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds) {
  if (!holds) abort();
}

static void read_map(const char *text, size_t n) {
  nas_import_map map;
  nas_err err = {0};
  if (nas_import_map_parse("fuzz.yaml", text, n, &map, &err) == NAS_OK) {
    must(map.n_runs > 0 && map.space != NULL && map.space_name[0]);
    nas_import_map_free(&map);
  } else must(err.msg[0]);
}

static void read_values(nas_importer *im, json_t *record) {
  const nas_import_marks marks = {1, 2, "d@1"};
  static const char *const paths[] = {"a", "a.b", "a.{epoch}", "x.{seed}.{dataset}", "0", "-1"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    nas_import_field field = {.path = paths[i], .times = 1, .of = "\0alix"[i % 5]};
    nas_import_value v = nas_import_number(im, record, &field, &marks, 4);
    must(!v.fault || v.x != v.x);
  }
}

static void read_file(const char *text, size_t n) {
  nas_importer im = {0};
  nas_err err = {0};
  char *copy = malloc(n + 1);
  if (!copy) return;
  memcpy(copy, text, n);
  copy[n] = '\0';
  if (memchr(copy, 0, n)) { /* refused before, as neither CSV nor JSON */
    free(copy);
    return;
  }
  if (nas_import_source_take("fuzz", copy, n, &im.source, &err) != NAS_OK) {
    must(err.msg[0]);
    return;
  }
  if (im.source.json) read_values(&im, im.source.json);
  for (bool more = im.source.json == NULL; more;) {
    if (nas_import_csv_row(&im.source, "fuzz", &more, &err) != NAS_OK) {
      must(err.msg[0]);
      continue;
    }
    for (int c = 0; more && c < im.source.n_columns; c++) {
      nas_import_field field = {.path = "c", .times = 1, .column = c};
      const nas_import_marks marks = {-1, 0, NULL};
      nas_import_value v = nas_import_number(&im, NULL, &field, &marks, 1);
      must(!v.fault || v.x != v.x);
    }
  }
  nas_import_source_close(&im.source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n < 1) return 0;
  const char *text = (const char *)bytes + 1;
  if (bytes[0] == 'm') read_map(text, n - 1);
  else read_file(text, n - 1);
  return 0;
}
