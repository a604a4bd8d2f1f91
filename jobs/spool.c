#include "jobs/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/version.h"

static const char suffix[] = ".spool";
enum { FILE_MAX = 1 << 30 };

static nas_status fail(const nas_spool *s, const char *doing, nas_err *err) {
  return nas_fail_errno(err, errno, s->path, doing);
}

/* All bytes at the end of the file and onto the disk. */
static nas_status append(nas_spool *s, const char *bytes, size_t n, nas_err *err) {
  struct stat before;
  if (fstat(s->fd, &before) != 0) return fail(s, "cannot write the spool", err);
  nas_status status = NAS_OK;
  for (size_t done = 0; done < n && status == NAS_OK;) {
    ssize_t got = write(s->fd, bytes + done, n - done);
    if (got > 0) done += (size_t)got;
    else if (errno != EINTR) status = fail(s, "cannot write the spool", err);
  }
  if (status == NAS_OK && fdatasync(s->fd) != 0) status = fail(s, "cannot write the spool", err);
  if (status != NAS_OK && ftruncate(s->fd, before.st_size) != 0) return status; /* then a torn tail stays */
  return status;
}

static nas_status write_head(nas_spool *s, nas_err *err) {
  nas_message head = {.kind = NAS_MESSAGE_HELLO, .pid = (int32_t)getpid()};
  nas_str frame = {0};
  nas_text_put(head.version, sizeof head.version, "%s", NAS_VERSION_FULL);
  nas_text_put(head.digest, sizeof head.digest, "%s", s->token);
  nas_status status = nas_message_encode(&head, &frame, err);
  if (status == NAS_OK) status = append(s, frame.s, frame.len, err);
  s->head = (off_t)frame.len;
  nas_str_free(&frame);
  return status;
}

static nas_status make_file(nas_spool *s, nas_err *err) {
  char host[65] = "";
  gethostname(host, sizeof host - 1);
  for (char *p = host; *p; p++)
    if (*p == '/') *p = '-';
  /* Not those above it: a wrong path shall not come into being by itself. */
  if (mkdir(s->folder, 0777) != 0 && errno != EEXIST)
    return nas_fail_errno(err, errno, s->folder, "cannot make the folder of the spool");
  /* A process may have the number of a dead one: the time tells them apart. */
  nas_text_put(s->path, sizeof s->path, "%s/%s-%ld-%.0f%s", s->folder, host, (long)getpid(), 1e6 * nas_clock_wall(),
               suffix);
  s->fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (s->fd < 0) return fail(s, "cannot make the spool", err);
  nas_status status = NAS_OK;
  if (flock(s->fd, LOCK_EX | LOCK_NB) != 0) status = fail(s, "cannot lock the spool", err);
  if (status == NAS_OK) status = write_head(s, err);
  if (status == NAS_OK) {
    nas_file_sync_folder(s->path);
    return NAS_OK;
  }
  unlink(s->path);
  close(s->fd);
  s->fd = -1;
  return status;
}

nas_status nas_spool_open(nas_spool *s, const char *folder, const char *token, nas_err *err) {
  *s = (nas_spool){.fd = -1};
  nas_text_put(s->folder, sizeof s->folder, "%s", folder);
  nas_text_put(s->token, sizeof s->token, "%s", token);
  return make_file(s, err);
}

void nas_spool_close(nas_spool *s) {
  if (s->fd < 0) return;
  if (s->freed >= s->written) unlink(s->path);
  close(s->fd);
  s->fd = -1;
}

nas_status nas_spool_number(nas_spool *s, nas_message *result, nas_str *frames, nas_err *err) {
  result->sequence = ++s->written;
  return nas_message_encode(result, frames, err);
}

nas_status nas_spool_write(nas_spool *s, const nas_str *frames, nas_err *err) {
  struct stat st;
  bool there = s->fd >= 0 && fstat(s->fd, &st) == 0 && st.st_nlink > 0;
  if (!there) {
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    NAS_TRY(make_file(s, err));
  }
  return append(s, frames->s, frames->len, err);
}

void nas_spool_free(nas_spool *s, uint64_t sequence) {
  if (sequence > s->freed) s->freed = sequence;
  /* Between bursts the file is emptied; a few results that are on record already may come again, which is no harm. */
  if (s->fd >= 0 && s->freed >= s->written && ftruncate(s->fd, s->head) != 0) return;
}

nas_status nas_spool_read(const char *bytes, size_t n, const char *token, nas_spool_take take, void *arg, int64_t *torn,
                          nas_err *err) {
  bool named = false;
  for (size_t at = 0; at < n;) {
    nas_message m;
    nas_err damaged;
    size_t used = 0;
    nas_status status = nas_message_decode(bytes + at, n - at, &m, &used, &damaged);
    if (status != NAS_OK || used == 0) {
      ++*torn;
      return NAS_OK;
    }
    at += used;
    if (m.kind == NAS_MESSAGE_HELLO) {
      named = strcmp(m.digest, token) == 0 && strcmp(m.version, NAS_VERSION_FULL) == 0;
      nas_message_free(&m);
      if (!named) return nas_fail(err, NAS_E_NOT_FOUND, NULL, "a spool of another campaign, program or data");
    } else if (m.kind == NAS_MESSAGE_RESULT && named) NAS_TRY(take(arg, &m, err));
    else nas_message_free(&m);
  }
  return NAS_OK;
}

typedef struct adoption {
  nas_spool *spool;
  nas_str *frames;
  int64_t n;
} adoption;

static nas_status adopt_result(void *arg, nas_message *m, nas_err *err) {
  adoption *a = arg;
  nas_status status = nas_spool_number(a->spool, m, a->frames, err);
  nas_message_free(m);
  a->n += status == NAS_OK;
  return status;
}

/* Takes over one file if its owner is dead and it is of this campaign. */
static nas_status adopt_file(nas_spool *s, const char *path, nas_str *frames, int64_t *n, nas_err *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NAS_OK; /* another one was faster */
  struct stat st;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 || st.st_nlink == 0) {
    close(fd);
    return NAS_OK;
  }
  char *bytes = NULL;
  size_t size = 0;
  nas_str own = {0};
  adoption a = {s, &own, 0};
  nas_status status = nas_file_read(path, FILE_MAX, &bytes, &size, err);
  if (status == NAS_OK) status = nas_spool_read(bytes, size, s->token, adopt_result, &a, &s->torn, err);
  if (status == NAS_OK && own.len) status = nas_spool_write(s, &own, err);
  if (status == NAS_OK) {
    nas_str_add_n(frames, own.s ? own.s : "", own.len);
    *n += a.n;
    unlink(path);
  }
  if (status == NAS_E_NOT_FOUND) status = NAS_OK; /* another campaign's, or gone by now */
  free(bytes);
  nas_str_free(&own);
  close(fd);
  return status == NAS_OK ? nas_str_check(frames, err) : status;
}

nas_status nas_spool_adopt(nas_spool *s, nas_str *frames, int64_t *n, nas_err *err) {
  DIR *folder = opendir(s->folder);
  nas_status status = NAS_OK;
  *n = 0;
  if (!folder && errno == ENOENT) return NAS_OK;
  if (!folder) return nas_fail_errno(err, errno, s->folder, "cannot look for results of an earlier run");
  for (struct dirent *e; status == NAS_OK && (e = readdir(folder));) {
    size_t length = strlen(e->d_name), tail = sizeof suffix - 1;
    char path[1024];
    if (length <= tail || strcmp(e->d_name + length - tail, suffix) != 0) continue;
    nas_text_put(path, sizeof path, "%s/%s", s->folder, e->d_name);
    if (strcmp(path, s->path) != 0) status = adopt_file(s, path, frames, n, err);
  }
  closedir(folder);
  return status;
}
