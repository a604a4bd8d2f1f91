#ifndef NAS_TRAIN_LIBRARIES_H
#define NAS_TRAIN_LIBRARIES_H
/* The libraries that the bits of a training depend on. */
#include "base/str.h"

/* Loads oneDNN, as a plan does by itself. Error: UNSUPPORTED where it is missing, with what to install. */
nas_status nas_train_libraries_load(nas_err *err);
/* Adds "oneDNN 2.6.0, instruction set 0x7ff" or the like. */
void nas_train_libraries(nas_str *out);
#endif
