#include "base/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

enum { LINE_SIZE = 384 };

void nas_progress_start(nas_progress *p, int fd, bool quiet, const char *unit, int64_t first, int64_t total) {
  *p = (nas_progress){.fd = fd, .quiet = quiet, .plain_seconds = 30, .done = first, .first = first, .total = total};
  const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
  p->terminal = isatty(fd) == 1 && !(term && strcmp(term, "dumb") == 0);
  p->colour = p->terminal && !(no_colour && *no_colour);
  p->started = nas_clock();
  p->last = p->terminal ? 0 : p->started; /* a plain log needs no line at once */
  nas_text_put(p->unit, sizeof p->unit, "%s", unit);
}

const char *nas_progress_time(char out[16], double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return strcpy(out, "?");
  long s = (long)(seconds + 0.5);
  if (s >= 86400) snprintf(out, 16, "%ldd%02ldh", s / 86400, s / 3600 % 24);
  else if (s >= 3600) snprintf(out, 16, "%ldh%02ldm", s / 3600, s / 60 % 60);
  else if (s >= 60) snprintf(out, 16, "%ldm%02lds", s / 60, s % 60);
  else snprintf(out, 16, "%lds", s);
  return out;
}

static int terminal_width(int fd) {
  struct winsize size;
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void add(char *line, const char *fmt, ...) NAS_PRINTF(2, 3);
static void add(char *line, const char *fmt, ...) {
  size_t length = strlen(line);
  va_list args;
  va_start(args, fmt);
  vsnprintf(line + length, LINE_SIZE - length, fmt, args);
  va_end(args);
}

/* "trials 12/100  2 failed  0.31/s  left 4m43s  best 91.20 %" */
static void compose(const nas_progress *p, double now, char line[LINE_SIZE]) {
  char text[16];
  line[0] = '\0';
  add(line, "%s %lld", p->unit, (long long)p->done);
  if (p->total > 0) add(line, "/%lld", (long long)p->total);
  if (p->failed > 0) add(line, "  %lld failed", (long long)p->failed);
  double seconds = now - p->started, made = (double)(p->done - p->first);
  if (made > 0 && seconds > 0) {
    double rate = made / seconds;
    if (rate >= 0.1) add(line, "  %.*f/s", rate < 10 ? 2 : 0, rate);
    else add(line, "  %.1f/h", 3600 * rate);
    if (p->total > p->done) add(line, "  left %s", nas_progress_time(text, (double)(p->total - p->done) / rate));
  }
  if (p->total > 0 && p->done >= p->total) add(line, "  took %s", nas_progress_time(text, seconds));
  if (p->note[0]) add(line, "  %s", p->note);
}

/* A line that does not get through (a closed terminal) is no reason to stop the work. */
static void put(int fd, const char *text) {
  for (size_t n = strlen(text); n > 0;) {
    ssize_t got = write(fd, text, n);
    if (got <= 0) return;
    text += got;
    n -= (size_t)got;
  }
}

/* Length of the longest prefix with at most `width` characters of UTF-8. */
static int fitting(const char *line, int width) {
  int i = 0;
  for (int columns = 0; line[i]; i++) {
    if (((unsigned char)line[i] & 0xc0) == 0x80) continue;
    if (columns == width) break;
    columns++;
  }
  return i;
}

/* One write a line: a terminal may deliver two writes apart. */
static void draw(nas_progress *p, double now, bool last) {
  char line[LINE_SIZE], out[LINE_SIZE + 32];
  compose(p, now, line);
  if (p->terminal) {
    int length = fitting(line, terminal_width(p->fd) - 1);
    bool red = p->colour && p->failed > 0;
    snprintf(out, sizeof out, "\r%s%.*s%s\033[K%s", red ? "\033[31m" : "", length, line, red ? "\033[0m" : "",
             last ? "\n" : "");
  } else {
    snprintf(out, sizeof out, "%s\n", line);
  }
  put(p->fd, out);
  p->last = now;
}

void nas_progress_draw(nas_progress *p, bool force) {
  if (p->quiet) return;
  double now = nas_clock();
  if (force || now - p->last >= (p->terminal ? 0.1 : p->plain_seconds)) draw(p, now, false);
}

void nas_progress_end(nas_progress *p) {
  if (p->quiet) return;
  draw(p, nas_clock(), true);
}

void nas_progress_clear(nas_progress *p) {
  if (!p->quiet && p->terminal) put(p->fd, "\r\033[K");
}

static void say(int fd, const char *fmt, va_list args) {
  char text[1024], line[1100];
  vsnprintf(text, sizeof text, fmt, args);
  snprintf(line, sizeof line, "nascent: %s\n", text);
  put(fd, line);
}

void nas_progress_say(nas_progress *p, const char *fmt, ...) {
  va_list args;
  nas_progress_clear(p);
  va_start(args, fmt);
  say(p->fd, fmt, args);
  va_end(args);
}

void nas_say(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  say(STDERR_FILENO, fmt, args);
  va_end(args);
}
