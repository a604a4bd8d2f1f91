#ifndef NAS_TRAIN_CONV_EDGE_H
#define NAS_TRAIN_CONV_EDGE_H
/* The fused step [ReLU] -> convolution -> [batch norm], f32, through oneDNN a few images at a time, so that what lies
 * between stays in cache. nas_call: relu_in and norm_out say which ends are there; x[0] is the value before the ReLU.
 */
#include "train/op.h"

/* Slots of nas_call.param and .grad. */
enum { NAS_EDGE_WEIGHT, NAS_EDGE_BIAS, NAS_EDGE_GAMMA, NAS_EDGE_BETA, NAS_EDGE_MEAN, NAS_EDGE_VAR };

extern const nas_kernel nas_conv_edge;
#endif
