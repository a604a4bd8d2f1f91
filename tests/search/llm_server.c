/* A chat/completions endpoint on a free port of 127.0.0.1, for tests: it answers the same to the same question, and
 * misbehaves on command.
 *
 *   nascent-llm-server [--space NAME] [--script "WORD ..."] [--log FILE] [--tls]
 *
 * It prints its port. Request k gets word k of the script (the last one for ever when it ends in '*'), then `ok`:
 *   ok prose parts nousage     a good answer: JSON, a line in a text, a list of parts, without usage
 *   invalid index duplicate empty echo   answers that are no new architecture; echo repeats the caller's key
 *   refuse filter length       a refusal, one by the content filter, an answer cut off at its limit
 *   truncate garbage cut huge  a part of the JSON, no JSON, a body shorter than announced, 8 MiB
 *   close hang slow            no answer at all: hangs up, waits for ever; and a good one after 0.3 s
 *   NUMBER NUMBER:SECONDS      that status, with Retry-After; 401 repeats the caller's key; 307 leads to /elsewhere
 * Each request is a line "PATH<tab>AUTHORIZATION<tab>BODY" in the log. --tls: https with a certificate of its own. */
#include <arpa/inet.h>
#include <ctype.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "space/space.h"
#include "train/neuron.h"

enum { REQUEST_MAX = 8 << 20 };

/* What the processes of all connections share. */
typedef struct shared {
  atomic_int requests;
  atomic_int any_answer;
  char first_arch[NAS_ARCH_TEXT_MAX];
} shared;

typedef struct server {
  const char *script, *log;
  nas_space *space;
  SSL_CTX *tls;
  shared *all;
} server;

typedef struct conn {
  int fd;
  SSL *ssl;
} conn;

/* ---- bytes ---- */

static ssize_t receive(conn *c, char *out, size_t n) {
  return c->ssl ? SSL_read(c->ssl, out, (int)n) : recv(c->fd, out, n, 0);
}

static void send_bytes(conn *c, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t sent = c->ssl ? SSL_write(c->ssl, bytes, (int)n) : send(c->fd, bytes, n, MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes += sent;
    n -= (size_t)sent;
  }
}

static void respond(conn *c, int status, const char *more, const char *body, size_t announced) {
  char head[512];
  snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
           status, announced, more);
  send_bytes(c, head, strlen(head));
  send_bytes(c, body, strlen(body));
}

static void sleep_for(double seconds) {
  struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&t, NULL);
}

/* ---- requests ---- */

static const char *header(const char *head, const char *name, char out[512]) {
  out[0] = '\0';
  for (const char *line = head; (line = strstr(line, "\r\n")); line += 2)
    if (strncasecmp(line + 2, name, strlen(name)) == 0) {
      const char *value = line + 2 + strlen(name);
      value += strspn(value, " ");
      snprintf(out, 512, "%.*s", (int)strcspn(value, "\r"), value);
    }
  return out;
}

/* One request into `text`; the body begins at the returned place, NULL when the caller hung up. */
static char *read_request(conn *c, char *text) {
  char length[512];
  size_t n = 0;
  char *body = NULL;
  while (n + 1 < REQUEST_MAX) {
    if (!body && (body = strstr(text, "\r\n\r\n"))) {
      body += 4;
      header(text, "content-length:", length);
    }
    if (body && n - (size_t)(body - text) >= strtoul(length, NULL, 10)) return body;
    ssize_t got = receive(c, text + n, REQUEST_MAX - 1 - n);
    if (got <= 0) return NULL;
    n += (size_t)got;
    text[n] = '\0';
  }
  return NULL;
}

static void word_of(const char *script, int request, char out[32]) {
  snprintf(out, 32, "ok");
  for (const char *at = script; *at;) {
    size_t n = strcspn(at, " ");
    bool last = !at[n] && n > 1 && at[n - 1] == '*';
    if (request == 0 || last) {
      snprintf(out, 32, "%.*s", (int)(n - last), at);
      return;
    }
    request--;
    at += n + strspn(at + n, " ");
  }
}

/* ---- answers ---- */

/* The answer to a question is a function of the question. */
static void choose_arch(const server *s, const char *body, char out[NAS_ARCH_TEXT_MAX]) {
  nas_arch arch;
  json_t *root = json_loads(body, 0, NULL);
  char *question = json_dumps(json_object_get(root, "messages"), JSON_COMPACT | JSON_SORT_KEYS);
  uint64_t words[2] = {question ? nas_hash64_text(question) : 0,
                       (uint64_t)json_integer_value(json_object_get(root, "seed"))};
  nas_rng rng = nas_rng_make(nas_hash64(words, sizeof words), 0, NAS_STREAM_STRATEGY);
  if (nas_space_sample(s->space, rng, 0, false, &arch, NULL) != NAS_OK ||
      nas_space_format(s->space, &arch, out, NULL) != NAS_OK)
    out[0] = '\0';
  free(question);
  json_decref(root);
}

static void say(conn *c, json_t *content, const char *refusal, const char *finish, bool usage, size_t tokens) {
  json_t *message = json_pack("{s:s, s:o}", "role", "assistant", "content", content);
  if (refusal) json_object_set_new(message, "refusal", json_string(refusal));
  json_t *root = json_pack("{s:s, s:[{s:i, s:o, s:s}]}", "object", "chat.completion", "choices", "index", 0, "message",
                           message, "finish_reason", finish);
  if (usage) json_object_set_new(root, "usage", json_pack("{s:I}", "total_tokens", (json_int_t)tokens));
  char *text = json_dumps(root, JSON_COMPACT);
  respond(c, 200, "", text, strlen(text));
  free(text);
  json_decref(root);
}

static void say_text(conn *c, const char *text, size_t tokens) {
  say(c, json_string(text), NULL, "stop", true, tokens);
}

static void say_raw(conn *c, const char *body) { respond(c, 200, "", body, strlen(body)); }

static void good_answer(server *s, conn *c, const char *word, const char *body) {
  char arch[NAS_ARCH_TEXT_MAX], text[2 * NAS_ARCH_TEXT_MAX];
  size_t tokens = strlen(body) / 4 + 20;
  choose_arch(s, body, arch);
  if (!atomic_exchange(&s->all->any_answer, 1)) snprintf(s->all->first_arch, sizeof s->all->first_arch, "%s", arch);
  snprintf(text, sizeof text, "{\"arch\": \"%s\"}", arch);
  if (strcmp(word, "prose") == 0) {
    snprintf(text, sizeof text, "Let me think: {a, b}.\nThis should do well:\n```\n%s\n```\nGood luck!", arch);
    say_text(c, text, tokens);
  } else if (strcmp(word, "parts") == 0) {
    say(c, json_pack("[{s:s, s:s}]", "type", "text", "text", text), NULL, "stop", true, tokens);
  } else {
    say(c, json_string(text), NULL, "stop", strcmp(word, "nousage") != 0, tokens);
  }
}

static void bad_status(conn *c, const char *word, const char *authorization) {
  char more[128] = "", body[1024];
  int status = atoi(word);
  const char *wait = strchr(word, ':');
  if (wait) snprintf(more, sizeof more, "Retry-After: %s\r\n", wait + 1);
  if (status / 100 == 3) snprintf(more, sizeof more, "Location: /elsewhere\r\n");
  snprintf(body, sizeof body, "{\"error\": {\"message\": \"no luck with %s\"}}",
           status == 400 || status == 401 ? authorization : "that");
  respond(c, status, more, body, strlen(body));
}

/* False: hang up. */
static bool misbehave(server *s, conn *c, const char *word, const char *body, const char *authorization) {
  char text[2048];
  if (isdigit((unsigned char)*word)) bad_status(c, word, authorization);
  else if (strcmp(word, "invalid") == 0) say_text(c, "{\"arch\": \"|nor_conv_9x9~0|+|none~0|none~1|\"}", 10);
  else if (strcmp(word, "index") == 0) say_text(c, "{\"arch\": \"42\"}", 10);
  else if (strcmp(word, "duplicate") == 0) {
    snprintf(text, sizeof text, "{\"arch\": \"%s\"}", s->all->first_arch);
    say_text(c, text, 10);
  } else if (strcmp(word, "empty") == 0) say_text(c, "", 10);
  else if (strcmp(word, "echo") == 0) {
    snprintf(text, sizeof text, "{\"arch\": \"%s\"} %s", authorization, authorization);
    say_text(c, text, 10);
  } else if (strcmp(word, "refuse") == 0) say(c, json_null(), "I cannot help with neural networks.", "stop", true, 10);
  else if (strcmp(word, "filter") == 0) say(c, json_null(), NULL, "content_filter", true, 10);
  else if (strcmp(word, "length") == 0) say(c, json_string("{\"arch\": \"|nor_co"), NULL, "length", true, 10);
  else if (strcmp(word, "truncate") == 0) say_raw(c, "{\"choices\": [{\"message\": {\"con");
  else if (strcmp(word, "garbage") == 0) say_raw(c, "<html>welcome</html>");
  else if (strcmp(word, "cut") == 0) {
    respond(c, 200, "", "{\"choices\": [", 500);
    return false;
  } else if (strcmp(word, "huge") == 0) {
    char *much = malloc((8 << 20) + 1);
    if (!much) return false;
    memset(much, ' ', 8 << 20);
    much[8 << 20] = '\0';
    respond(c, 200, "", much, 8 << 20);
    free(much);
  } else if (strcmp(word, "hang") == 0) sleep_for(3600);
  else if (strcmp(word, "close") == 0) return false;
  else {
    if (strcmp(word, "slow") == 0) sleep_for(0.3);
    good_answer(s, c, word, body);
  }
  return true;
}

static void serve(server *s, conn *c) {
  char *text = calloc(1, REQUEST_MAX), word[32], path[256], authorization[512];
  for (bool open = text != NULL; open;) {
    text[0] = '\0';
    char *body = read_request(c, text);
    if (!body) break;
    if (sscanf(text, "POST %255s", path) != 1) snprintf(path, sizeof path, "?");
    if (!*header(text, "authorization:", authorization)) header(text, "api-key:", authorization);
    FILE *log = s->log ? fopen(s->log, "a") : NULL;
    if (log) {
      fprintf(log, "%s\t%s\t%s\n", path, authorization, body);
      fclose(log);
    }
    word_of(s->script, atomic_fetch_add(&s->all->requests, 1), word);
    open = misbehave(s, c, word, body, authorization);
  }
  free(text);
}

/* ---- the program ---- */

/* A certificate that nobody vouches for. */
static SSL_CTX *make_tls(void) {
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  EVP_PKEY *key = EVP_RSA_gen(2048);
  X509 *cert = X509_new();
  X509_NAME *name = X509_get_subject_name(cert);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"127.0.0.1", -1, -1, 0);
  X509_set_issuer_name(cert, name);
  bool ok = X509_sign(cert, key, EVP_sha256()) && SSL_CTX_use_certificate(tls, cert) == 1 &&
            SSL_CTX_use_PrivateKey(tls, key) == 1;
  X509_free(cert);
  EVP_PKEY_free(key);
  return ok ? tls : NULL;
}

static void handle(server *s, int fd) {
  conn c = {.fd = fd};
  if (s->tls) {
    c.ssl = SSL_new(s->tls);
    SSL_set_fd(c.ssl, fd);
    if (SSL_accept(c.ssl) != 1) return;
  }
  serve(s, &c);
}

static int open_port(int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    return -1;
  *port = ntohs(address.sin_port);
  return listener;
}

static int usage(void) {
  fprintf(stderr, "usage: nascent-llm-server [--space NAME] [--script WORDS] [--log FILE] [--tls]\n");
  return 2;
}

int main(int argc, char **argv) {
  const char *space = "nas-bench-201";
  server s = {.script = ""};
  nas_err err = {0};
  int port;
  nas_neurons_introduce();
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "--tls") == 0) {
      if (!(s.tls = make_tls())) return 1;
      continue;
    }
    if (!value) return usage();
    if (strcmp(argv[i], "--space") == 0) space = value;
    else if (strcmp(argv[i], "--script") == 0) s.script = value;
    else if (strcmp(argv[i], "--log") == 0) s.log = value;
    else return usage();
    i++;
  }
  s.all = mmap(NULL, sizeof *s.all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (s.all == MAP_FAILED || nas_space_open(space, NULL, &s.space, &err) != NAS_OK) {
    fprintf(stderr, "nascent-llm-server: %s\n", err.msg);
    return 1;
  }
  int listener = open_port(&port);
  if (listener < 0) return 1;
  printf("%d\n", port);
  fflush(stdout);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* head and body are two writes */
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      handle(&s, fd);
      _exit(0);
    }
    close(fd);
  }
}
