/* docs/python.md: every snippet runs, one after the other, on the table that the page makes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fixture.h"

/* All ```python blocks of the page. */
static int collect(const char *page, nas_str *out) {
  static const char open[] = "```python\n";
  int n = 0;
  for (const char *p = page; (p = strstr(p, open)); n++) {
    p += sizeof open - 1;
    const char *end = strstr(p, "```");
    assert_non_null(end);
    nas_str_add_n(out, p, (size_t)(end - p));
    p = end + 3;
  }
  return n;
}

static void snippets_run(void **state) {
  (void)state;
  char path[4200], *page, *talk = NULL;
  size_t size;
  nas_str script = {0};
  if (!nas_file_exists(nas_program())) nas_skip("the program is not built: cmake --build ... --target nascent");
  if (nas_run(NULL, NULL, "python3 -c 'import sqlite3; assert sqlite3.sqlite_version_info >= (3, 37)'") != 0)
    nas_skip("no python3 with SQLite 3.37 or newer here");
  snprintf(path, sizeof path, "%s/docs/python.md", nas_source_folder());
  assert_ok(nas_file_read(path, 1 << 20, &page, &size, nas_test_err()));
  assert_in_range(collect(page, &script), 8, 100);
  free(page);
  assert_ok(nas_file_write_atomic(fx_path("page.py"), script.s, script.len, nas_test_err()));
  nas_str_free(&script);
  int code = nas_run(NULL, &talk,
                     "cd '%s' && '%s' db import '%s/examples/import/toy.csv' --map '%s/examples/import/toy.yaml' --db "
                     "toy.db --strict -q && python3 page.py",
                     nas_test_folder(), nas_program(), nas_source_folder(), nas_source_folder());
  if (code != 0) fail_msg("exit %d: %s", code, talk);
  free(talk);
}

/* The unpacking of the page against the numbers that were recorded. */
static void curves_unpack_to_the_same_bits(void **state) {
  (void)state;
  char path[4200], *page, *out = NULL, *talk = NULL;
  size_t size;
  nas_str script = {0};
  if (nas_run(NULL, NULL, "python3 -c 'import sqlite3'") != 0) nas_skip("no python3 here");
  snprintf(path, sizeof path, "%s/docs/python.md", nas_source_folder());
  assert_ok(nas_file_read(path, 1 << 20, &page, &size, nas_test_err()));
  const char *from = strstr(page, "import struct"), *end = from ? strstr(from, "curves = ") : NULL;
  assert_non_null(end);
  nas_str_add_n(&script, from, (size_t)(end - from));
  free(page);
  nas_str_add(&script,
              "import sqlite3\ndb = sqlite3.connect('t.db')\nnames = ('train_loss', 'train_accuracy', "
              "'valid_loss', 'valid_accuracy', 'test_loss', 'test_accuracy', 'seconds', 'valid_seconds')\n"
              "for t, data, n in db.execute('SELECT l.trial, l.data, t.epochs FROM learning_curve l JOIN trial "
              "t ON t.id = l.trial').fetchall():\n"
              "    for k, name in enumerate(names):\n"
              "        want = [r[0] for r in db.execute(f'SELECT {name} FROM epoch WHERE trial = ? ORDER BY "
              "epoch', (t,))]\n"
              "        assert unpack(data, n, k) == want, (t, name)\n"
              "        print(len(want))\n");
  fx_table(fx_path("t.db"), 7);
  assert_ok(nas_file_write_atomic(fx_path("curves.py"), script.s, script.len, nas_test_err()));
  nas_str_free(&script);
  int code = nas_run(&out, &talk, "cd '%s' && python3 curves.py | sort -u", nas_test_folder());
  if (code != 0 || strcmp(out, "3\n") != 0) fail_msg("exit %d: %s %s", code, out, talk);
  free(out);
  free(talk);
}

NAS_SUITE(DbPython, NAS_CASE(snippets_run), NAS_CASE(curves_unpack_to_the_same_bits))
