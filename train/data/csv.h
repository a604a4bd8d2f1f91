#ifndef NAS_TRAIN_DATA_CSV_H
#define NAS_TRAIN_DATA_CSV_H
/* Images as comma-separated lines of whole numbers: the pixels, then the class. A first line that does not begin with a
 * number is a heading and is passed over. */
#include <stdint.h>

#include "base/status.h"

/* What the cells may hold. */
typedef struct nas_csv_form {
  int32_t n_pixels, pixel_max, classes;
} nas_csv_form;

/* Counts the lines with images (blank lines do not count). */
int64_t nas_csv_count(const char *text);

/* Writes the images to pixels [count, n_pixels] and labels [count]. Errors tell FILE:LINE:COLUMN. */
nas_status nas_csv_parse(const char *text, const char *where, const nas_csv_form *form, uint8_t *pixels,
                         uint8_t *labels, nas_err *err);
#endif
