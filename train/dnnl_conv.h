#ifndef NAS_TRAIN_DNNL_CONV_H
#define NAS_TRAIN_DNNL_CONV_H
/* A convolution of a fixed number of images through oneDNN, channels-last, weights packed into the order that oneDNN
 * likes best. All memory is the caller's. */
#include "train/op.h"

typedef struct nas_conv nas_conv;

typedef struct nas_conv_options {
  int32_t images;
  bool train; /* adds the backward passes, */
  bool data;  /* the one by the input included */
  bool bf16;  /* x, dy and packed weights are 16-bit; y, dx, plain weights and gradients stay f32 (nas_conv_has_bf16) */
} nas_conv_options;

nas_status nas_conv_new(const nas_site *site, const nas_conv_options *options, nas_conv **out, nas_err *err);
/* True where the CPU multiplies bf16 numbers itself and NASCENT_CPU allows what that takes. */
bool nas_conv_has_bf16(void);
void nas_conv_free(nas_conv *c);

/* Bytes of the packed weights for the forward pass and for the gradient by the input, of the packed gradient of the
 * weights, and of the scratch that every call below may use. */
typedef struct nas_conv_sizes {
  int64_t forward, data, gradient, scratch;
} nas_conv_sizes;
nas_conv_sizes nas_conv_size(const nas_conv *c);

void nas_conv_pack_forward(nas_conv *c, const float *weight, void *packed);
void nas_conv_pack_data(nas_conv *c, const float *weight, void *packed);
void nas_conv_unpack_gradient(nas_conv *c, void *packed, float *gradient);

/* y = x * w (+ bias); bias NULL for none (as the site says). */
void nas_conv_forward(nas_conv *c, const void *x, void *packed, const float *bias, float *y, void *scratch);
void nas_conv_backward_data(nas_conv *c, const void *dy, void *packed, float *dx, void *scratch);
/* Overwrites the packed gradient. */
void nas_conv_backward_weights(nas_conv *c, const void *x, const void *dy, void *gradient, void *scratch);
#endif
