#include "jobs/last_words.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { DEEPEST = 48, NAMED = 10, STACK = 64 << 10 };

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

static void say_place(void *address) {
  Dl_info info;
  if (dladdr(address, &info) && info.dli_sname) {
    say(info.dli_sname);
    say("+");
    say_hex((uintptr_t)address - (uintptr_t)info.dli_saddr);
  } else say_hex((uintptr_t)address);
}

/* The process is lost already: what is not async-signal-safe here may hang, and the alarm ends that. */
static void on_fault(int number) {
  void *frames[DEEPEST];
  signal(number, SIG_DFL);
  alarm(2);
  int n = backtrace(frames, DEEPEST), first = n > 3 ? 2 : 0; /* below this handler and the kernel's trampoline */
  say("\nbacktrace: ");
  for (int i = first; i < n && i < first + NAMED; i++) {
    if (i > first) say(" < ");
    say_place(frames[i]);
  }
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
