/* docs/campaigns.md lists the keys of a campaign's file as the program does. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"

static void the_keys_are_those_of_the_program(void **state) {
  (void)state;
  char *help, *bytes, *page, path[512];
  size_t n;
  assert_int_equal(nas_run(&help, NULL, "'%s' help campaign", nas_program()), 0);
  assert_non_null(strstr(help, "on-improve"));
  nas_text_put(path, sizeof path, "%s/docs/campaigns.md", nas_source_folder());
  assert_ok(nas_file_read(path, 1 << 20, &bytes, &n, nas_test_err()));
  page = strndup(bytes, n);
  assert_non_null(page);
  assert_non_null(strstr(page, help)); /* word for word: run `nascent help campaign` and paste it */
  free(page);
  free(bytes);
  free(help);
}

NAS_SUITE(CampaignDocs, NAS_CASE(the_keys_are_those_of_the_program))
