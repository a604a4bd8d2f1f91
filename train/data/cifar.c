#include "train/data/cifar.h"

nas_status nas_cifar_count(size_t n, const char *where, int64_t *count, nas_err *err) {
  *count = (int64_t)(n / NAS_CIFAR_RECORD);
  if (n == 0 || n % NAS_CIFAR_RECORD)
    return nas_fail(err, NAS_E_BAD_INPUT, where,
                    "%zu bytes are not a whole number of %d-byte records (the last one begins at byte %zu); "
                    "fetch the file again",
                    n, NAS_CIFAR_RECORD, n / NAS_CIFAR_RECORD * NAS_CIFAR_RECORD);
  return NAS_OK;
}

nas_status nas_cifar_parse(const uint8_t *bytes, int64_t count, const char *where, uint8_t *pixels, uint8_t *labels,
                           nas_err *err) {
  for (int64_t i = 0; i < count; i++, bytes += NAS_CIFAR_RECORD, pixels += NAS_CIFAR_PIXELS) {
    labels[i] = bytes[0];
    if (bytes[0] >= NAS_CIFAR_CLASSES)
      return nas_fail(err, NAS_E_BAD_INPUT, where, "label %d of image %lld (byte %lld) is outside 0..%d", bytes[0],
                      (long long)i, (long long)i * NAS_CIFAR_RECORD, NAS_CIFAR_CLASSES - 1);
    const uint8_t *red = bytes + 1, *green = red + 1024, *blue = green + 1024;
    for (int p = 0; p < 1024; p++) {
      pixels[3 * p] = red[p];
      pixels[3 * p + 1] = green[p];
      pixels[3 * p + 2] = blue[p];
    }
  }
  return NAS_OK;
}
