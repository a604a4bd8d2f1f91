#include "jobs/stop_signal.h"

#include <string.h>

static volatile sig_atomic_t caught;
static const int watched[] = {SIGINT, SIGTERM, SIGUSR1};
enum { WATCHED = sizeof watched / sizeof *watched };
static struct sigaction before[WATCHED];

static void on_signal(int number) { caught = number; }

/* Without SA_RESTART: a wait that is going on ends. */
static void install(void (*handler)(int)) {
  for (int i = 0; i < WATCHED; i++) {
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    if (watched[i] == SIGINT) action.sa_flags = (int)SA_RESETHAND;
    if (handler == SIG_IGN) action.sa_flags = 0;
    sigaction(watched[i], &action, &before[i]);
  }
}

void nas_stop_catch(void) {
  caught = 0;
  install(on_signal);
}

void nas_stop_ignore(void) { install(SIG_IGN); }

int nas_stop_caught(void) { return caught; }

void nas_stop_restore(void) {
  for (int i = 0; i < WATCHED; i++) sigaction(watched[i], &before[i], NULL);
}
