/* nascent help: a command, the exit codes, the man page, the completion script. */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/help.h"

static const char completion_script[] =
    "# bash completion of nascent; the words come from the program itself.\n"
    "_nascent() {\n"
    "  local words=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
    "  COMPREPLY=($(compgen -W \"$(nascent __complete \"${words[@]}\" 2>/dev/null)\" -- "
    "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
    "}\n"
    "complete -o default -F _nascent nascent\n";

static nas_status print_exit_codes(const nas_cli *cli, nas_err *err) {
  static const char *const columns[] = {"code", "exit", "meaning"};
  nas_table *t = nas_table_new("nascent.exit-codes", columns, "lrl", 3);
  static const nas_status codes[] = {
#define NAS_STATUS(name, code, exit_status, summary) NAS_E_##name,
#include "base/status.def"
#undef NAS_STATUS
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    nas_table_cell(t, "%s", nas_status_name(codes[i]));
    nas_table_cell(t, "%d", nas_status_exit(codes[i]));
    nas_table_cell(t, "%s", nas_status_summary(codes[i]));
  }
  return nas_table_print(t, cli, err);
}

/* roff treats a leading dot or quote and every backslash as its own. */
static void add_roff(nas_str *out, const char *text) {
  bool line_start = true;
  for (const char *p = text; *p; p++) {
    if (line_start && (*p == '.' || *p == '\'')) nas_str_add(out, "\\&");
    if (*p == '\\') nas_str_add(out, "\\\\");
    else if (*p == '-') nas_str_add(out, "\\-");
    else nas_str_add_n(out, p, 1);
    line_start = *p == '\n';
  }
}

static nas_status command_help(const char *name, nas_str *out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (const nas_command *c = nas_commands(); c->name; c++) {
    if (strcmp(c->name, name) == 0) {
      nas_cli cli = {.command = c->name, .help_sink = out};
      const char *argv[] = {c->name, "--help", NULL};
      nas_status status = c->run(&cli, 2, argv, err);
      nas_cli_free(&cli);
      return status;
    }
    nas_guess_add(&guess, c->name);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, NULL, "no command '%s'%s", name, nas_guess_text(&guess));
}

static nas_status print_man_page(nas_err *err) {
  nas_str page = {0}, help = {0};
  nas_str_fmt(&page, ".TH NASCENT 1 \"\" \"nascent %s\" \"User Commands\"\n.SH NAME\n", NAS_VERSION);
  nas_str_add(&page, "nascent \\- neural architecture search and benchmark harness\n.SH SYNOPSIS\n");
  nas_str_add(&page, ".B nascent\n\\fICOMMAND\\fR ...\n.SH COMMANDS\n");
  nas_status status = NAS_OK;
  for (const nas_command *c = nas_commands(); c->name && status == NAS_OK; c++) {
    nas_str_clear(&help);
    status = command_help(c->name, &help, err);
    nas_str_fmt(&page, ".SS nascent %s\n", c->name);
    add_roff(&page, c->summary);
    nas_str_add(&page, "\n.PP\n.nf\n");
    add_roff(&page, nas_str_text(&help));
    nas_str_add(&page, ".fi\n");
  }
  nas_str_add(&page,
              ".SH EXIT STATUS\n0 success, 1 failure, 2 usage or bad input, 3 finished with failed trials,\n"
              "4 unreadable or incompatible database, 75 preempted (run again to go on), 130 interrupted.\n");
  if (status == NAS_OK) status = nas_str_check(&page, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&page), err);
  nas_str_free(&page);
  nas_str_free(&help);
  return status;
}

nas_status nas_cmd_help(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  bool man = false, completion = false, done;
  const nas_flag flags[] = {{"man", 0, NAS_FLAG_SWITCH, &man, NULL, "print the man page (roff)"},
                            {"completion", 0, NAS_FLAG_SWITCH, &completion, NULL, "print the bash completion script"},
                            {0}};
  const nas_usage usage = {"[COMMAND [VERB] | campaign | exit-codes]", 0, 2, flags, NULL};
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (man) return print_man_page(err);
  if (completion) return nas_cli_print(completion_script, err);
  if (cli->n_args == 0) return nas_help_program(err);
  if (strcmp(cli->args[0], "campaign") == 0) return nas_help_campaign(err);
  if (strcmp(cli->args[0], "exit-codes") == 0) return print_exit_codes(cli, err);
  for (const nas_command *c = nas_commands(); c->name && cli->n_args == 2; c++)
    if (strcmp(c->name, cli->args[0]) == 0) {
      nas_cli inner = {.command = c->name};
      const char *words[] = {c->name, cli->args[1], "--help", NULL};
      nas_status status = c->run(&inner, 3, words, err);
      nas_cli_free(&inner);
      return status;
    }
  nas_str help = {0};
  nas_status status = command_help(cli->args[0], &help, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&help), err);
  nas_str_free(&help);
  return status;
}
