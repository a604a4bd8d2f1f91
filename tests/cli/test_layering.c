/* Who may include whom: an arrow that climbs the house fails here. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "harness.h"

typedef struct room {
  const char *name, *may_include; /* words between blanks */
} room;

static const room rooms[] = {
    {"base", " base "},
    {"space", " base space "},
    {"train", " base space train "},
    {"bench-db", " base space bench-db "},
    {"evaluators", " base space train bench-db evaluators "},
    {"search", " base space train bench-db evaluators search "},
    {"jobs", " base space train bench-db evaluators search jobs "},
    {"cli", " base space train bench-db evaluators search jobs cli "},
};

/* Libraries that only one room may know. */
static const struct {
  const char *header, *room;
} only_here[] = {{"curl/", "base"},         {"dnnl.h", "train"}, {"cblas.h", "train"},        {"lapacke.h", "train"},
                 {"sqlite3.h", "bench-db"}, {"mpi.h", "jobs"},   {"yaml.h", "jobs bench-db"}, {"popt.h", "cli"}};

static int violations, files_read, curl_files;

static void check_own(const room *r, const char *path, const char *include) {
  char wanted[64];
  const char *slash = strchr(include, '/');
  if (!slash) {
    print_error("%s includes \"%s\" without its room\n", path, include);
    violations++;
    return;
  }
  snprintf(wanted, sizeof wanted, " %.*s ", (int)(slash - include), include);
  if (strstr(r->may_include, wanted)) return;
  print_error("%s (room %s) includes \"%s\"\n", path, r->name, include);
  violations++;
}

static void check_library(const room *r, const char *path, const char *include) {
  for (size_t i = 0; i < sizeof only_here / sizeof *only_here; i++) {
    if (strncmp(include, only_here[i].header, strlen(only_here[i].header)) != 0) continue;
    if (strstr(only_here[i].room, r->name)) continue;
    print_error("%s (room %s) includes <%s>, which is for %s/ alone\n", path, r->name, include, only_here[i].room);
    violations++;
  }
  if (strncmp(include, "curl/", 5) == 0) curl_files++;
}

static void check_file(const room *r, const char *path) {
  char *text, include[256];
  size_t n;
  assert_ok(nas_file_read(path, 10 << 20, &text, &n, nas_test_err()));
  files_read++;
  for (char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    if (sscanf(line, " # include \"%255[^\"]\"", include) == 1 || sscanf(line, "#include \"%255[^\"]\"", include) == 1)
      check_own(r, path, include);
    else if (sscanf(line, "#include <%255[^>]>", include) == 1) check_library(r, path, include);
  }
  free(text);
}

static void check_folder(const room *r, const char *folder) {
  DIR *dir = opendir(folder);
  if (!dir) fail_msg("no folder %s", folder);
  for (struct dirent *entry; (entry = readdir(dir));) {
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] == '.' || stat(path, &st) != 0) continue;
    const char *dot = strrchr(entry->d_name, '.');
    if (S_ISDIR(st.st_mode)) check_folder(r, path);
    else if (dot && (strcmp(dot, ".c") == 0 || strcmp(dot, ".h") == 0 || strcmp(dot, ".inc") == 0)) check_file(r, path);
  }
  closedir(dir);
}

static void no_include_climbs(void **state) {
  (void)state;
  violations = files_read = curl_files = 0;
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/%s", nas_source_folder(), rooms[i].name);
    check_folder(&rooms[i], folder);
  }
  assert_true(files_read > 40);
  assert_true(curl_files <= 1);
  assert_int_equal(violations, 0);
}

static void every_room_explains_itself(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/README.md", nas_source_folder(), rooms[i].name);
    if (!nas_file_exists(path)) fail_msg("%s is missing", path);
  }
}

NAS_SUITE(Layering, NAS_CASE(no_include_climbs), NAS_CASE(every_room_explains_itself))
