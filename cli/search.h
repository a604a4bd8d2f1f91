#ifndef NAS_CLI_SEARCH_H
#define NAS_CLI_SEARCH_H
#include "cli/cli.h"
#include "jobs/campaign.h"

/* Checks all that a run needs, without running, and prints every key of the configuration as it would be used. */
nas_status nas_search_check(const nas_cli *cli, const char *path, const nas_campaign *campaign, nas_err *err);
#endif
