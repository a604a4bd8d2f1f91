/* Preloaded into every process of a campaign: full and slow disks, late messages. Only files of tables and spools are
 * touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "control.h"

static chaos_control *control(void) {
  static chaos_control *mapped;
  static bool tried;
  if (tried) return mapped;
  tried = true;
  const char *path = getenv(CHAOS_CONTROL);
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return NULL;
  void *p = mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (p != MAP_FAILED) mapped = p;
  return mapped;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool ours(int fd, bool tables) {
  char link[64], path[1024];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return false;
  path[n] = '\0';
  return strstr(path, "chaos.db") != NULL && strstr(path, "heartbeat") == NULL && !(tables && strstr(path, ".spool"));
}

static bool full(int fd) {
  chaos_control *c = control();
  if (!c || now() >= c->full_until || !ours(fd, c->full_tables != 0)) return false;
  __atomic_fetch_add(&c->refused, 1, __ATOMIC_RELAXED);
  errno = ENOSPC;
  return true;
}

static void slow(int fd) {
  chaos_control *c = control();
  if (!c || now() >= c->slow_until || !ours(fd, false)) return;
  __atomic_fetch_add(&c->slowed, 1, __ATOMIC_RELAXED);
  usleep((useconds_t)c->slow_us);
}

#define NEXT(name)               \
  static __typeof__(&name) next; \
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t n) {
  NEXT(write);
  return full(fd) ? -1 : next(fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
  NEXT(pwrite);
  return full(fd) ? -1 : next(fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
  NEXT(pwrite64);
  return full(fd) ? -1 : next(fd, bytes, n, at);
}

int fsync(int fd) {
  NEXT(fsync);
  slow(fd);
  return next(fd);
}

int fdatasync(int fd) {
  NEXT(fdatasync);
  slow(fd);
  return next(fd);
}

/* The signature of MPI's C binding where handles are pointers or integers: both pass through. */
int MPI_Isend(const void *bytes, int n, void *type, int to, int tag, void *comm, void *request);
int MPI_Isend(const void *bytes, int n, void *type, int to, int tag, void *comm, void *request) {
  NEXT(MPI_Isend);
  chaos_control *c = control();
  if (c && now() < c->delayed_until) {
    __atomic_fetch_add(&c->delayed, 1, __ATOMIC_RELAXED);
    usleep((useconds_t)((uint64_t)now() / 1000 % (uint64_t)(c->delay_us + 1)));
  }
  return next(bytes, n, type, to, tag, comm, request);
}
