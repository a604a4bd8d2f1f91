#ifndef NAS_CLI_COMMANDS_H
#define NAS_CLI_COMMANDS_H
/* The functions behind commands.def. */
#include "cli/cli.h"

#define NAS_COMMAND(name, function, summary) \
  nas_status nas_cmd_##function(nas_cli *cli, int argc, const char **argv, nas_err *err);
#include "cli/commands.def"
#undef NAS_COMMAND

/* The whole program: returns the exit status. */
int nas_main(int argc, const char **argv);
#endif
