/* Expressions of activations: any text either gives a function that can be taken anywhere, or an error that points into
 * the text. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "train/expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const char *where, size_t length) {
  const char *colon = strchr(where, ':');
  const unsigned long column = colon ? strtoul(colon + 1, NULL, 10) : 0;
  if (column < 1 || column > length + 1) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (!text) abort();
  memcpy(text, data, size);
  text[size] = '\0';
  nas_expression e;
  nas_err err = {0};
  if (nas_expression_parse(text, &e, &err) != NAS_OK) {
    if (!err.msg[0]) abort();
    check_place(err.where, strlen(text));
  } else {
    static const double at[] = {0, 1, -1, 0.5, -3, 1e-30, 700, -700};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
      double slope, by_scalar[NAS_EXPRESSION_SCALARS_MAX];
      const double y = nas_expression_at(&e, at[i], e.first, &slope, by_scalar);
      const double again = nas_expression_at(&e, at[i], e.first, &slope, NULL);
      if (memcmp(&y, &again, sizeof y) != 0 && !isnan(y)) abort();
    }
  }
  free(text);
  return 0;
}
