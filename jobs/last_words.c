#include "jobs/last_words.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/doing.h"

enum { DEEPEST = 48, SAID = 12, STACK = 64 << 10 };

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static char stack[STACK];

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static void say_hex(uintptr_t value) {
  char text[2 + 2 * sizeof value + 1], *p = text + sizeof text - 1;
  *p = '\0';
  do *--p = "0123456789abcdef"[value & 15];
  while (value >>= 4);
  *--p = 'x';
  *--p = '0';
  say(p);
}

/* "f+0x1", or "library.so+0x1" where no function is known, or the bare address of code made at run time. */
static void say_place(void *address) {
  Dl_info info = {0};
  bool known = dladdr(address, &info) != 0;
  uintptr_t from = 0;
  if (known && info.dli_sname) {
    say(info.dli_sname);
    from = (uintptr_t)info.dli_saddr;
  } else if (known && info.dli_fname) {
    const char *slash = strrchr(info.dli_fname, '/');
    say(slash ? slash + 1 : info.dli_fname);
    from = (uintptr_t)info.dli_fbase;
  }
  if (from) say("+");
  say_hex((uintptr_t)address - from);
}

/* True for a frame below another without a name in the same library: a long row of them says nothing more. */
static bool repeats(void *address, void *before) {
  Dl_info info, last;
  return dladdr(address, &info) && dladdr(before, &last) && !info.dli_sname && !last.dli_sname &&
         info.dli_fbase == last.dli_fbase;
}

static void say_frames(void **frames, int n) {
  for (int i = 0, said = 0; i < n && said < SAID; i++) {
    if (i > 0 && repeats(frames[i], frames[i - 1])) continue;
    if (said++) say(" < ");
    say_place(frames[i]);
  }
}

/* The process is lost already: what is not async-signal-safe here may hang, and the alarm ends that. */
static void on_fault(int number) {
  void *frames[DEEPEST];
  signal(number, SIG_DFL);
  alarm(2);
  int n = backtrace(frames, DEEPEST), first = n > 2 ? 2 : 0; /* below this handler and the kernel's trampoline */
  if (nas_doing_now.phase) {
    say("\nin the ");
    say(nas_doing_now.phase);
    say(" at ");
    say(nas_doing_now.what);
  }
  say("\nbacktrace: ");
  say_frames(frames + first, n - first);
  say("\n");
  raise(number);
}

void nas_last_words_install(void) {
  void *frame;
  backtrace(&frame, 1); /* loads the unwinder now: it allocates the first time */
  sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigaction(faults[i], &action, NULL);
}
