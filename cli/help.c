#include "cli/help.h"

#include <stdio.h>
#include <string.h>

/* Sends finished help to its sink and frees it. */
static nas_status deliver(const nas_cli *cli, nas_str *text, nas_err *err) {
  nas_status status = nas_str_check(text, err);
  if (status == NAS_OK && cli && cli->help_sink) nas_str_add(cli->help_sink, nas_str_text(text));
  else if (status == NAS_OK) status = nas_cli_print(nas_str_text(text), err);
  nas_str_free(text);
  return status;
}

static void add_flag(nas_str *out, const nas_flag *f) {
  char left[64];
  if (f->letter) nas_text_put(left, sizeof left, "-%c, --%s %s", f->letter, f->name, f->argument ? f->argument : "");
  else nas_text_put(left, sizeof left, "    --%s %s", f->name, f->argument ? f->argument : "");
  nas_str_fmt(out, "  %-28s %s\n", left, f->help);
}

nas_status nas_help_command(const nas_cli *cli, const nas_usage *usage, const nas_flag *flags, nas_err *err) {
  nas_str out = {0};
  nas_str_fmt(&out, "usage: nascent %s%s%s [OPTION...]\n", cli->command, *usage->arguments ? " " : "",
              usage->arguments);
  if (usage->details) nas_str_fmt(&out, "\n%s\n", usage->details);
  nas_str_add(&out, "\noptions:\n");
  for (const nas_flag *f = flags; f->name; f++) add_flag(&out, f);
  return deliver(cli, &out, err);
}

static void add_commands(nas_str *out, const nas_command *commands) {
  for (const nas_command *c = commands; c->name; c++) nas_str_fmt(out, "  %-10s  %s\n", c->name, c->summary);
}

nas_status nas_help_noun(const nas_cli *cli, const char *noun, const nas_command *verbs, nas_err *err) {
  nas_str out = {0};
  nas_str_fmt(&out, "usage: nascent %s VERB ...\n\nverbs:\n", noun);
  add_commands(&out, verbs);
  nas_str_fmt(&out, "\n`nascent %s VERB --help` shows the options of a verb.\n", noun);
  return deliver(cli, &out, err);
}

nas_status nas_help_program(nas_err *err) {
  nas_str out = {0};
  nas_str_add(&out,
              "nascent: neural architecture search and benchmark harness\n\n"
              "usage: nascent COMMAND ...\n\ncommands:\n");
  add_commands(&out, nas_commands());
  nas_str_add(&out,
              "\n`nascent help COMMAND` explains one; `nascent --version` prints the version.\n"
              "First steps: nascent doctor; nascent search examples/demo.yaml; nascent db best demo.db\n");
  return deliver(NULL, &out, err);
}

nas_status nas_help_complete_flags(const nas_flag *flags, nas_err *err) {
  nas_str out = {0};
  for (const nas_flag *f = flags; f->name; f++) nas_str_fmt(&out, "--%s\n", f->name);
  return deliver(NULL, &out, err);
}

nas_status nas_help_complete_commands(const nas_command *commands, nas_err *err) {
  nas_str out = {0};
  for (const nas_command *c = commands; c->name; c++) nas_str_fmt(&out, "%s\n", c->name);
  return deliver(NULL, &out, err);
}

nas_status nas_help_complete(int n_words, const char **words, nas_err *err) {
  if (n_words == 0) return nas_help_complete_commands(nas_commands(), err);
  for (const nas_command *c = nas_commands(); c->name; c++)
    if (strcmp(c->name, words[0]) == 0) {
      nas_cli cli = {.command = c->name, .complete = true};
      nas_err ignored; /* a half-typed line may be anything: no words then */
      c->run(&cli, n_words, words, &ignored);
    }
  return NAS_OK;
}
