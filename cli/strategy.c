/* nascent strategy: list the search strategies, describe one, check them. */
#include <string.h>

#include "search/conformance.h"
#include "search/plugin.h"

#include "cli/commands.h"

#define PLUGIN_FLAG(target) \
  { "plugin", 0, NAS_FLAG_TEXT, target, "FILE.so", "a shared object with more strategies" }

static nas_status list_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const columns[] = {"strategy", "version", "summary"};
  const char *plugin = NULL;
  const nas_flag flags[] = {PLUGIN_FLAG(&plugin), {0}};
  const nas_usage usage = {"", 0, 0, flags, NULL};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (plugin) NAS_TRY(nas_strategy_plugin_load(plugin, err));
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
  const char *plugin = NULL;
  const nas_flag flags[] = {PLUGIN_FLAG(&plugin), {0}};
  const nas_usage usage = {"STRATEGY", 1, 1, flags, NULL};
  const nas_strategy_type *type;
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (plugin) NAS_TRY(nas_strategy_plugin_load(plugin, err));
  NAS_TRY(nas_cli_unused_override(cli, err));
  NAS_TRY(nas_strategy_find(cli->args[0], &type, err));
  nas_str out = {0};
  (cli->json ? info_json : info_text)(type, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

/* Adds one row a check; counts those that failed. */
static nas_status check_one(const nas_strategy_type *type, const nas_settings *settings, const nas_space *space,
                            nas_table *t, int *failed, nas_err *err) {
  nas_conformance checks[NAS_CONFORMANCE_CHECKS];
  NAS_TRY(nas_conformance_check(type, settings, space, NAS_CONFORMANCE_ASKS, checks, err));
  for (int i = 0; i < NAS_CONFORMANCE_CHECKS; i++) {
    nas_table_cell(t, "%s", type->name);
    nas_table_cell(t, "%s", checks[i].name);
    nas_table_cell(t, "%s", *checks[i].fault ? checks[i].fault : checks[i].excuse ? checks[i].excuse : "ok");
    *failed += *checks[i].fault != '\0';
  }
  return NAS_OK;
}

static nas_status check_all(nas_cli *cli, const char *space_name, nas_err *err) {
  static const char *const columns[] = {"strategy", "check", "result"};
  const nas_strategy_type *only = NULL;
  nas_space *space;
  int failed = 0;
  nas_settings settings = {0};
  if (cli->n_args) NAS_TRY(nas_strategy_find(cli->args[0], &only, err));
  nas_status status = only ? nas_cli_section(cli, only->name, only->options, &settings, err) : NAS_OK;
  if (status == NAS_OK) status = nas_cli_unused_override(cli, err);
  if (status == NAS_OK) status = nas_space_open(space_name, NULL, &space, err);
  if (status != NAS_OK) {
    nas_settings_free(&settings);
    return status;
  }
  nas_table *t = nas_table_new("nascent.strategy-check", columns, "lll", 3);
  for (const nas_strategy_type *const *type = nas_strategy_types(); *type && status == NAS_OK; type++)
    if (!only || *type == only) status = check_one(*type, &settings, space, t, &failed, err);
  nas_space_close(space);
  nas_settings_free(&settings);
  if (status == NAS_OK) status = nas_table_print(t, cli, err);
  else nas_table_free(t);
  if (status == NAS_OK && failed)
    status = nas_fail(err, NAS_E_MISMATCH, NULL, "%d check%s failed", failed, failed == 1 ? "" : "s");
  return status;
}

static nas_status check_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *plugin = NULL, *space = "nas-bench-201";
  const nas_flag flags[] = {
      PLUGIN_FLAG(&plugin), {"space", 's', NAS_FLAG_TEXT, &space, "SPACE", "where (default nas-bench-201)"}, {0}};
  const nas_usage usage = {"[STRATEGY]", 0, 1, flags,
                           "Runs the conformance checks on one strategy or on all, plugged-in ones included. Of one,\n"
                           "-o KEY=VALUE sets an option."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (plugin) NAS_TRY(nas_strategy_plugin_load(plugin, err));
  return check_all(cli, space, err);
}

static const nas_command verbs[] = {{"list", "list the search strategies", list_verb},
                                    {"info", "describe a strategy and its options", info_verb},
                                    {"check", "check that strategies keep the rules", check_verb},
                                    {NULL, NULL, NULL}};

nas_status nas_cmd_strategy(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  return nas_cli_dispatch(cli, "strategy", verbs, argc, argv, err);
}
