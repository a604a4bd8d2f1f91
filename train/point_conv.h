#ifndef NAS_TRAIN_POINT_CONV_H
#define NAS_TRAIN_POINT_CONV_H
/* [ReLU] -> 1x1 convolution without bias or norm, f32, such as the shortcut of a block that halves the image: through
 * the kernels of windows (kernels/direct.h). All pixels of the batch are one row, walked a piece at a time. As
 * conv_edge.h, which runs what does not fit here. */
#include "train/op.h"

/* True when the convolution of this call can run so; looks at the site, relu_in, norm_out and wants_dx. */
bool nas_point_conv_fits(const nas_call *c);

extern const nas_kernel nas_point_conv;
#endif
