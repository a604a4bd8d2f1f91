#include "base/secret.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void nas_secret_forget(const char *variable) {
  char *value = variable && *variable ? getenv(variable) : NULL;
  if (!value) return;
  explicit_bzero(value, strlen(value)); /* unsetenv alone leaves it where the kernel shows it */
  unsetenv(variable);
}

void nas_secret_no_dumps(void) {
  struct rlimit core;
  if (getrlimit(RLIMIT_CORE, &core) == 0) {
    core.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &core);
  }
  /* Making the process undumpable would also keep the other ranks of its node from reading its messages. */
  int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (filter < 0) return;
  ssize_t ignored = write(filter, "0", 1);
  (void)ignored;
  close(filter);
}
