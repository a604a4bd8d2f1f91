#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "jobs/campaign.h"
#include "train/neuron.h"

static const nas_command commands[] = {
#define NAS_COMMAND(name, function, summary) {name, summary, nas_cmd_##function},
#include "cli/commands.def"
#undef NAS_COMMAND
    {NULL, NULL, NULL}};

const nas_command *nas_commands(void) { return commands; }

/* One line: "nascent: WHERE: MESSAGE". Under mpirun every rank meets the same bad command line; one says so. */
static void print_error(const nas_err *err, nas_status status) {
  if (nas_jobs_is_secondary_rank()) return;
  const char *message = err->msg[0] ? err->msg : nas_status_summary(status);
  if (err->where[0]) fprintf(stderr, "nascent: %s: %s\n", err->where, message);
  else fprintf(stderr, "nascent: %s\n", message);
}

static nas_status run_command(int argc, const char **argv, nas_err *err) {
  nas_guess guess = nas_guess_for(argv[1]);
  for (const nas_command *c = commands; c->name; c++) {
    if (strcmp(c->name, argv[1]) == 0) {
      nas_cli cli = {.command = c->name, .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
      nas_status status = c->run(&cli, argc - 1, argv + 1, err);
      nas_cli_free(&cli);
      return status;
    }
    nas_guess_add(&guess, c->name);
  }
  return nas_fail(err, NAS_E_USAGE, NULL, "no command '%s'%s (see `nascent help`)", argv[1], nas_guess_text(&guess));
}

int nas_main(int argc, const char **argv) {
  nas_err err = {0};
  nas_status status;
  nas_neurons_introduce();
  signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error that can be reported, not a silent death */
  if (argc < 2) status = nas_fail(&err, NAS_E_USAGE, NULL, "no command given; see `nascent help`");
  else if (strcmp(argv[1], "--version") == 0) status = nas_cli_print("nascent " NAS_VERSION_FULL "\n", &err);
  else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) status = nas_help_program(&err);
  else if (strcmp(argv[1], "__complete") == 0) status = nas_help_complete(argc - 2, argv + 2, &err);
  else status = run_command(argc, argv, &err);
  if (status != NAS_OK) print_error(&err, status);
  return nas_status_exit(status);
}
