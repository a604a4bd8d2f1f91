#ifndef NAS_CLI_CLI_H
#define NAS_CLI_CLI_H
/* The command line. A command is one file with one function and one line in commands.def. Commands return a status
 * with the error filled; main prints it and turns it into the exit status. Data goes to stdout, talk to stderr. */
#include <popt.h>
#include <stdbool.h>

#include "base/options.h"
#include "base/status.h"
#include "base/str.h"

enum { NAS_CLI_SECTIONS_MAX = 8 };

/* The common flags and what is left of the line. */
typedef struct nas_cli {
  const char *command; /* "space show": for messages */
  bool json, quiet, csv, colour;
  int verbose;
  const char *data_dir;   /* --data-dir or NULL */
  nas_settings overrides; /* -o key=value, in order */
  const char **args;      /* positional arguments, NULL-terminated; owned by popt */
  int n_args;
  poptContext popt;
  bool json_lines;                                  /* --json-lines: one object per row */
  bool *used;                                       /* per override: some section took it */
  const nas_option *sections[NAS_CLI_SECTIONS_MAX]; /* tables that overrides were offered to */
  int n_sections;
  char **values; /* texts that popt gave away; freed with the command */
  size_t n_values;
  nas_str *help_sink; /* when set, help text goes here instead of stdout (man page) */
  bool complete;      /* list the words that may follow instead of running (shell completion) */
} nas_cli;

/* A flag of one command; a table ends with {0}. Wraps popt so that help, man page and completion come from one table.
 */
typedef struct nas_flag {
  const char *name; /* "db" -> --db */
  char letter;      /* 0 = none */
  enum { NAS_FLAG_TEXT = 1, NAS_FLAG_INT, NAS_FLAG_REAL, NAS_FLAG_SWITCH, NAS_FLAG_TEXTS } kind;
  void *target;         /* const char ** | int64_t * | double * | bool * | nas_settings * (rows' values in order) */
  const char *argument; /* "FILE" for help */
  const char *help;
} nas_flag;

/* How a command is called: "SPACE ARCH", at least min_args and at most max_args (-1: any). */
typedef struct nas_usage {
  const char *arguments;
  int min_args, max_args;
  const nas_flag *flags; /* may be NULL */
  const char *details;   /* extra help text, may be NULL */
} nas_usage;

/* Parses argv[1..] by the usage plus the common flags (--json, --csv, --quiet/-q, --verbose/-v, --data-dir, -o,
 * --help). Returns OK to go on; *done true when help was printed and the command should return OK at once. */
nas_status nas_cli_parse(nas_cli *cli, int argc, const char **argv, const nas_usage *usage, bool *done, nas_err *err);

/* Frees what parsing allocated. Flag values (NAS_FLAG_TEXT) are valid until then. */
void nas_cli_free(nas_cli *cli);

/* One command: argv[0] is its name. */
typedef nas_status (*nas_command_fn)(nas_cli *cli, int argc, const char **argv, nas_err *err);
typedef struct nas_command {
  const char *name, *summary;
  nas_command_fn run;
} nas_command;
const nas_command *nas_commands(void); /* ends with a NULL name */

/* Dispatches "NOUN VERB ..." among sub-commands (table ends with a NULL name), with did-you-mean. */
nas_status nas_cli_dispatch(nas_cli *cli, const char *noun, const nas_command *verbs, int argc, const char **argv,
                            nas_err *err);

/* Settings of one section out of -o: every "section.key" (unknown ones too, so that filling the table reports them),
 * and each bare "key" that the table has and no earlier section took: call in the order of precedence. Finish with
 * nas_cli_unused_override, which reports the first override that no section took. */
nas_status nas_cli_section(nas_cli *cli, const char *section, const nas_option *table, nas_settings *out, nas_err *err);
nas_status nas_cli_unused_override(const nas_cli *cli, nas_err *err);

/* ---- printing ---- */
/* Aligned tables for people: columns are right-aligned when `format` says 'r'. With json or csv the same rows are
 * printed as {"schema": S, "rows": [{...}]} or CSV. Cells are texts; numeric columns ('r') are printed bare in JSON
 * (empty or "nan" becomes null). */
typedef struct nas_table nas_table;
nas_table *nas_table_new(const char *schema, const char *const *columns, const char *format, int n_columns);
void nas_table_cell(nas_table *t, const char *fmt, ...) NAS_PRINTF(2, 3);   /* row-major */
nas_status nas_table_print(nas_table *t, const nas_cli *cli, nas_err *err); /* and frees */
/* Prints and forgets the whole rows that are there, for tables of any length; columns keep at least their width. */
nas_status nas_table_flush(nas_table *t, const nas_cli *cli, nas_err *err);
void nas_table_free(nas_table *t);

/* fputs to stdout with an error when it fails (a full disk or a closed pipe). */
nas_status nas_cli_print(const char *text, nas_err *err);
#endif
