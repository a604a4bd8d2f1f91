#ifndef NAS_JOBS_MACHINE_H
#define NAS_JOBS_MACHINE_H
/* What the bits of a training depend on besides the program: processor, compiler, libraries. */
#include "base/str.h"

/* Adds one line of text: "CPU; compiler; libraries". */
void nas_machine_describe(nas_str *out);
#endif
