#include "base/progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"
#include "harness.h"

/* What was written into the pipe so far. */
static const char *drain(int fd) {
  static char text[65536];
  fcntl(fd, F_SETFL, O_NONBLOCK);
  ssize_t n = read(fd, text, sizeof text - 1);
  text[n > 0 ? n : 0] = '\0';
  return text;
}

static void times_are_short(void **state) {
  (void)state;
  static const struct {
    double seconds;
    const char *text;
  } rows[] = {{0, "0s"},       {12.4, "12s"},    {59.6, "1m00s"}, {200, "3m20s"},
              {3720, "1h02m"}, {90000, "1d01h"}, {-1, "?"},       {1e300, "?"}};
  char text[16];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_string_equal(nas_progress_time(text, rows[i].seconds), rows[i].text);
}

static void a_log_gets_few_whole_lines(void **state) {
  (void)state;
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  nas_progress p;
  nas_progress_start(&p, fds[1], false, "trials", 0, 100);
  assert_false(p.terminal);
  for (int i = 0; i < 50; i++) {
    p.done = i;
    nas_progress_draw(&p, false);
  }
  assert_string_equal(drain(fds[0]), "");
  p.done = 50;
  p.failed = 3;
  nas_text_put(p.note, sizeof p.note, "best 91.20 %%");
  p.started -= 100; /* as if 100 s had passed */
  p.last -= 100;
  nas_progress_draw(&p, false);
  assert_string_equal(drain(fds[0]), "trials 50/100  3 failed  0.50/s  left 1m40s  best 91.20 %\n");
  nas_progress_draw(&p, false);
  assert_string_equal(drain(fds[0]), "");
  p.done = 100;
  nas_progress_end(&p);
  assert_string_equal(drain(fds[0]), "trials 100/100  3 failed  1.00/s  took 1m40s  best 91.20 %\n");
  nas_progress_clear(&p);
  assert_string_equal(drain(fds[0]), "");
  close(fds[0]);
  close(fds[1]);
}

/* A resumed campaign: what was there before says nothing about the speed. */
static void the_rate_is_of_this_run(void **state) {
  (void)state;
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  nas_progress p;
  nas_progress_start(&p, fds[1], false, "trials", 90, 100);
  p.started -= 1000;
  nas_progress_draw(&p, true);
  assert_string_equal(drain(fds[0]), "trials 90/100\n");
  p.done = 92;
  nas_progress_draw(&p, true);
  assert_string_equal(drain(fds[0]), "trials 92/100  7.2/h  left 1h06m\n");
  p.total = 0;
  nas_progress_draw(&p, true);
  assert_string_equal(drain(fds[0]), "trials 92  7.2/h\n");
  close(fds[0]);
  close(fds[1]);
}

static void quiet_writes_nothing(void **state) {
  (void)state;
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  nas_progress p;
  nas_progress_start(&p, fds[1], true, "trials", 0, 10);
  p.terminal = true;
  nas_progress_draw(&p, true);
  nas_progress_clear(&p);
  nas_progress_end(&p);
  assert_string_equal(drain(fds[0]), "");
  close(fds[0]);
  close(fds[1]);
}

/* The two ends of a pseudo-terminal of `columns`. */
static void open_terminal(int columns, int *near_end, int *far_end) {
  *near_end = posix_openpt(O_RDWR | O_NOCTTY);
  if (*near_end < 0 || grantpt(*near_end) != 0 || unlockpt(*near_end) != 0) nas_skip("no pseudo-terminals here");
  *far_end = open(ptsname(*near_end), O_RDWR | O_NOCTTY);
  assert_true(*far_end >= 0);
  struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
  assert_int_equal(ioctl(*far_end, TIOCSWINSZ, &size), 0);
}

/* What was written to the far end since the last call. A terminal hands over what was written in its own time and in
 * pieces, so a mark is sent after it and waited for. */
static const char *shown(int near_end, int far_end) {
  static char text[65536];
  size_t n = 0;
  assert_int_equal(write(far_end, "\001", 1), 1);
  do {
    ssize_t got = read(near_end, text + n, sizeof text - 1 - n);
    assert_true(got > 0);
    n += (size_t)got;
  } while (text[n - 1] != '\001');
  text[n - 1] = '\0';
  return text;
}

static void a_terminal_has_one_line_redrawn(void **state) {
  (void)state;
  int near_end, far_end;
  open_terminal(30, &near_end, &far_end);
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  nas_progress p;
  nas_progress_start(&p, far_end, false, "epochs", 0, 3);
  assert_true(p.terminal && p.colour);
  p.done = 1;
  p.started -= 1875; /* a figure that a few seconds more do not change */
  nas_text_put(p.note, sizeof p.note, "best");
  nas_progress_draw(&p, false);
  assert_string_equal(shown(near_end, far_end), "\repochs 1/3  1.9/h  left 1h02m\033[K"); /* cut to 29 columns */
  p.last += 3600; /* as if just drawn, however long this takes: at most ten times a second */
  for (int i = 0; i < 1000; i++) nas_progress_draw(&p, false);
  assert_string_equal(shown(near_end, far_end), "");
  p.last -= 3601;
  nas_progress_draw(&p, false);
  assert_string_equal(shown(near_end, far_end), "\repochs 1/3  1.9/h  left 1h02m\033[K");
  p.failed = 1;
  nas_progress_draw(&p, true);
  assert_string_equal(shown(near_end, far_end), "\r\033[31mepochs 1/3  1 failed  1.9/h  \033[0m\033[K");
  nas_progress_clear(&p);
  assert_string_equal(shown(near_end, far_end), "\r\033[K");
  nas_progress_end(&p);
  assert_string_equal(shown(near_end, far_end), "\r\033[31mepochs 1/3  1 failed  1.9/h  \033[0m\033[K\r\n");
  close(far_end);
  close(near_end);
}

static void the_environment_is_honoured(void **state) {
  (void)state;
  int near_end, far_end;
  open_terminal(80, &near_end, &far_end);
  nas_progress p;
  setenv("TERM", "xterm", 1);
  setenv("NO_COLOR", "1", 1);
  nas_progress_start(&p, far_end, false, "epochs", 0, 10);
  assert_true(p.terminal && !p.colour);
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  nas_progress_start(&p, far_end, false, "epochs", 0, 10);
  assert_false(p.terminal);
  setenv("TERM", "xterm", 1);
  close(far_end);
  close(near_end);
}

/* Multi-byte characters are not cut in two. */
static void a_cut_line_stays_utf8(void **state) {
  (void)state;
  int near_end, far_end;
  open_terminal(14, &near_end, &far_end);
  setenv("TERM", "xterm", 1);
  nas_progress p;
  nas_progress_start(&p, far_end, false, "u", 0, 0);
  nas_text_put(p.note, sizeof p.note, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
  nas_progress_draw(&p, true);
  assert_string_equal(shown(near_end, far_end),
                      "\ru 0  \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\033[K");
  close(far_end);
  close(near_end);
}

NAS_SUITE(Progress, NAS_CASE(times_are_short), NAS_CASE(a_log_gets_few_whole_lines), NAS_CASE(the_rate_is_of_this_run),
          NAS_CASE(quiet_writes_nothing), NAS_CASE(a_terminal_has_one_line_redrawn),
          NAS_CASE(the_environment_is_honoured), NAS_CASE(a_cut_line_stays_utf8))
