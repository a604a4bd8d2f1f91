#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"

enum { COMMON_FLAGS = 8, FLAGS_MAX = 48 };

static nas_status add_override(nas_cli *cli, const char *text, nas_err *err) {
  const char *equals = text ? strchr(text, '=') : NULL;
  if (!equals || equals == text)
    return nas_fail(err, NAS_E_USAGE, "-o", "'%s' is not of the form key=value", text ? text : "");
  char key[64], where[188];
  if (!nas_text_put(key, sizeof key, "%.*s", (int)(equals - text), text))
    return nas_fail(err, NAS_E_USAGE, "-o", "the key of '%.60s...' is too long", text);
  nas_text_put(where, sizeof where, "-o %s", text);
  return nas_settings_put(&cli->overrides, key, equals + 1, where, err);
}

static nas_status store_flag(const nas_flag *flag, const char *value, nas_err *err) {
  switch (flag->kind) {
    case NAS_FLAG_TEXT: *(const char **)flag->target = value; return NAS_OK;
    case NAS_FLAG_SWITCH: *(bool *)flag->target = true; return NAS_OK;
    case NAS_FLAG_INT:
      if (nas_text_int(value, flag->target)) return NAS_OK;
      return nas_fail(err, NAS_E_USAGE, NULL, "--%s is '%s'; it must be a whole number", flag->name, value);
    case NAS_FLAG_REAL:
      if (nas_text_real(value, flag->target)) return NAS_OK;
      return nas_fail(err, NAS_E_USAGE, NULL, "--%s is '%s'; it must be a number", flag->name, value);
    case NAS_FLAG_TEXTS: {
      nas_settings *list = flag->target;
      char key[24];
      nas_text_put(key, sizeof key, "%zu", list->n);
      return nas_settings_put(list, key, value, flag->name, err);
    }
  }
  return nas_fail(err, NAS_E_INTERNAL, NULL, "--%s has no kind", flag->name);
}

/* Unknown options come with the nearest known one. */
static nas_status popt_failure(nas_cli *cli, const nas_flag *flags, int code, nas_err *err) {
  const char *bad = poptBadOption(cli->popt, 0);
  if (code != POPT_ERROR_BADOPT)
    return nas_fail(err, NAS_E_USAGE, NULL, "%s: %s (see `nascent %s --help`)", bad, poptStrerror(code), cli->command);
  nas_guess guess = nas_guess_for(bad);
  for (const nas_flag *f = flags; f->name; f++) {
    char text[64];
    nas_text_put(text, sizeof text, "--%s", f->name);
    nas_guess_add(&guess, text);
  }
  return nas_fail(err, NAS_E_USAGE, NULL, "`nascent %s` has no option '%s'%s (see `nascent %s --help`)", cli->command,
                  bad, nas_guess_text(&guess), cli->command);
}

static nas_status check_count(nas_cli *cli, const nas_usage *usage, nas_err *err) {
  cli->args = poptGetArgs(cli->popt);
  cli->n_args = 0;
  while (cli->args && cli->args[cli->n_args]) cli->n_args++;
  if (cli->n_args < usage->min_args)
    return nas_fail(err, NAS_E_USAGE, NULL, "too few arguments; usage: nascent %s %s", cli->command, usage->arguments);
  if (usage->max_args >= 0 && cli->n_args > usage->max_args)
    return nas_fail(err, NAS_E_USAGE, NULL, "unexpected argument '%s'; usage: nascent %s %s",
                    cli->args[usage->max_args], cli->command, usage->arguments);
  return NAS_OK;
}

void nas_cli_free(nas_cli *cli) {
  for (size_t i = 0; i < cli->n_values; i++) free(cli->values[i]);
  free(cli->values);
  nas_settings_free(&cli->overrides);
  free(cli->used);
  if (cli->popt) poptFreeContext(cli->popt);
}

/* popt hands out fresh copies; they are kept until the command ends. */
static nas_status take_value(nas_cli *cli, const char **out, nas_err *err) {
  *out = NULL;
  char *value = poptGetOptArg(cli->popt);
  if (!value) return NAS_OK; /* a switch */
  char **grown = realloc(cli->values, (cli->n_values + 1) * sizeof *grown);
  if (!grown) {
    free(value);
    return nas_fail_memory(err, "the command line");
  }
  cli->values = grown;
  cli->values[cli->n_values++] = value;
  *out = value;
  return NAS_OK;
}

static nas_status read_flags(nas_cli *cli, const nas_flag *flags, const bool *help, nas_err *err) {
  for (int code; (code = poptGetNextOpt(cli->popt)) != -1;) {
    if (code < -1) return popt_failure(cli, flags, code, err);
    const nas_flag *flag = &flags[code - 1];
    const char *value;
    NAS_TRY(take_value(cli, &value, err));
    if (strcmp(flag->name, "set") == 0) NAS_TRY(add_override(cli, value, err));
    else if (strcmp(flag->name, "verbose") == 0) cli->verbose++;
    else NAS_TRY(store_flag(flag, value, err));
    if (*help) break;
  }
  return NAS_OK;
}

nas_status nas_cli_parse(nas_cli *cli, int argc, const char **argv, const nas_usage *usage, bool *done, nas_err *err) {
  bool help = false, verbose = false;
  nas_settings sets = {0};
  const nas_flag common[COMMON_FLAGS] = {
      {"json", 0, NAS_FLAG_SWITCH, &cli->json, NULL, "print one JSON object"},
      {"json-lines", 0, NAS_FLAG_SWITCH, &cli->json_lines, NULL, "print lists as one JSON object per line"},
      {"csv", 0, NAS_FLAG_SWITCH, &cli->csv, NULL, "print lists as CSV"},
      {"quiet", 'q', NAS_FLAG_SWITCH, &cli->quiet, NULL, "no progress line and no notes"},
      {"verbose", 'v', NAS_FLAG_SWITCH, &verbose, NULL, "more notes; repeat for still more"},
      {"data-dir", 0, NAS_FLAG_TEXT, &cli->data_dir, "DIRS",
       "where data sets lie (colon-separated; also NASCENT_DATA)"},
      {"set", 'o', NAS_FLAG_TEXTS, &sets, "KEY=VALUE", "set an option, such as epochs=2 or space.channels=8"},
      {"help", 'h', NAS_FLAG_SWITCH, &help, NULL, "show this help"},
  };
  nas_flag flags[FLAGS_MAX + 1] = {0};
  struct poptOption table[FLAGS_MAX + 1] = {0};
  int n = 0;
  for (const nas_flag *f = usage->flags; f && f->name && n < FLAGS_MAX - COMMON_FLAGS; f++) flags[n++] = *f;
  int own = n;
  for (int i = 0; i < COMMON_FLAGS; i++) {
    flags[n] = common[i];
    for (int k = 0; k < own; k++) /* a command's own letter wins, as in `report -o FILE` */
      if (flags[k].letter == flags[n].letter) flags[n].letter = 0;
    n++;
  }
  for (int i = 0; i < n; i++)
    table[i] = (struct poptOption){flags[i].name,
                                   flags[i].letter,
                                   flags[i].kind == NAS_FLAG_SWITCH ? POPT_ARG_NONE : POPT_ARG_STRING,
                                   NULL,
                                   i + 1,
                                   flags[i].help,
                                   flags[i].argument};
  *done = false;
  if (cli->complete) {
    *done = true;
    return nas_help_complete_flags(flags, err);
  }
  cli->popt = poptGetContext(NULL, argc, argv, table, 0);
  if (!cli->popt) return nas_fail_memory(err, "the command line");
  nas_status status = read_flags(cli, flags, &help, err);
  if (status == NAS_OK && help) {
    *done = true;
    return nas_help_command(cli, usage, flags, err);
  }
  cli->json = cli->json || cli->json_lines;
  if (status == NAS_OK) status = check_count(cli, usage, err);
  if (status == NAS_OK && cli->overrides.n) {
    cli->used = calloc(cli->overrides.n, sizeof *cli->used);
    if (!cli->used) status = nas_fail_memory(err, "overrides");
  }
  return status;
}

nas_status nas_cli_dispatch(nas_cli *cli, const char *noun, const nas_command *verbs, int argc, const char **argv,
                            nas_err *err) {
  if (cli->complete && argc < 2) return nas_help_complete_commands(verbs, err);
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    if (argc >= 2 || cli->help_sink) return nas_help_noun(cli, noun, verbs, err);
    return nas_fail(err, NAS_E_USAGE, NULL, "`nascent %s` needs a verb; see `nascent help %s`", noun, noun);
  }
  nas_guess guess = nas_guess_for(argv[1]);
  for (const nas_command *v = verbs; v->name; v++) {
    if (strcmp(v->name, argv[1]) == 0) {
      static char command[64];
      nas_text_put(command, sizeof command, "%s %s", noun, v->name);
      cli->command = command;
      return v->run(cli, argc - 1, argv + 1, err);
    }
    nas_guess_add(&guess, v->name);
  }
  return nas_fail(err, NAS_E_USAGE, NULL, "`nascent %s` has no verb '%s'%s (see `nascent help %s`)", noun, argv[1],
                  nas_guess_text(&guess), noun);
}

nas_status nas_cli_section(nas_cli *cli, const char *section, const nas_option *table, nas_settings *out,
                           nas_err *err) {
  size_t length = strlen(section);
  if (cli->n_sections < NAS_CLI_SECTIONS_MAX) cli->sections[cli->n_sections++] = table;
  for (size_t i = 0; i < cli->overrides.n; i++) {
    const nas_setting *s = &cli->overrides.rows[i];
    const char *key = s->key;
    bool named = strncmp(key, section, length) == 0 && key[length] == '.';
    if (named) key += length + 1;
    else if (cli->used[i] || !nas_options_find(table, key)) continue;
    NAS_TRY(nas_settings_put(out, key, s->value, s->where, err));
    cli->used[i] = true;
  }
  return NAS_OK;
}

nas_status nas_cli_unused_override(const nas_cli *cli, nas_err *err) {
  for (size_t i = 0; i < cli->overrides.n; i++) {
    if (cli->used[i]) continue;
    const nas_setting *s = &cli->overrides.rows[i];
    nas_guess guess = nas_guess_for(s->key);
    for (int k = 0; k < cli->n_sections; k++)
      for (const nas_option *o = cli->sections[k]; o && o->name; o++) nas_guess_add(&guess, o->name);
    return nas_fail(err, NAS_E_UNKNOWN_NAME, s->where, "there is no option '%s' here%s", s->key,
                    nas_guess_text(&guess));
  }
  return NAS_OK;
}

nas_status nas_cli_print(const char *text, nas_err *err) {
  if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
    return nas_fail(err, NAS_E_IO, "standard output", "cannot write; is the disk full or the pipe closed");
  return NAS_OK;
}
