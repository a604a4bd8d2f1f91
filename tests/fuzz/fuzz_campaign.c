/* Campaign files: any bytes either give a campaign whose record reads back to the same record, or an error with text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/campaign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  nas_campaign campaign;
  nas_err err = {0};
  nas_str record = {0};
  nas_status status = nas_campaign_parse("fuzz.yaml", (const char *)data, size, NULL, 0, &campaign, &err);
  if (status != NAS_OK) {
    if (!err.msg[0]) abort();
    return 0;
  }
  if (nas_campaign_record(&campaign, &record, &err) != NAS_OK) abort();
  nas_settings lines = {0};
  if (nas_settings_parse(&lines, nas_str_text(&record), "record", &err) != NAS_OK) abort();
  nas_settings_free(&lines);
  nas_str_free(&record);
  nas_campaign_free(&campaign);
  return 0;
}
