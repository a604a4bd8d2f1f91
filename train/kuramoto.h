#ifndef NAS_TRAIN_KURAMOTO_H
#define NAS_TRAIN_KURAMOTO_H
/* What the reference and the fast kernels of the operation `kuramoto` share. */
#include "train/op.h"

enum { NAS_KURAMOTO_J, NAS_KURAMOTO_BIAS, NAS_KURAMOTO_OMEGA, NAS_KURAMOTO_GAMMA, NAS_KURAMOTO_N_MAX = 64 };

typedef struct nas_kuramoto_options {
  int64_t n, steps, kernel;
  double gamma;
  bool train_gamma;
  char omega[8];
} nas_kuramoto_options;

/* J is [channel][channel][kernel][kernel], out first. c->prepared holds the options. */
nas_status nas_kuramoto_prepare_fast(nas_call *c, nas_err *err); /* the options are there already */
void nas_kuramoto_forward_fast(const nas_call *c);
void nas_kuramoto_backward_fast(const nas_call *c);
#endif
