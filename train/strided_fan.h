#ifndef NAS_TRAIN_STRIDED_FAN_H
#define NAS_TRAIN_STRIDED_FAN_H
/* A fan (conv_fan.h) of one 3x3 convolution of stride 2 that halves an image of even size, through the kernels of
 * windows (kernels/direct.h). The gradient by x falls into four convolutions, one for each of the four pixels that
 * share a place in the output's grid: of one, two, two and four taps. */
#include "train/branch.h"

/* True when a fan of these branches (their sites, n of them) can run so. */
bool nas_strided_fan_fits(const nas_call *c);

extern const nas_kernel nas_strided_fan;
#endif
