/* nascent strategy: list the search strategies, describe one. */
#include "search/strategy.h"

#include "cli/commands.h"

static nas_status list_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const columns[] = {"strategy", "version", "summary"};
  const nas_usage usage = {"", 0, 0, NULL, NULL};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  nas_table *t = nas_table_new("nascent.strategy-list", columns, "lrl", 3);
  for (const nas_strategy_type *const *type = nas_strategy_types(); *type; type++) {
    nas_table_cell(t, "%s", (*type)->name);
    nas_table_cell(t, "%d", (*type)->version);
    nas_table_cell(t, "%s", (*type)->summary);
  }
  return nas_table_print(t, cli, err);
}

static void info_json(const nas_strategy_type *type, nas_str *out) {
  nas_str_add(out, "{\"schema\": \"nascent.strategy-info\", \"strategy\": ");
  nas_str_json(out, type->name);
  nas_str_fmt(out, ", \"version\": %d, \"summary\": ", type->version);
  nas_str_json(out, type->summary);
  nas_str_add(out, ", \"citation\": ");
  nas_str_json(out, type->citation);
  nas_str_add(out, ", \"options\": ");
  nas_options_help_json(type->options, out);
  nas_str_add(out, "}\n");
}

static void info_text(const nas_strategy_type *type, nas_str *out) {
  nas_str_fmt(out, "%s (version %d): %s\n%s\n\nOptions (name, default, range, meaning):\n", type->name, type->version,
              type->summary, type->citation);
  nas_options_help(type->options, out);
}

static nas_status info_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"STRATEGY", 1, 1, NULL, NULL};
  const nas_strategy_type *type;
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  NAS_TRY(nas_strategy_find(cli->args[0], &type, err));
  nas_str out = {0};
  (cli->json ? info_json : info_text)(type, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static const nas_command verbs[] = {{"list", "list the search strategies", list_verb},
                                    {"info", "describe a strategy and its options", info_verb},
                                    {NULL, NULL, NULL}};

nas_status nas_cmd_strategy(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  return nas_cli_dispatch(cli, "strategy", verbs, argc, argv, err);
}
