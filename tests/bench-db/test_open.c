/* What can be opened, what is refused, and that refusing changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "fixture.h"

static void digest_of(const char *path, char hex[NAS_DIGEST_SIZE]) {
  assert_ok(nas_digest_file(path, hex, nas_test_err()));
}

/* Every mode gives this error and leaves the file as it is. */
static void assert_refused(const char *path, nas_status code, const char *part) {
  char before[NAS_DIGEST_SIZE], after[NAS_DIGEST_SIZE];
  nas_db *db;
  digest_of(path, before);
  for (int mode = NAS_DB_READ; mode <= NAS_DB_CREATE; mode++)
    assert_fails(nas_db_open(path, (nas_db_mode)mode, &db, nas_test_err()), code, part);
  digest_of(path, after);
  assert_string_equal(before, after);
}

static void missing_files_and_folders_are_named(void **state) {
  (void)state;
  nas_db *db;
  const char *path = fx_path("none.db");
  assert_fails(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()), NAS_E_NOT_FOUND, "none.db");
  assert_fails(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()), NAS_E_NOT_FOUND, "no table here");
  assert_false(nas_file_exists(path));
  assert_fails(nas_db_open(fx_path("no/folder/t.db"), NAS_DB_CREATE, &db, nas_test_err()), NAS_E_NOT_FOUND,
               "No such file");
  assert_fails(nas_db_open(nas_test_folder(), NAS_DB_READ, &db, nas_test_err()), NAS_E_DB_UNREADABLE, "a folder");
  assert_fails(nas_db_open("", NAS_DB_READ, &db, nas_test_err()), NAS_E_BAD_INPUT, "empty");
  assert_int_equal(mkfifo(fx_path("pipe"), 0600), 0);
  assert_fails(nas_db_open(fx_path("pipe"), NAS_DB_READ, &db, nas_test_err()), NAS_E_DB_UNREADABLE, "regular file");
  char *longest = malloc(5000);
  memset(longest, 'x', 4999);
  longest[4999] = '\0';
  assert_fails(nas_db_open(longest, NAS_DB_CREATE, &db, nas_test_err()), NAS_E_BAD_INPUT, "too long");
  free(longest);
}

static void other_files_are_refused_untouched(void **state) {
  (void)state;
  const char *text = fx_path("notes.txt"), *tiny = fx_path("tiny"), *foreign = fx_path("foreign.db");
  assert_int_equal(nas_run(NULL, NULL, "seq 1 5000 > '%s'; echo x > '%s'", text, tiny), 0);
  assert_refused(text, NAS_E_DB_UNREADABLE, "not a SQLite database");
  assert_refused(tiny, NAS_E_DB_UNREADABLE, "not a SQLite database");
  assert_string_equal(fx_shell(foreign, "CREATE TABLE trial (x); INSERT INTO trial VALUES (1);"), "");
  assert_refused(foreign, NAS_E_DB_UNREADABLE, "another program");
  assert_string_equal(fx_shell(foreign, "PRAGMA application_id = 1196444487"), "");
  assert_refused(foreign, NAS_E_DB_UNREADABLE, "0x47504b47");
  /* A foreign database in WAL mode must not be merged either. */
  assert_string_equal(fx_shell(foreign, "PRAGMA journal_mode = WAL"), "wal");
  assert_refused(foreign, NAS_E_DB_UNREADABLE, "another program");
  const char *empty = fx_path("empty");
  nas_db *db;
  assert_int_equal(nas_run(NULL, NULL, ": > '%s'", empty), 0);
  assert_fails(nas_db_open(empty, NAS_DB_READ, &db, nas_test_err()), NAS_E_DB_UNREADABLE, "empty");
  assert_fails(nas_db_open(empty, NAS_DB_WRITE, &db, nas_test_err()), NAS_E_DB_UNREADABLE, "empty");
}

static void other_versions_are_named(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  fx_table(path, 3);
  fx_shell(path, "PRAGMA user_version = 99");
  assert_refused(path, NAS_E_DB_VERSION, "version 99");
  assert_refused(path, NAS_E_DB_VERSION, "up to version 5");
  fx_shell(path, "PRAGMA user_version = 0");
  assert_refused(path, NAS_E_DB_VERSION, "version 0");
  fx_shell(path,
           "PRAGMA user_version = 5; DROP TABLE event; DROP TABLE tell; DROP TABLE learning_curve; DROP TABLE metric; "
           "DROP TABLE trial;"
           "DROP TABLE campaign");
  nas_db *db;
  assert_fails(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()), NAS_E_DB_UNREADABLE, "no such table");
  assert_fails(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()), NAS_E_DB_UNREADABLE, "no such table");
}

static void a_file_cut_short_is_refused(void **state) {
  (void)state;
  const char *path = fx_path("t.db"), *cut = fx_path("cut.db");
  fx_table(path, 60);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  for (int part = 1; part < 8; part++) {
    assert_int_equal(nas_run(NULL, NULL, "head -c %lld '%s' > '%s'", (long long)st.st_size * part / 8, path, cut), 0);
    assert_refused(cut, NAS_E_DB_UNREADABLE, "cut short");
  }
  assert_int_equal(nas_run(NULL, NULL, "head -c 60 '%s' > '%s'", path, cut), 0);
  assert_refused(cut, NAS_E_DB_UNREADABLE, "not a SQLite database");
}

/* Whatever bytes are wrong: an error or the right rows, never a crash. */
static void damage_is_an_error_and_never_a_crash(void **state) {
  (void)state;
  const char *path = fx_path("t.db"), *bad = fx_path("bad.db");
  fx_table(path, 60);
  char *bytes;
  size_t n;
  assert_ok(nas_file_read(path, 1 << 26, &bytes, &n, nas_test_err()));
  int refused = 0;
  for (size_t page = 1; page < n / 4096; page++) {
    FILE *f = fopen(bad, "wb");
    assert_non_null(f);
    fwrite(bytes, 1, n, f);
    fseek(f, (long)(page * 4096), SEEK_SET);
    for (int i = 0; i < 64; i++) fputc(0xa5, f); /* the header of a b-tree page */
    fclose(f);
    nas_db *db;
    nas_db_trial *rows = NULL;
    size_t n_rows = 0;
    nas_status status = nas_db_open(bad, NAS_DB_READ, &db, nas_test_err());
    if (status == NAS_OK) {
      status = nas_db_trials(db, 1, &rows, &n_rows, nas_test_err());
      nas_db_trials_free(rows, n_rows);
      nas_db_close(db);
    }
    if (status != NAS_OK) {
      assert_int_equal(status, NAS_E_DB_UNREADABLE);
      refused++;
    }
  }
  free(bytes);
  assert_true(refused > 10);
}

static void any_path_works(void **state) {
  (void)state;
  static const char *const names[] = {
      "a b.db",    "it's.db",  "say \"hi\".db", "100%.db",    "what?.db",       "a?mode=ro", "%41.db",      "#1.db",
      "file:x.db", ":memory:", "ü—漢.db",       "a&b;c|d.db", "back\\slash.db", "-dash.db",  "new\nline.db"};
  char *old = getcwd(NULL, 0);
  assert_int_equal(chdir(nas_test_folder()), 0);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    fx_table(names[i], 2);
    assert_true(nas_file_exists(names[i]));
    nas_db *db;
    nas_db_trial *rows;
    size_t n;
    assert_ok(nas_db_open(names[i], NAS_DB_READ, &db, nas_test_err()));
    assert_ok(nas_db_trials(db, 1, &rows, &n, nas_test_err()));
    assert_int_equal(n, 2);
    nas_db_trials_free(rows, n);
    nas_db_close(db);
  }
  char *out;
  nas_run(&out, NULL, "find '%s' -type f -print0 | tr -cd '\\0' | wc -c", nas_test_folder());
  assert_int_equal(atoi(out), (int)(sizeof names / sizeof *names));
  free(out);
  assert_int_equal(chdir(old), 0);
  free(old);
}

static void a_closed_table_is_one_plain_file(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  fx_table(path, 5);
  nas_db *db;
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  nas_db_close(db);
  char *out;
  nas_run(&out, NULL, "ls -A '%s'", nas_test_folder());
  assert_string_equal(out, "t.db\n");
  free(out);
  assert_string_equal(fx_shell(path, "PRAGMA journal_mode"), "delete");
  assert_string_equal(fx_shell(path, "PRAGMA application_id"), "1851880291");
  assert_string_equal(fx_shell(path, "PRAGMA user_version"), "5");
  assert_string_equal(fx_shell(path, "PRAGMA integrity_check"), "ok");
  assert_string_equal(fx_shell(path,
                               "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE "
                               "'%STRICT%'"),
                      "0");
}

static void opening_again_keeps_what_is_there(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  fx_table(path, 3);
  nas_db *db;
  assert_ok(nas_db_open(path, NAS_DB_CREATE, &db, nas_test_err()));
  nas_db_close(db);
  assert_ok(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()));
  fx_add(db, 1, 3, 2);
  nas_db_close(db);
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM trial"), "4");
}

static void a_reader_cannot_write(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  fx_table(path, 1);
  nas_db *db;
  int64_t trial;
  nas_db_ask ask = fx_ask(1, 1);
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_fails(nas_db_trial_add(db, &ask, &trial, nas_test_err()), NAS_E_INTERNAL, "for reading");
  nas_db_close(db);
}

NAS_SUITE(DbOpen, NAS_CASE(missing_files_and_folders_are_named), NAS_CASE(other_files_are_refused_untouched),
          NAS_CASE(other_versions_are_named), NAS_CASE(a_file_cut_short_is_refused),
          NAS_CASE(damage_is_an_error_and_never_a_crash), NAS_CASE(any_path_works),
          NAS_CASE(a_closed_table_is_one_plain_file), NAS_CASE(opening_again_keeps_what_is_there),
          NAS_CASE(a_reader_cannot_write))
