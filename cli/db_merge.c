/* nascent db merge: several tables into one. */
#include "bench-db/merge.h"

#include <stdio.h>

#include "cli/db.h"

static nas_status print_counts(const nas_cli *cli, const char *path, const nas_db_merge_counts *c, nas_err *err) {
  nas_str out = {0};
  if (cli->json) {
    nas_str_add(&out, "{\"schema\": \"nascent.db-merge\", \"path\": ");
    nas_str_json(&out, path);
    nas_str_fmt(&out, ", \"campaigns\": %lld, \"trials\": %lld, \"same\": %lld, \"conflicts\": %lld}\n",
                (long long)c->campaigns, (long long)c->trials, (long long)c->same, (long long)c->conflicts);
  } else if (cli->csv) {
    nas_str_fmt(&out, "campaigns,trials,same,conflicts\n%lld,%lld,%lld,%lld\n", (long long)c->campaigns,
                (long long)c->trials, (long long)c->same, (long long)c->conflicts);
  } else if (!cli->quiet) {
    fprintf(stderr, "%s: %lld trials of %lld campaigns; %lld were there already with the same figures\n", path,
            (long long)c->trials, (long long)c->campaigns, (long long)c->same);
    if (c->conflicts)
      fprintf(
          stderr,
          "%lld reproducibility conflicts: the same architecture, recipe and seed with other figures; both are kept "
          "(view `conflict`)\n",
          (long long)c->conflicts);
  }
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

nas_status nas_db_merge_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *to = NULL;
  const nas_flag flags[] = {{"output", 'o', NAS_FLAG_TEXT, &to, "C", "the new table"}, {0}};
  const nas_usage usage = {"A B ... -o C", 1, -1, flags,
                           "Makes a new table of the trials of others, which stay as they are. A trial that several\n"
                           "campaigns recorded with the same figures is kept once; the same architecture, recipe and\n"
                           "seed with other figures are all kept and shown by the view `conflict`. The new file\n"
                           "appears when it is complete."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  if (!to) return nas_fail(err, NAS_E_USAGE, "--output", "name the new table");
  nas_db_merge_counts counts;
  NAS_TRY(nas_db_merge(cli->args, (size_t)cli->n_args, to, &counts, err));
  return print_counts(cli, to, &counts, err);
}
