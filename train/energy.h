#ifndef NAS_TRAIN_ENERGY_H
#define NAS_TRAIN_ENERGY_H
/* The energy of a network's oscillators, which their dynamics is to lower step by step. */
#include "train/data/dataset.h"
#include "train/graph.h"

/* True where a network has oscillators (neuron type `kuramoto`). */
bool nas_has_oscillators(const nas_net *net);

/* -sum_i x_i (c + J x)_i of an image's oscillators x under their stimulus c and coupling J (AKOrN, arXiv:2410.13821),
 * in the first and in the last step, added over the layers of oscillators and averaged over the first validation images
 * (training images where there are none), at most 16, which the plain kernels see with the statistics of their batch.
 * It moves the model's running statistics: ask when nothing else is wanted of the model. */
nas_status nas_oscillator_energy(nas_model *m, const nas_dataset *data, double *first, double *last, nas_err *err);
#endif
