/* A program against the installed library: prints the cell of an index with its parameters and MACs.
 *   cc space_info.c $(pkg-config --cflags --libs nascent) -o space_info && ./space_info 9930 */
#include <stdio.h>
#include <stdlib.h>

#include "space/space.h"

static nas_status show(const char *index, nas_err *err) {
  nas_space *space;
  NAS_TRY(nas_space_open("nas-bench-201", NULL, &space, err));
  nas_arch arch;
  char text[NAS_ARCH_TEXT_MAX];
  nas_net *net = NULL;
  nas_task task = {.input = {3, 32, 32}, .classes = 10};
  nas_status status = nas_space_parse(space, index, &arch, err);
  if (status == NAS_OK) status = nas_space_format(space, &arch, text, err);
  if (status == NAS_OK) status = nas_space_net(space, &arch, task, &net, err);
  if (status == NAS_OK) printf("%s\n%lld params\n%lld MACs\n", text, (long long)net->params, (long long)net->macs);
  nas_net_free(net);
  nas_space_close(space);
  return status;
}

int main(int argc, char **argv) {
  nas_err err = {0};
  nas_status status = show(argc > 1 ? argv[1] : "9930", &err);
  if (status != NAS_OK) fprintf(stderr, "%s: %s\n", err.where, err.msg);
  return nas_status_exit(status);
}
