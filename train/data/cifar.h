#ifndef NAS_TRAIN_DATA_CIFAR_H
#define NAS_TRAIN_DATA_CIFAR_H
/* The binary form of CIFAR-10: records of one label byte and 3,072 pixel bytes, 32 x 32 in planes red, green, blue. */
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { NAS_CIFAR_PIXELS = 3072, NAS_CIFAR_RECORD = 3073, NAS_CIFAR_CLASSES = 10 };

/* The number of records in a file of n bytes. */
nas_status nas_cifar_count(size_t n, const char *where, int64_t *count, nas_err *err);

/* Writes images as [count,32,32,3] and labels. */
nas_status nas_cifar_parse(const uint8_t *bytes, int64_t count, const char *where, uint8_t *pixels, uint8_t *labels,
                           nas_err *err);
#endif
