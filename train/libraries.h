#ifndef NAS_TRAIN_LIBRARIES_H
#define NAS_TRAIN_LIBRARIES_H
/* The libraries that the bits of a training depend on. */
#include "base/str.h"

/* Adds "oneDNN 2.6.0, instruction set 0x7ff" or the like. */
void nas_train_libraries(nas_str *out);
#endif
