#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

nas_status nas_file_read(const char *path, size_t limit, char **bytes, size_t *n, nas_err *err) {
  *bytes = NULL;
  *n = 0;
  FILE *file = fopen(path, "rb");
  if (!file) return nas_fail_errno(err, errno, path, "cannot open the file");
  nas_status status = NAS_OK;
  struct stat st;
  if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
    fclose(file);
    return nas_fail(err, NAS_E_BAD_INPUT, path, "this is a folder, a file is wanted");
  }
  nas_str text = {0};
  char chunk[65536];
  for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;) {
    if (text.len + got > limit) {
      status = nas_fail(err, NAS_E_BAD_INPUT, path, "the file is larger than %zu bytes", limit);
      break;
    }
    nas_str_add_n(&text, chunk, got);
  }
  if (status == NAS_OK && ferror(file)) status = nas_fail_errno(err, errno, path, "cannot read the file");
  fclose(file);
  nas_str_add_n(&text, "", 0); /* an empty file is a text too */
  if (status == NAS_OK) status = nas_str_check(&text, err);
  if (status != NAS_OK) {
    nas_str_free(&text);
    return status;
  }
  *bytes = text.s;
  *n = text.len;
  return NAS_OK;
}

static nas_status write_all(int fd, const char *bytes, size_t n, const char *path, nas_err *err) {
  while (n > 0) {
    ssize_t written = write(fd, bytes, n);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return nas_fail_errno(err, errno, path, "cannot write the file");
    bytes += written;
    n -= (size_t)written;
  }
  return NAS_OK;
}

void nas_file_sync_folder(const char *path) {
  char copy[4096];
  if (!nas_text_put(copy, sizeof copy, "%s", path)) return;
  int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

nas_status nas_file_write_atomic(const char *path, const void *bytes, size_t n, nas_err *err) {
  return nas_file_write_pieces(path, &(nas_piece){bytes, n}, 1, err);
}

nas_status nas_file_write_pieces(const char *path, const nas_piece *pieces, size_t n, nas_err *err) {
  char temporary[4096];
  if (!nas_text_put(temporary, sizeof temporary, "%s.XXXXXX", path))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path is too long");
  int fd = mkstemp(temporary);
  if (fd < 0) return nas_fail_errno(err, errno, path, "cannot create a file in this folder");
  nas_status status = NAS_OK;
  for (size_t i = 0; i < n && status == NAS_OK; i++) status = write_all(fd, pieces[i].bytes, pieces[i].n, path, err);
  if (status == NAS_OK && (fchmod(fd, 0644) != 0 || fsync(fd) != 0))
    status = nas_fail_errno(err, errno, path, "cannot write the file");
  if (close(fd) != 0 && status == NAS_OK) status = nas_fail_errno(err, errno, path, "cannot write the file");
  if (status == NAS_OK && rename(temporary, path) != 0)
    status = nas_fail_errno(err, errno, path, "cannot replace the file");
  if (status != NAS_OK) unlink(temporary);
  else nas_file_sync_folder(path);
  return status;
}

bool nas_file_exists(const char *path) { return access(path, F_OK) == 0; }

nas_status nas_folder_make(const char *path, nas_err *err) {
  char part[4096];
  if (!nas_text_put(part, sizeof part, "%s", path)) return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path is too long");
  for (char *p = part + 1;; p++) {
    if (*p != '/' && *p != '\0') continue;
    char held = *p;
    *p = '\0';
    if (mkdir(part, 0777) != 0 && errno != EEXIST) return nas_fail_errno(err, errno, part, "cannot make the folder");
    if (!held) break;
    *p = held;
  }
  struct stat st;
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return nas_fail(err, NAS_E_IO, path, "this is not a folder");
  return NAS_OK;
}

void nas_folder_make_for(const char *path, unsigned mode) {
  char folder[4096];
  const char *slash = strrchr(path, '/');
  if (slash && nas_text_put(folder, sizeof folder, "%.*s", (int)(slash - path), path)) mkdir(folder, (mode_t)mode);
}

nas_status nas_folder_cache(nas_str *out, nas_err *err) {
  const char *own = getenv("NASCENT_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (own && *own) nas_str_add(out, own);
  else if (xdg && *xdg) nas_str_fmt(out, "%s/nascent", xdg);
  else if (home && *home) nas_str_fmt(out, "%s/.cache/nascent", home);
  else return nas_fail(err, NAS_E_NOT_FOUND, NULL, "no cache folder: set NASCENT_CACHE or HOME");
  return nas_str_check(out, err);
}

static double read_clock(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double nas_clock(void) { return read_clock(CLOCK_MONOTONIC); }
double nas_clock_wall(void) { return read_clock(CLOCK_REALTIME); }

int64_t nas_memory_peak(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (int64_t)usage.ru_maxrss * 1024;
}

int64_t nas_memory_now(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file) return 0;
  long long pages = 0;
  int got = fscanf(file, "%*s %lld", &pages);
  fclose(file);
  return got == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}
