#include "jobs/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "train/libraries.h"

static void processor(char *out, size_t size) {
  char line[512];
  struct utsname name;
  nas_text_put(out, size, "%s processor", uname(&name) == 0 ? name.machine : "unknown");
  FILE *f = fopen("/proc/cpuinfo", "r");
  if (!f) return;
  while (fgets(line, sizeof line, f)) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !colon) continue;
    colon += 1 + strspn(colon + 1, " \t");
    colon[strcspn(colon, "\n")] = '\0';
    nas_text_put(out, size, "%s", colon);
    break;
  }
  fclose(f);
}

void nas_machine_describe(nas_str *out) {
  char cpu[200];
  processor(cpu, sizeof cpu);
#if defined(__clang__)
  nas_str_fmt(out, "%s; clang %s; ", cpu, __clang_version__);
#else
  nas_str_fmt(out, "%s; gcc %s; ", cpu, __VERSION__);
#endif
  nas_train_libraries(out);
}
