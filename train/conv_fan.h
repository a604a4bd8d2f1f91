#ifndef NAS_TRAIN_CONV_FAN_H
#define NAS_TRAIN_CONV_FAN_H
/* All branches (branch.h) that read one value, as one step of training: the ReLU is taken once per few images,
 * convolutions of equal geometry run as one with all their output channels, and the gradient by the value is stored
 * once. nas_call: x[0] is the value before the ReLU, relu_in, branch[] (those of equal geometry side by side). */
#include "train/branch.h"

extern const nas_kernel nas_conv_fan;
#endif
