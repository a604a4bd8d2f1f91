/* Against the published table of all 15,625 cells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "harness.h"
#include "space/space.h"

static nas_space *open_space(void) {
  nas_space *space;
  assert_ok(nas_space_open("nas-bench-201", NULL, &space, nas_test_err()));
  return space;
}

typedef struct row {
  unsigned long long index, class_id;
  long long params, macs;
  char arch[NAS_ARCH_TEXT_MAX];
} row;

static bool next_row(gzFile file, row *r) {
  char line[1024];
  return gzgets(file, line, sizeof line) &&
         sscanf(line, "%llu,%511[^,],%llu,%lld,%lld", &r->index, r->arch, &r->class_id, &r->params, &r->macs) == 5;
}

static void check_row(const nas_space *space, const row *r) {
  nas_err *e = nas_test_err();
  nas_arch arch, by_index;
  char text[NAS_ARCH_TEXT_MAX];
  uint64_t number;
  assert_ok(nas_space_parse(space, r->arch, &arch, e));
  assert_ok(nas_space_at(space, r->index, &by_index, e));
  assert_true(nas_arch_same(&arch, &by_index));
  assert_ok(nas_space_format(space, &arch, text, e));
  assert_string_equal(text, r->arch);
  assert_true(nas_space_index(space, &arch, &number));
  assert_int_equal(number, r->index);
  assert_true(nas_space_class(space, &arch, &number));
  assert_int_equal(number, r->class_id);
  nas_net *net;
  assert_ok(nas_space_net(space, &arch, (nas_task){{3, 32, 32}, 10}, &net, e));
  assert_int_equal(net->params, r->params);
  assert_int_equal(net->macs, r->macs);
  nas_net_free(net);
}

static void agrees_in_every_row(void **state) {
  (void)state;
  const char *path = nas_shared_file("data/nb201/nb201.csv.gz");
  nas_space *space = open_space();
  gzFile file = gzopen(path, "rb");
  assert_non_null(file);
  char header[1024];
  assert_non_null(gzgets(file, header, sizeof header));
  row r;
  uint64_t n = 0;
  for (; next_row(file, &r); n++) {
    assert_int_equal(r.index, n);
    check_row(space, &r);
  }
  gzclose(file);
  assert_int_equal(n, 15625);
  nas_space_close(space);
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

/* A class is the set of cells with one canonical text; each class is led by its first member in index order. */
static void classes_are_the_canonical_texts(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_err *e = nas_test_err();
  uint64_t classes = nas_space_classes(space), seen = 0, class_id;
  assert_int_equal(classes, 6466);
  char(*texts)[NAS_ARCH_TEXT_MAX] = calloc(classes, sizeof *texts), text[NAS_ARCH_TEXT_MAX];
  assert_non_null(texts);
  for (uint64_t i = 0; i < nas_space_size(space); i++) {
    nas_arch arch, first;
    assert_ok(nas_space_at(space, i, &arch, e));
    assert_ok(nas_space_canonical(space, &arch, text, e));
    assert_true(nas_space_class(space, &arch, &class_id));
    assert_true(class_id <= seen && class_id < classes);
    if (class_id == seen) {
      strcpy(texts[seen++], text);
      assert_ok(nas_space_class_first(space, class_id, &first, e));
      assert_true(nas_arch_same(&arch, &first));
    }
    assert_string_equal(text, texts[class_id]);
  }
  assert_int_equal(seen, classes);
  /* Equal texts in two classes would be a class too many. */
  qsort(texts, classes, sizeof *texts, by_text);
  for (uint64_t i = 1; i < classes; i++) assert_true(strcmp(texts[i - 1], texts[i]) != 0);
  free(texts);
  nas_space_close(space);
}

/* The figures that the benchmark's users know by heart. */
static void knows_the_best_known_cell(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_err *e = nas_test_err();
  nas_arch arch;
  uint64_t index;
  nas_net *net;
  assert_ok(nas_space_parse(space,
                            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|"
                            "nor_conv_3x3~2|",
                            &arch, e));
  assert_true(nas_space_index(space, &arch, &index));
  assert_int_equal(index, 9930);
  assert_ok(nas_space_net(space, &arch, (nas_task){{3, 32, 32}, 10}, &net, e));
  assert_int_equal(net->params, 1288506);
  assert_int_equal(net->macs, 184730250);
  nas_net_free(net);
  nas_space_close(space);
}

NAS_SUITE(NasBench201Table, NAS_CASE(agrees_in_every_row), NAS_CASE(classes_are_the_canonical_texts),
          NAS_CASE(knows_the_best_known_cell))
