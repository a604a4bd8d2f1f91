/* nascent help campaign: the keys of a campaign's file, out of the option tables. */
#include "cli/help.h"
#include "jobs/campaign.h"
#include "train/recipe.h"

static void add_section(nas_str *out, const char *title, const nas_option *table) {
  nas_str_fmt(out, "%s%s\n", out->len ? "\n" : "", title);
  nas_options_help(table, out);
}

nas_status nas_help_campaign(nas_err *err) {
  nas_str out = {0};
  add_section(&out, "the file's own keys (name, default, range, meaning):", nas_campaign_options());
  add_section(&out, "budget:", nas_campaign_budget_options());
  add_section(&out, "trial:", nas_campaign_trial_options());
  add_section(&out, "run (changes no number):", nas_campaign_run_section_options());
  add_section(&out, "recipe (beside its name; defaults are those of `quick`):", nas_recipe_options());
  nas_str_add(
      &out,
      "\nspace, dataset, evaluator, strategy: a name and the options that `nascent space info NAME` and so on list.\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}
