#ifndef NAS_TRAIN_CONV_EDGE_H
#define NAS_TRAIN_CONV_EDGE_H
/* The fused step [ReLU] -> convolution -> [batch norm], f32, through oneDNN a few images at a time, so that what lies
 * between stays in cache. nas_call: relu_in and norm_out say which ends are there; x[0] is the value before the ReLU.
 * In training a convolution with a norm is a branch of a fan (conv_fan.h), so norm_out is for evaluation only. */
#include "train/branch.h"

extern const nas_kernel nas_conv_edge;
#endif
