#include "base/doing.h"

#include <stddef.h>

volatile nas_doing nas_doing_now = {NULL, NULL};
