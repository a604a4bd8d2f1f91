/* What would a run do? */
#include "jobs/coordinator.h"

/* All that a run opens but the table. */
static nas_status open_parts(nas_coordinator *c, nas_err *err) {
  NAS_TRY(nas_setup_open(&c->setup, c->campaign, err));
  return nas_coordinator_open_strategy(c, true, err);
}

nas_status nas_campaign_check(const nas_campaign *campaign, nas_err *err) {
  nas_coordinator c = {.campaign = campaign};
  nas_status status = open_parts(&c, err);
  nas_coordinator_close(&c);
  return status;
}

nas_status nas_campaign_preview(const nas_campaign *campaign, nas_str *out, nas_err *err) {
  nas_coordinator c = {.campaign = campaign};
  nas_status status = open_parts(&c, err);
  if (status == NAS_OK) status = nas_strategy_preview(c.strategy, out, err);
  nas_coordinator_close(&c);
  return status;
}

nas_status nas_campaign_resolved(const nas_campaign *c, nas_str *out, nas_err *err) {
  nas_str run = {0};
  NAS_TRY(nas_campaign_record(c, out, err));
  nas_str_fmt(out, "data-dir=%s\n", c->data_dir);
  nas_options_format(nas_campaign_run_section_options(), &c->run, &run);
  for (const char *line = nas_str_text(&run); *line;) {
    size_t n = 0;
    while (line[n] && line[n] != '\n') n++;
    nas_str_fmt(out, "run.%.*s\n", (int)n, line);
    line += n + (line[n] == '\n');
  }
  nas_str_free(&run);
  return nas_str_check(out, err);
}
