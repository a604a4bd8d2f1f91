#ifndef NAS_CLI_COMMANDS_H
#define NAS_CLI_COMMANDS_H
/* The functions behind commands.def. */
#include "cli/cli.h"
#include "jobs/campaign.h"

#define NAS_COMMAND(name, function, summary) \
  nas_status nas_cmd_##function(nas_cli *cli, int argc, const char **argv, nas_err *err);
#include "cli/commands.def"
#undef NAS_COMMAND

/* The whole program: returns the exit status. */
int nas_main(int argc, const char **argv);

/* Trains trial `id` of the table at `path` again, as `nascent reproduce` does, and prints nothing. MISMATCH names the
 * first difference. */
nas_status nas_reproduce_trial(const char *path, int64_t id, nas_err *err);

/* The campaign file named first on the line, with the overrides and --data-dir of the line. */
nas_status nas_cli_campaign(nas_cli *cli, nas_campaign *campaign, nas_err *err);
#endif
