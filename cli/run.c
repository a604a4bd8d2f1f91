/* nascent run: a campaign under mpirun, brought back until it is over. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "jobs/slurm.h"
#include "jobs/supervise.h"

nas_status nas_cli_campaign(nas_cli *cli, nas_campaign *campaign, nas_err *err) {
  const nas_settings *o = &cli->overrides;
  char(*texts)[544] = calloc(o->n + 1, sizeof *texts);
  const char **list = calloc(o->n + 1, sizeof *list);
  nas_status status = texts && list ? NAS_OK : nas_fail_memory(err, "overrides");
  for (size_t i = 0; status == NAS_OK && i < o->n; i++) {
    nas_text_put(texts[i], sizeof *texts, "%s=%s", o->rows[i].key, o->rows[i].value);
    list[i] = texts[i];
    cli->used[i] = true;
  }
  if (status == NAS_OK) status = nas_campaign_load(cli->args[0], list, o->n, campaign, err);
  free(texts);
  free(list);
  if (status == NAS_OK && cli->data_dir &&
      !nas_text_put(campaign->data_dir, sizeof campaign->data_dir, "%s", cli->data_dir)) {
    nas_campaign_free(campaign);
    return nas_fail(err, NAS_E_USAGE, "--data-dir", "longer than %zu characters", sizeof campaign->data_dir - 1);
  }
  return status;
}

/* The campaign file and the flags that every start is to get. */
static nas_status pass_on(const nas_cli *cli, char (**texts)[544], const char ***out, nas_err *err) {
  size_t n = 0;
  *texts = calloc(cli->overrides.n + 1, sizeof **texts);
  *out = calloc(2 * cli->overrides.n + 4, sizeof **out);
  if (!*texts || !*out) return nas_fail_memory(err, "arguments");
  (*out)[n++] = cli->args[0];
  for (size_t i = 0; i < cli->overrides.n; i++) {
    nas_text_put((*texts)[i], sizeof **texts, "%s=%s", cli->overrides.rows[i].key, cli->overrides.rows[i].value);
    (*out)[n++] = "-o";
    (*out)[n++] = (*texts)[i];
  }
  if (cli->data_dir) {
    (*out)[n++] = "--data-dir";
    (*out)[n++] = cli->data_dir;
  }
  return NAS_OK;
}

static nas_status run(nas_cli *cli, const nas_supervise_options *given, nas_err *err) {
  nas_supervise_options o = *given;
  nas_campaign campaign;
  nas_supervision s;
  char path[160];
  char(*texts)[544] = NULL;
  const char **arguments = NULL;
  NAS_TRY(nas_cli_campaign(cli, &campaign, err));
  nas_text_put(path, sizeof path, "%s.db", campaign.name);
  if (!o.db) o.db = path;
  nas_status status = pass_on(cli, &texts, &arguments, err);
  o.arguments = arguments;
  o.quiet = cli->quiet;
  if (status == NAS_OK) status = nas_supervise(&campaign, &o, &s, err);
  if (status == NAS_OK && s.failed)
    status = nas_fail(err, NAS_E_FAILED_TRIALS, o.db, "finished; %lld of %lld trials failed (see `nascent db query`)",
                      (long long)s.failed, (long long)s.told);
  free(texts);
  free(arguments);
  nas_campaign_free(&campaign);
  return status;
}

/* Prints a batch script that will do the same. */
static nas_status print_script(nas_cli *cli, nas_slurm_options *o, nas_err *err) {
  nas_campaign campaign;
  nas_str out = {0};
  char path[160];
  char(*texts)[544] = NULL;
  const char **arguments = NULL;
  nas_slurm_options mine = *o;
  NAS_TRY(nas_cli_campaign(cli, &campaign, err));
  nas_text_put(path, sizeof path, "%s.db", campaign.name);
  if (!mine.db) mine.db = path;
  mine.program = "nascent";
  mine.file = cli->args[0];
  nas_status status = pass_on(cli, &texts, &arguments, err);
  if (status == NAS_OK) {
    mine.arguments = arguments + 1;
    status = nas_slurm_script(&campaign, &mine, &out, err);
  }
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  free(texts);
  free(arguments);
  nas_campaign_free(&campaign);
  return status;
}

nas_status nas_cmd_run(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  nas_supervise_options o = {.ranks = 2, .restarts = 5, .silence = 60};
  nas_slurm_options slurm = {.tasks = 10};
  bool done;
  const nas_flag flags[] = {
      {"ranks", 'n', NAS_FLAG_INT, &o.ranks, "RANKS", "MPI processes: one coordinates, the others evaluate (2)"},
      {"db", 0, NAS_FLAG_TEXT, &o.db, "FILE", "the table (default: the campaign's name.db)"},
      {"hostfile", 0, NAS_FLAG_TEXT, &o.hostfile, "FILE", "nodes to run on, as mpirun takes them"},
      {"restarts", 0, NAS_FLAG_INT, &o.restarts, "N", "give up after N restarts without a new result (5)"},
      {"slurm", 0, NAS_FLAG_TEXT, &slurm.kind, "KIND", "print a batch script instead: single, requeue, array, merge"},
      {"time", 0, NAS_FLAG_TEXT, &slurm.time, "TIME", "walltime for that script, such as 12:00:00"},
      {"partition", 0, NAS_FLAG_TEXT, &slurm.partition, "NAME", "partition for that script"},
      {"tasks", 0, NAS_FLAG_INT, &slurm.tasks, "N", "jobs of an array (10)"},
      {"silence", 0, NAS_FLAG_REAL, &o.silence, "SECONDS", "kill a run that shows no heartbeat for so long (60)"},
      {0}};
  const nas_usage usage = {
      "CAMPAIGN.yaml", 1, 1, flags,
      "Starts the campaign under mpirun and brings it back until its budget is used up: after a\n"
      "crash or a kill of any process, and after silence. What counts is what the table says. Goes\n"
      "on with an unfinished campaign of the table. SIGTERM and SIGUSR1 stop it within run.grace\n"
      "(exit status 75); the same command goes on. Exit status 3: finished, but some trials failed."};
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (o.ranks < 1 || o.ranks > 1 << 20)
    return nas_fail(err, NAS_E_USAGE, "-n", "the number of ranks must be from 1 to %d", 1 << 20);
  if (o.restarts < 0 || !(o.silence > 0))
    return nas_fail(err, NAS_E_USAGE, NULL, "--restarts and --silence are positive");
  slurm.ranks = o.ranks;
  slurm.db = o.db;
  return slurm.kind ? print_script(cli, &slurm, err) : run(cli, &o, err);
}
