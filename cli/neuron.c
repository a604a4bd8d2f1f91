/* nascent neuron: list the neuron types, describe one, compare formulas with golden files. */
#include "train/neuron.h"

#include <stddef.h>
#include <string.h>

#include "cli/commands.h"
#include "train/expression.h"
#include "train/golden.h"

static nas_status list_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const columns[] = {"neuron", "version", "formula", "summary"};
  const nas_usage usage = {"", 0, 0, NULL, NULL};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  nas_table *t = nas_table_new("nascent.neuron-list", columns, "lrll", 4);
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) {
    nas_table_cell(t, "%s", (*type)->name);
    nas_table_cell(t, "%d", (*type)->version);
    nas_table_cell(t, "%s", (*type)->formula);
    nas_table_cell(t, "%s", (*type)->summary);
  }
  return nas_table_print(t, cli, err);
}

static const nas_option no_options[] = {NAS_OPT_END};

/* The texts of a type beside its formula. */
static const struct fact {
  const char *key, *title;
  size_t offset;
} facts[] = {{"params", "Parameters", offsetof(nas_neuron_type, count)},
             {"macs", "MACs", offsetof(nas_neuron_type, work)},
             {"initialisation", "Initialisation", offsetof(nas_neuron_type, start)},
             {"constraints", "Constraints", offsetof(nas_neuron_type, limits)},
             {"stability", "Stability", offsetof(nas_neuron_type, stability)}};

static const char *fact_of(const nas_neuron_type *type, size_t i) {
  return *(const char *const *)((const char *)type + facts[i].offset);
}

static bool has_form(const nas_neuron_type *type, unsigned form) { return !type->forms || type->forms & form; }

static void info_json(const nas_neuron_type *type, nas_str *out) {
  nas_str_add(out, "{\"schema\": \"nascent.neuron-info\", \"neuron\": ");
  nas_str_json(out, type->name);
  nas_str_fmt(out, ", \"version\": %d, \"summary\": ", type->version);
  nas_str_json(out, type->summary);
  nas_str_add(out, ", \"formula\": ");
  nas_str_json(out, type->formula);
  nas_str_add(out, ", \"citation\": ");
  nas_str_json(out, type->citation);
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
    nas_str_fmt(out, ", \"%s\": ", facts[i].key);
    nas_str_json(out, fact_of(type, i));
  }
  nas_str_fmt(out, ", \"dense\": %s, \"conv\": %s", has_form(type, NAS_NEURON_DENSE) ? "true" : "false",
              has_form(type, NAS_NEURON_CONV) ? "true" : "false");
  nas_str_add(out, ", \"options\": ");
  nas_options_help_json(type->options ? type->options : no_options, out);
  nas_str_add(out, "}\n");
}

static void info_text(const nas_neuron_type *type, nas_str *out) {
  nas_str_fmt(out, "%s@%d: %s\n%s\n\n  %s\n\n", type->name, type->version, type->summary, type->citation,
              type->formula);
  bool dense = has_form(type, NAS_NEURON_DENSE), conv = has_form(type, NAS_NEURON_CONV);
  nas_str_fmt(out, "%-15s %s\n", "Forms",
              dense && conv ? "dense, convolutional (the dense neuron of each patch)"
              : dense       ? "dense"
                            : "convolutional");
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
    if (fact_of(type, i)) nas_str_fmt(out, "%-15s %s\n", facts[i].title, fact_of(type, i));
  if (!type->options) return;
  nas_str_add(out, "\nOptions (name, default, range, meaning):\n");
  nas_options_help(type->options, out);
}

static nas_status find(const char *name, const nas_neuron_type **out, nas_err *err) {
  *out = nas_neuron_find(name);
  if (*out) return NAS_OK;
  nas_guess guess = nas_guess_for(name);
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) nas_guess_add(&guess, (*type)->name);
  return nas_fail(err, NAS_E_UNKNOWN_NAME, NULL, "no neuron type '%s'%s; `nascent neuron list` names them all", name,
                  nas_guess_text(&guess));
}

static nas_status info_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"NEURON", 1, 1, NULL, NULL};
  const nas_neuron_type *type;
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  NAS_TRY(find(cli->args[0], &type, err));
  nas_str out = {0};
  (cli->json ? info_json : info_text)(type, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

/* ---- check ---- */

static void add_rows(nas_table *t, const char *file, const nas_golden_report *report, bool *passed) {
  for (int i = 0; i < report->n; i++) {
    const nas_golden_error *e = &report->rows[i];
    bool fits = e->wide <= NAS_GOLDEN_WIDE && e->single <= NAS_GOLDEN_SINGLE;
    nas_table_cell(t, "%s", file);
    nas_table_cell(t, "%s", e->tensor);
    nas_table_cell(t, "%.2e", e->wide);
    nas_table_cell(t, "%.2e", e->single);
    nas_table_cell(t, "%s", fits ? "pass" : "FAIL");
    *passed &= fits;
  }
}

static nas_status check_file(const nas_cli *cli, const char *path, const char *neuron, nas_table *t, int *checked,
                             bool *passed, nas_err *err) {
  nas_golden *file;
  const nas_golden_row *row;
  nas_golden_report report;
  if (nas_golden_is_index(path)) { /* a pattern of names takes it in */
    if (!cli->quiet) fprintf(stderr, "%s: a list of golden files, no formula; left out\n", path);
    return NAS_OK;
  }
  NAS_TRY(nas_golden_open(path, &file, err));
  nas_status status = nas_golden_find(nas_golden_name(file), &row, err);
  if (status == NAS_OK && neuron && strcmp(neuron, row->neuron) != 0)
    status = nas_fail(err, NAS_E_BAD_INPUT, path, "'%s' is a formula of the neuron %s, not of %s", row->name,
                      row->neuron, neuron);
  if (status == NAS_OK) status = nas_golden_check(file, &report, err);
  if (status == NAS_OK) add_rows(t, path, &report, passed);
  *checked += status == NAS_OK;
  nas_golden_free(file);
  return status;
}

static bool is_file(const char *argument) {
  size_t n = strlen(argument);
  return n > 5 && !strcmp(argument + n - 5, ".json");
}

static nas_status check_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const columns[] = {"file", "tensor", "double", "single", "result"};
  nas_settings files = {0};
  const nas_flag flags[] = {
      {"golden", 0, NAS_FLAG_TEXTS, &files, "FILE", "compare with this golden file; more may follow"}, {0}};
  const nas_usage usage = {"[NEURON] [FILE.json...]", 0, -1, flags,
                           "Prints the largest error of every tensor relative to its largest entry, in double and in "
                           "single precision, and fails above 1e-9 or 2e-4."};
  const char *neuron = NULL;
  const nas_neuron_type *type;
  bool done, passed = true;
  nas_status status = nas_cli_parse(cli, argc, argv, &usage, &done, err);
  if (status == NAS_OK && !done) status = nas_cli_unused_override(cli, err);
  for (int i = 0; status == NAS_OK && !done && i < cli->n_args; i++) {
    if (is_file(cli->args[i])) continue;
    neuron = cli->args[i];
    status = find(neuron, &type, err);
  }
  nas_table *t = status == NAS_OK && !done ? nas_table_new("nascent.neuron-check", columns, "llrrl", 5) : NULL;
  int checked = 0;
  for (size_t i = 0; t && status == NAS_OK && i < files.n; i++)
    status = check_file(cli, files.rows[i].value, neuron, t, &checked, &passed, err);
  for (int i = 0; t && status == NAS_OK && i < cli->n_args; i++)
    if (is_file(cli->args[i])) status = check_file(cli, cli->args[i], neuron, t, &checked, &passed, err);
  nas_settings_free(&files);
  if (t && status == NAS_OK && !checked)
    status = nas_fail(err, NAS_E_USAGE, NULL, "nothing to check; give golden files with --golden FILE.json");
  if (t && status == NAS_OK) status = nas_table_print(t, cli, err);
  else nas_table_free(t);
  if (status == NAS_OK && !passed)
    status = nas_fail(err, NAS_E_MISMATCH, NULL, "an error is above %g (double) or %g (single)", NAS_GOLDEN_WIDE,
                      NAS_GOLDEN_SINGLE);
  return status;
}

/* ---- activations ---- */

static nas_status activations_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const columns[] = {"activation", "expression", "citation"};
  const nas_usage usage = {"", 0, 0, NULL, NULL};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  nas_table *t = nas_table_new("nascent.neuron-activations", columns, "lll", 3);
  for (const nas_activation *a = nas_activations(); a->name; a++) {
    nas_table_cell(t, "%s", a->name);
    nas_table_cell(t, "%s", a->expression);
    nas_table_cell(t, "%s", a->citation);
  }
  return nas_table_print(t, cli, err);
}

static const nas_command verbs[] = {{"list", "list the neuron types", list_verb},
                                    {"info", "describe a neuron type and its options", info_verb},
                                    {"check", "compare formulas with golden files", check_verb},
                                    {"activations", "list the published activations", activations_verb},
                                    {NULL, NULL, NULL}};

nas_status nas_cmd_neuron(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  return nas_cli_dispatch(cli, "neuron", verbs, argc, argv, err);
}
