/* nascent neuron: list the neuron types, describe one. */
#include "train/neuron.h"

#include "cli/commands.h"

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

static void info_json(const nas_neuron_type *type, nas_str *out) {
  nas_str_add(out, "{\"schema\": \"nascent.neuron-info\", \"neuron\": ");
  nas_str_json(out, type->name);
  nas_str_fmt(out, ", \"version\": %d, \"summary\": ", type->version);
  nas_str_json(out, type->summary);
  nas_str_add(out, ", \"formula\": ");
  nas_str_json(out, type->formula);
  nas_str_add(out, ", \"citation\": ");
  nas_str_json(out, type->citation);
  nas_str_add(out, ", \"options\": ");
  nas_options_help_json(type->options ? type->options : no_options, out);
  nas_str_add(out, "}\n");
}

static void info_text(const nas_neuron_type *type, nas_str *out) {
  nas_str_fmt(out, "%s (version %d): %s\n%s\n\n  %s\n", type->name, type->version, type->summary, type->citation,
              type->formula);
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

static const nas_command verbs[] = {{"list", "list the neuron types", list_verb},
                                    {"info", "describe a neuron type and its options", info_verb},
                                    {NULL, NULL, NULL}};

nas_status nas_cmd_neuron(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  return nas_cli_dispatch(cli, "neuron", verbs, argc, argv, err);
}
