#ifndef NAS_CLI_HELP_H
#define NAS_CLI_HELP_H
/* Help, man page and shell completion, all out of the same tables of commands and flags. */
#include "cli/cli.h"

/* Help of one command: usage line, details, flags. Goes to cli->help_sink or stdout. */
nas_status nas_help_command(const nas_cli *cli, const nas_usage *usage, const nas_flag *flags, nas_err *err);
/* Help of a noun: its verbs. */
nas_status nas_help_noun(const nas_cli *cli, const char *noun, const nas_command *verbs, nas_err *err);
/* What `nascent --help` prints. */
nas_status nas_help_program(nas_err *err);
/* The keys of a campaign's file, out of the option tables. */
nas_status nas_help_campaign(nas_err *err);
/* Words for shell completion, one a line. */
nas_status nas_help_complete_flags(const nas_flag *flags, nas_err *err);
nas_status nas_help_complete_commands(const nas_command *commands, nas_err *err);
/* Runs `nascent __complete WORD...`: the words that may follow. */
nas_status nas_help_complete(int n_words, const char **words, nas_err *err);
#endif
