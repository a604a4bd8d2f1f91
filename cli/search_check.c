/* nascent search --check: is the campaign's file right, and what does it amount to. */
#include <stdio.h>
#include <string.h>

#include "cli/search.h"

static nas_status print_json(const char *lines, nas_err *err) {
  nas_str out = {0};
  const char *separator = "\n  ";
  nas_str_add(&out, "{\"schema\": \"nascent.campaign\", \"settings\": {");
  while (*lines) {
    size_t n = strcspn(lines, "\n"), key = strcspn(lines, "=");
    nas_str name = {0}, value = {0};
    nas_str_add_n(&name, lines, key);
    nas_str_add_n(&value, lines + key + 1, n - key - 1);
    nas_str_add(&out, separator);
    nas_str_json(&out, nas_str_text(&name));
    nas_str_add(&out, ": ");
    nas_str_json(&out, nas_str_text(&value));
    nas_str_free(&name);
    nas_str_free(&value);
    separator = ",\n  ";
    lines += n + (lines[n] == '\n');
  }
  nas_str_add(&out, "\n}}\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

nas_status nas_search_check(const nas_cli *cli, const char *path, const nas_campaign *campaign, nas_err *err) {
  nas_str lines = {0};
  nas_status status = nas_campaign_check(campaign, err);
  if (status == NAS_OK) status = nas_campaign_resolved(campaign, &lines, err);
  if (status == NAS_OK)
    status = cli->json ? print_json(nas_str_text(&lines), err) : nas_cli_print(nas_str_text(&lines), err);
  nas_str_free(&lines);
  if (status == NAS_OK && !cli->quiet) fprintf(stderr, "%s: ready to run\n", path);
  return status;
}
