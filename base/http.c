#include "base/http.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/library.h"
#include "base/str.h"

/* libcurl, loaded at the first download or question. */
/* clang-format off */
#define CURL_FUNCTIONS(F) \
  F(easy_cleanup) F(easy_getinfo) F(easy_init) F(easy_perform) F(easy_reset) F(easy_setopt) F(easy_strerror) \
  F(free) F(global_cleanup) F(global_init) F(multi_add_handle) F(multi_cleanup) F(multi_info_read) \
  F(multi_init) F(multi_perform) F(multi_poll) F(multi_remove_handle) F(slist_append) F(slist_free_all) \
  F(url) F(url_cleanup) F(url_get) F(url_set)
/* clang-format on */
#define POINTER(name) __typeof__(curl_##name) *name;
#define SYMBOL(name)  NAS_SYMBOL("curl_", lib, name),
static struct { CURL_FUNCTIONS(POINTER) } lib;
static const nas_symbol symbols[] = {CURL_FUNCTIONS(SYMBOL)};
static nas_library library = {NAS_CURL_LIBRARY, "install libcurl (Debian: libcurl4)", symbols,
                              sizeof symbols / sizeof *symbols, NULL};

nas_status nas_http_load(nas_err *err) { return nas_library_load(&library, err); }

enum { PATH_SIZE = 4096, TAG_SIZE = 256 };

/* A download under way. */
typedef struct transfer {
  const nas_download *d;
  CURL *curl;
  char part[PATH_SIZE], tag_path[PATH_SIZE];
  int fd;
  int64_t offset;          /* bytes that the part file had when this attempt began */
  int64_t written;         /* ... and has now */
  bool accepted;           /* the answer's head was judged: body bytes may be written */
  bool misplaced;          /* the server sent another range than it was asked for */
  int write_errno;         /* why writing failed */
  char part_tag[TAG_SIZE]; /* version of the bytes in the part file */
  char tag[TAG_SIZE];      /* version named by this answer: its strong ETag, else its Last-Modified */
  int64_t range_start;     /* of Content-Range; -1: none */
  char message[CURL_ERROR_SIZE];
} transfer;

/* ---- the head of the answer ---- */

/* The value of header `name` when the line is that header. */
static const char *header_value(const char *line, size_t n, const char *name, size_t *length) {
  size_t skip = strlen(name);
  if (n <= skip || strncasecmp(line, name, skip) != 0 || line[skip] != ':') return NULL;
  const char *value = line + skip + 1, *end = line + n;
  while (value < end && (*value == ' ' || *value == '\t')) value++;
  while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ')) end--;
  *length = (size_t)(end - value);
  return value;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg) {
  transfer *t = arg;
  size_t n = size * count, length;
  const char *value;
  if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* a new answer, after a redirection */
    t->tag[0] = '\0';
    t->range_start = -1;
  }
  /* A weak tag names a version only roughly and is no ground to join bytes on. */
  if ((value = header_value(line, n, "ETag", &length)) && length > 0 && value[0] == '"')
    nas_text_put(t->tag, sizeof t->tag, "%.*s", (int)length, value);
  else if ((value = header_value(line, n, "Last-Modified", &length)) && t->tag[0] != '"')
    nas_text_put(t->tag, sizeof t->tag, "%.*s", (int)length, value);
  else if ((value = header_value(line, n, "Content-Range", &length))) {
    char text[64];
    long long start;
    nas_text_put(text, sizeof text, "%.*s", (int)length, value);
    if (sscanf(text, "bytes %lld-", &start) == 1) t->range_start = start;
  }
  return n;
}

static bool truncate_part(transfer *t) {
  if (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) != 0) {
    t->write_errno = errno;
    return false;
  }
  t->offset = t->written = 0;
  return true;
}

/* Decides, at the first byte of the body, whether it continues the part file or replaces it. */
static bool accept_body(transfer *t) {
  long status = 0;
  lib.easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
  bool other = t->tag[0] && strcmp(t->tag, t->part_tag) != 0; /* a server that does not look at If-Range */
  if (status == 206 && (t->range_start != t->offset || other)) {
    t->misplaced = true;
    return false;
  }
  if (status != 206 && t->offset > 0 && !truncate_part(t)) return false;
  /* The name of the version must be on disk before its bytes, or a crash could leave bytes of unknown origin. */
  if (status != 206) unlink(t->tag_path);
  if (status != 206 && t->tag[0] && nas_file_write_atomic(t->tag_path, t->tag, strlen(t->tag), NULL) != NAS_OK)
    unlink(t->tag_path);
  t->accepted = true;
  return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg) {
  transfer *t = arg;
  size_t n = size * count;
  if (!t->accepted && !accept_body(t)) return 0;
  for (size_t done = 0; done < n;) {
    ssize_t got = write(t->fd, bytes + done, n - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      t->write_errno = errno;
      return 0;
    }
    done += (size_t)got;
    t->written += got;
  }
  return n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
  (void)up_total, (void)up_now, (void)now;
  transfer *t = arg;
  t->d->progress(t->d->arg, t->written, total > 0 ? (int64_t)total + t->offset : 0);
  return 0;
}

/* ---- one attempt ---- */

static void set_options(transfer *t) {
  CURL *c = t->curl;
  double connect = t->d->connect_seconds > 0 ? t->d->connect_seconds : 30;
  double stall = t->d->stall_seconds > 0 ? t->d->stall_seconds : 60;
  lib.easy_setopt(c, CURLOPT_URL, t->d->url);
  lib.easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https,file");
  lib.easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  lib.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  lib.easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
  lib.easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
  lib.easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
  lib.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  lib.easy_setopt(c, CURLOPT_FAILONERROR, 1L);
  lib.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(1000 * connect));
  lib.easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  lib.easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)(stall < 1 ? 1 : stall));
  lib.easy_setopt(c, CURLOPT_USERAGENT, "nascent");
  lib.easy_setopt(c, CURLOPT_ERRORBUFFER, t->message);
  lib.easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
  lib.easy_setopt(c, CURLOPT_WRITEDATA, t);
  lib.easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
  lib.easy_setopt(c, CURLOPT_HEADERDATA, t);
  if (!t->d->progress) return;
  lib.easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  lib.easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
  lib.easy_setopt(c, CURLOPT_XFERINFODATA, t);
}

/* What the server called the version whose bytes the part file holds; "" when that is not known, and for local files,
 * which are quick to copy again. */
static void read_tag(transfer *t) {
  char *text = NULL;
  size_t n = 0;
  t->part_tag[0] = '\0';
  if (strncmp(t->d->url, "file:", 5) != 0 && nas_file_exists(t->tag_path) &&
      nas_file_read(t->tag_path, TAG_SIZE - 1, &text, &n, NULL) == NAS_OK)
    nas_text_put(t->part_tag, sizeof t->part_tag, "%s", text);
  free(text);
}

/* Opens the part file, alone; keeps what it holds only when the version of those bytes is known. */
static nas_status open_part(transfer *t, nas_err *err) {
  t->accepted = t->misplaced = false;
  t->range_start = -1;
  t->write_errno = 0;
  t->tag[0] = t->message[0] = '\0';
  t->fd = open(t->part, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (t->fd < 0) return nas_fail_errno(err, errno, t->part, "cannot create the file");
  if (flock(t->fd, LOCK_EX | LOCK_NB) != 0)
    return nas_fail(err, NAS_E_IO, t->part, "another process is downloading this file");
  read_tag(t);
  t->offset = t->written = lseek(t->fd, 0, SEEK_END);
  if (t->offset < 0 || (!t->part_tag[0] && !truncate_part(t)))
    return nas_fail_errno(err, errno, t->part, "cannot write the file");
  return NAS_OK;
}

static nas_status describe_failure(const transfer *t, CURLcode code, long http, nas_err *err) {
  if (t->write_errno) return nas_fail_errno(err, t->write_errno, t->part, "cannot write the download");
  if (code == CURLE_HTTP_RETURNED_ERROR)
    return nas_fail(err, NAS_E_NETWORK, t->d->url, "the server answered with status %ld", http);
  const char *reason = t->message[0] ? t->message : lib.easy_strerror(code);
  if (t->written > 0)
    return nas_fail(err, NAS_E_NETWORK, t->d->url, "%s, after %lld bytes; run it again to go on from there", reason,
                    (long long)t->written);
  return nas_fail(err, NAS_E_NETWORK, t->d->url, "%s", reason);
}

static nas_status perform(transfer *t, long *http, nas_err *err) {
  char text[TAG_SIZE + 32];
  struct curl_slist *headers = NULL;
  lib.easy_reset(t->curl);
  set_options(t);
  if (t->offset > 0) {
    nas_text_put(text, sizeof text, "If-Range: %s", t->part_tag);
    headers = lib.slist_append(NULL, text);
    if (!headers) return nas_fail_memory(err, "a download");
    nas_text_put(text, sizeof text, "%lld-", (long long)t->offset);
    lib.easy_setopt(t->curl, CURLOPT_RANGE, text);
    lib.easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
  }
  CURLcode code = lib.easy_perform(t->curl);
  lib.easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, http);
  lib.slist_free_all(headers);
  if (code == CURLE_OK && !t->accepted && !accept_body(t)) code = CURLE_WRITE_ERROR; /* an empty body */
  if (code != CURLE_OK) return describe_failure(t, code, *http, err);
  if (fsync(t->fd) != 0) return nas_fail_errno(err, errno, t->part, "cannot write the download");
  return NAS_OK;
}

/* *anew: what the part file holds is of no use to this server; it was removed and a new attempt may succeed. */
static nas_status attempt(transfer *t, bool *anew, nas_err *err) {
  long http = 0;
  *anew = false;
  nas_status status = open_part(t, err);
  if (status == NAS_OK) {
    status = perform(t, &http, err);
    *anew = t->offset > 0 && (http == 416 || t->misplaced);
  }
  if (*anew) {
    unlink(t->part);
    unlink(t->tag_path);
  }
  if (t->fd >= 0 && close(t->fd) != 0 && status == NAS_OK)
    status = nas_fail_errno(err, errno, t->part, "cannot write the download");
  return status;
}

/* Worth another try: not a wrong address, a full disk or a missing file. */
static bool may_pass(const transfer *t, nas_status status, const nas_err *failure) {
  return status == NAS_E_NETWORK && !t->write_errno && !strstr(failure->msg, "status 4") &&
         strncmp(t->d->url, "file:", 5) != 0;
}

static nas_status fetch_part(transfer *t, nas_err *err) {
  int attempts = t->d->attempts > 1 ? t->d->attempts : 1;
  bool anew, restarted = false;
  for (;;) {
    nas_err failure = {0};
    nas_status status = attempt(t, &anew, &failure);
    if (status == NAS_OK) return NAS_OK;
    bool again = anew ? !restarted : --attempts > 0 && may_pass(t, status, &failure);
    restarted = restarted || anew;
    if (!again) {
      if (err) *err = failure;
      return status;
    }
  }
}

static nas_status finish(transfer *t, nas_err *err) {
  const nas_download *d = t->d;
  nas_status status = d->check ? d->check(d->arg, t->part, err) : NAS_OK;
  if (status == NAS_OK && rename(t->part, d->path) != 0)
    status = nas_fail_errno(err, errno, d->path, "cannot name the download");
  if (status != NAS_OK) unlink(t->part);
  unlink(t->tag_path);
  if (status == NAS_OK) nas_file_sync_folder(d->path);
  return status;
}

nas_status nas_http_download(const nas_download *d, nas_err *err) {
  NAS_TRY(nas_http_load(err));
  transfer *t = calloc(1, sizeof *t);
  if (!t) return nas_fail_memory(err, "a download");
  t->d = d;
  nas_status status = NAS_OK;
  if (!nas_text_put(t->part, sizeof t->part, "%s.part", d->path) ||
      !nas_text_put(t->tag_path, sizeof t->tag_path, "%s.part.tag", d->path))
    status = nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path is too long");
  else if (lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(t->curl = lib.easy_init()))
    status = nas_fail_memory(err, "a download");
  if (status == NAS_OK) status = fetch_part(t, err);
  if (status == NAS_OK) status = finish(t, err);
  if (t->curl) {
    lib.easy_cleanup(t->curl);
    lib.global_cleanup();
  }
  free(t);
  return status;
}

/* ---- questions and answers ---- */

nas_status nas_http_place_of(const char *url, nas_http_place *out, nas_err *err) {
  char *scheme = NULL, *host = NULL, *user = NULL;
  *out = (nas_http_place){0};
  NAS_TRY(nas_http_load(err));
  CURLU *u = lib.url();
  if (!u) return nas_fail_memory(err, "an address");
  bool ok = lib.url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
            lib.url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
            lib.url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
            (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
  if (ok) {
    int b, c, d, end = 0;
    out->secure = strcmp(scheme, "https") == 0;
    out->has_login = lib.url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK;
    out->loopback = strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
                    (sscanf(host, "127.%d.%d.%d%n", &b, &c, &d, &end) == 3 && !host[end]);
  }
  lib.free(scheme);
  lib.free(host);
  lib.free(user);
  lib.url_cleanup(u);
  return ok ? NAS_OK : nas_fail(err, NAS_E_BAD_INPUT, NULL, "this is no address of the form https://host/path");
}

struct nas_http_client {
  CURLM *multi;
  CURL *curl;
  struct curl_slist *headers;
  char url[1024]; /* for messages */
  nas_str body;
  size_t limit;
  bool running, too_long;
  char message[CURL_ERROR_SIZE];
};

nas_status nas_http_client_new(nas_http_client **out, nas_err *err) {
  *out = NULL;
  NAS_TRY(nas_http_load(err));
  nas_http_client *c = *out = calloc(1, sizeof *c);
  if (c && lib.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
    c->multi = lib.multi_init();
    c->curl = lib.easy_init();
    if (c->multi && c->curl) return NAS_OK;
  }
  nas_http_client_free(c);
  *out = NULL;
  return nas_fail_memory(err, "a connection");
}

/* The handle keeps the connection; the headers may hold a key. */
static void end_question(nas_http_client *c) {
  if (c->running) lib.multi_remove_handle(c->multi, c->curl);
  c->running = false;
  for (struct curl_slist *h = c->headers; h; h = h->next) explicit_bzero(h->data, strlen(h->data));
  lib.slist_free_all(c->headers);
  c->headers = NULL;
  if (c->curl) lib.easy_reset(c->curl);
}

void nas_http_client_free(nas_http_client *c) {
  if (!c) return;
  end_question(c);
  lib.easy_cleanup(c->curl);
  lib.multi_cleanup(c->multi);
  lib.global_cleanup();
  nas_str_free(&c->body);
  free(c);
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *arg) {
  nas_http_client *c = arg;
  size_t n = size * count;
  c->too_long = n > c->limit - c->body.len;
  if (c->too_long) return 0;
  nas_str_add_n(&c->body, bytes, n);
  return c->body.failed ? 0 : n;
}

static nas_status add_header(nas_http_client *c, const char *text, nas_err *err) {
  struct curl_slist *longer = lib.slist_append(c->headers, text);
  if (!longer) return nas_fail_memory(err, "a question");
  c->headers = longer;
  return NAS_OK;
}

nas_status nas_http_post(nas_http_client *c, const nas_question *q, nas_err *err) {
  end_question(c);
  nas_str_free(&c->body);
  c->limit = q->limit ? q->limit : (size_t)16 << 20;
  c->too_long = false;
  c->message[0] = '\0';
  nas_text_put(c->url, sizeof c->url, "%s", q->url);
  for (const char *const *h = q->headers; h && *h; h++) NAS_TRY(add_header(c, *h, err));
  NAS_TRY(add_header(c, "Expect:", err)); /* or curl waits a second before it sends a long body */
  CURL *e = c->curl;
  lib.easy_setopt(e, CURLOPT_URL, q->url);
  lib.easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  lib.easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L); /* a key is for one address */
  lib.easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
  lib.easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
  lib.easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  lib.easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(1000 * (q->connect_seconds > 0 ? q->connect_seconds : 30)));
  lib.easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(1000 * (q->seconds > 0 ? q->seconds : 120)));
  lib.easy_setopt(e, CURLOPT_USERAGENT, "nascent");
  lib.easy_setopt(e, CURLOPT_ERRORBUFFER, c->message);
  lib.easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
  lib.easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->n);
  lib.easy_setopt(e, CURLOPT_COPYPOSTFIELDS, q->body);
  lib.easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
  lib.easy_setopt(e, CURLOPT_WRITEDATA, c);
  if (lib.multi_add_handle(c->multi, e) != CURLM_OK)
    return nas_fail(err, NAS_E_INTERNAL, c->url, "cannot begin the question");
  c->running = true;
  return NAS_OK;
}

static nas_status explain(const nas_http_client *c, CURLcode code, nas_err *err) {
  const char *reason = c->message[0] ? c->message : lib.easy_strerror(code);
  if (c->too_long) return nas_fail(err, NAS_E_OUT_OF_RANGE, c->url, "the answer is longer than %zu bytes", c->limit);
  if (c->body.failed) return nas_fail_memory(err, "an answer");
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return nas_fail(err, NAS_E_TIMEOUT, c->url, "%s", reason);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return nas_fail(err, NAS_E_MISMATCH, c->url, "the certificate is not accepted: %s", reason);
    default: return nas_fail(err, NAS_E_NETWORK, c->url, "%s", reason);
  }
}

static void read_answer(nas_http_client *c, nas_http_answer *answer) {
  curl_off_t wait = 0, took = 0;
  *answer = (nas_http_answer){.body = nas_str_text(&c->body), .n = c->body.len};
  lib.easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &answer->status);
  lib.easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &wait);
  lib.easy_getinfo(c->curl, CURLINFO_TOTAL_TIME_T, &took);
  answer->retry_after = wait > 0 ? (double)wait : NAN;
  answer->seconds = (double)took * 1e-6;
}

nas_status nas_http_poll(nas_http_client *c, double timeout, bool *done, nas_http_answer *answer, nas_err *err) {
  int running = 0, left = 0;
  *done = false;
  *answer = (nas_http_answer){.retry_after = NAN};
  if (!c->running) return nas_fail(err, NAS_E_INTERNAL, c->url, "no question is under way");
  if (lib.multi_perform(c->multi, &running) != CURLM_OK ||
      (running && lib.multi_poll(c->multi, NULL, 0, (int)(1000 * timeout), NULL) != CURLM_OK) ||
      (running && lib.multi_perform(c->multi, &running) != CURLM_OK))
    return nas_fail(err, NAS_E_INTERNAL, c->url, "cannot go on with the question");
  for (CURLMsg *m; (m = lib.multi_info_read(c->multi, &left));) {
    if (m->msg != CURLMSG_DONE) continue;
    CURLcode code = m->data.result;
    *done = true;
    read_answer(c, answer);
    nas_status status = code == CURLE_OK ? NAS_OK : explain(c, code, err);
    end_question(c);
    return status;
  }
  return NAS_OK;
}
