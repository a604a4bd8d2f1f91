#ifndef NAS_TRAIN_DIRECT_FAN_H
#define NAS_TRAIN_DIRECT_FAN_H
/* A fan (conv_fan.h) through our own kernels: the tile of x with its border of zeros is made once and read by all
 * convolutions; z, the gradient by the weights and the gradient by x, ReLU and what else flows there included, are each
 * stored straight from registers. */
#include "train/branch.h"

/* True when a fan of these branches (their sites, n of them) can run so and gains by it. */
bool nas_direct_fan_fits(const nas_call *c);

extern const nas_kernel nas_direct_fan;
#endif
