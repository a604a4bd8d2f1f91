#ifndef NAS_TESTS_HTTP_SERVER_H
#define NAS_TESTS_HTTP_SERVER_H
/* A small web server in a child process on a free port of 127.0.0.1, that can misbehave. It answers every path with the
 * same body, one request per connection, and notes each request as a line "PATH range=... if-range=..." in a log. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct http_behaviour {
  const char *body;
  size_t n;
  const char *log;         /* path */
  const char *tag;         /* ETag, NULL: none */
  int status;              /* 0: as HTTP wants; else every answer has it */
  bool ignores_range;      /* sends the whole body, status 200 */
  bool ignores_if_range;   /* sends the range whatever If-Range says */
  bool shifts_range;       /* claims and sends another range than it was asked for */
  long cut_after;          /* sends so many bytes of the body and hangs up; 0: all */
  int cut_answers;         /* ... in so many first answers; 0: in all */
  const char *redirect_to; /* path for status 302 unless the path is that one */
} http_behaviour;

typedef struct http_server {
  pid_t pid;
  int port;
} http_server;

static inline void http_header(const char *request, const char *name, char out[128]) {
  snprintf(out, 128, "-");
  for (const char *line = request; (line = strstr(line, "\r\n")); line += 2)
    if (strncasecmp(line + 2, name, strlen(name)) == 0) {
      const char *value = line + 2 + strlen(name);
      snprintf(out, 128, "%.*s", (int)strcspn(value, "\r"), value);
    }
}

static inline void http_send(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes += sent;
    n -= (size_t)sent;
  }
}

static inline void http_answer(int fd, const char *request, const http_behaviour *b, int answers) {
  char path[256] = "", range[128], if_range[128], head[1024], extra[512] = "";
  sscanf(request, "GET %255s", path);
  http_header(request, "Range: ", range);
  http_header(request, "If-Range: ", if_range);
  FILE *log = fopen(b->log, "a");
  if (log) {
    fprintf(log, "%s range=%s if-range=%s\n", path, range, if_range);
    fclose(log);
  }
  size_t from = 0;
  int status = b->status ? b->status : 200;
  bool same = strcmp(if_range, "-") == 0 || b->ignores_if_range || (b->tag && strcmp(if_range, b->tag) == 0);
  if (!b->status && !b->ignores_range && same && sscanf(range, "bytes=%zu-", &from) == 1) {
    status = from < b->n ? 206 : 416;
    if (b->shifts_range) from++;
    snprintf(extra, sizeof extra, "Content-Range: bytes %zu-%zu/%zu\r\n", from, b->n - 1, b->n);
  }
  if (b->redirect_to && strcmp(path, b->redirect_to) != 0) {
    status = 302;
    snprintf(extra, sizeof extra, "Location: %s\r\n", b->redirect_to);
  }
  size_t length = status >= 300 ? 4 : b->n - from;
  if (b->tag) snprintf(extra + strlen(extra), sizeof extra - strlen(extra), "ETag: %s\r\n", b->tag);
  snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n", status, length,
           extra);
  http_send(fd, head, strlen(head));
  bool cut = b->cut_after > 0 && (b->cut_answers == 0 || answers < b->cut_answers);
  if (cut && (size_t)b->cut_after < length) length = (size_t)b->cut_after;
  http_send(fd, status >= 300 ? "sad\n" : b->body + from, length);
}

static inline void http_serve(int listener, const http_behaviour *b) {
  for (int answers = 0;; answers++) {
    int fd = accept(listener, NULL, NULL);
    char request[8192];
    size_t n = 0;
    request[0] = '\0';
    while (n + 1 < sizeof request && !strstr(request, "\r\n\r\n")) {
      ssize_t got = recv(fd, request + n, sizeof request - 1 - n, 0);
      if (got <= 0) break;
      n += (size_t)got;
      request[n] = '\0';
    }
    http_answer(fd, request, b, answers);
    shutdown(fd, SHUT_WR);
    while (recv(fd, request, sizeof request, 0) > 0) {
    }
    close(fd);
  }
}

static inline bool http_start(http_server *s, const http_behaviour *b) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 8) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    return false;
  s->port = ntohs(address.sin_port);
  fflush(NULL);
  s->pid = fork();
  if (s->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    http_serve(listener, b);
  }
  close(listener);
  return s->pid > 0;
}

static inline void http_stop(http_server *s) {
  if (s->pid <= 0) return;
  kill(s->pid, SIGKILL);
  waitpid(s->pid, NULL, 0);
  s->pid = 0;
}
#endif
