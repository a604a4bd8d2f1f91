/* Every formula against the golden vectors: outputs, side results and gradients in double and single precision. */
#include "train/golden.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"

static void check(const char *path) {
  nas_golden *file;
  nas_golden_report report;
  assert_ok(nas_golden_open(path, &file, nas_test_err()));
  assert_ok(nas_golden_check(file, &report, nas_test_err()));
  assert_true(report.n >= 2);
  for (int i = 0; i < report.n; i++)
    if (!(report.rows[i].wide <= NAS_GOLDEN_WIDE && report.rows[i].single <= NAS_GOLDEN_SINGLE))
      fail_msg("%s: %s is off by %g (double), %g (single)", path, report.rows[i].tensor, report.rows[i].wide,
               report.rows[i].single);
  nas_golden_free(file);
}

/* The index lists the files. */
static void equal_the_golden_vectors(void **state) {
  (void)state;
  json_error_t error;
  json_t *index = json_load_file(nas_shared_file("golden/index.json"), 0, &error), *entry;
  size_t i;
  if (!index) fail_msg("index.json: %s", error.text);
  assert_true(json_array_size(index) >= 32);
  assert_true(nas_golden_is_index(nas_shared_file("golden/index.json")));
  assert_false(nas_golden_is_index(nas_shared_file("golden/aptx.json")));
  json_array_foreach(index, i, entry) {
    char name[128];
    snprintf(name, sizeof name, "golden/%s", json_string_value(json_object_get(entry, "file")));
    check(nas_shared_file(name));
  }
  json_decref(index);
}

/* Other sizes, options and seeds (tests/train/golden/generate.py), so that nothing is made for the shared files only.
 */
static void equal_files_of_other_sizes(void **state) {
  (void)state;
  char folder[512];
  int n = 0;
  snprintf(folder, sizeof folder, "%s/tests/train/golden", nas_source_folder());
  DIR *files = opendir(folder);
  assert_non_null(files);
  for (struct dirent *f; (f = readdir(files));) {
    char path[1024];
    size_t length = strlen(f->d_name);
    if (length < 6 || strcmp(f->d_name + length - 5, ".json") != 0) continue;
    snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
    check(path);
    n++;
  }
  closedir(files);
  assert_true(n >= 30);
}

/* A file of the linear formula with one member replaced (NULL: removed) must be refused with this text. */
static void refused(const char *section, const char *name, json_t *value, const char *part) {
  json_error_t error;
  json_t *root = json_load_file(nas_shared_file("golden/linear.json"), 0, &error);
  if (!root) fail_msg("linear.json: %s", error.text);
  json_t *where = section ? json_object_get(root, section) : root;
  if (value) json_object_set_new(where, name, value);
  else json_object_del(where, name);
  char path[256];
  snprintf(path, sizeof path, "%s/bad.json", nas_test_folder());
  assert_int_equal(json_dump_file(root, path, 0), 0);
  json_decref(root);
  nas_golden *file = NULL;
  nas_golden_report report;
  nas_status status = nas_golden_open(path, &file, nas_test_err());
  if (status == NAS_OK) status = nas_golden_check(file, &report, nas_test_err());
  nas_golden_free(file);
  assert_int_not_equal(status, NAS_OK);
  if (!strstr(nas_test_err()->msg, part)) fail_msg("'%s' does not say '%s'", nas_test_err()->msg, part);
}

static void refuse_incomplete_files(void **state) {
  (void)state;
  refused("params", "W", NULL, "no tensor 'W'");
  refused("grads", "b", NULL, "no tensor 'b'");
  refused("inputs", "x", NULL, "no tensor 'x'");
  refused("outputs", "y", NULL, "'y'");
  refused(NULL, "loss_w", NULL, "loss_w");
  refused(NULL, "grads", NULL, "grads");
  refused(NULL, "name", NULL, "name");
  refused(NULL, "name", json_string("liner"), "did you mean 'linear'");
  refused("params", "b", json_pack("[f,f]", 1.0, 2.0), "shape");
  refused("params", "b", json_pack("[s]", "x"), "shape");
  refused(NULL, "shapes", json_object(), "'y'");
  nas_golden *file;
  assert_fails(nas_golden_open("/nowhere/x.json", &file, nas_test_err()), NAS_E_NOT_FOUND, "cannot be read");
  assert_null(file);
}

NAS_SUITE(Golden, NAS_CASE(equal_the_golden_vectors), NAS_CASE(equal_files_of_other_sizes),
          NAS_CASE(refuse_incomplete_files))
