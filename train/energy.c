#include "train/energy.h"

#include <stdlib.h>
#include <string.h>

enum { IMAGES = 16, STEPS_MAX = 64 };

bool nas_has_oscillators(const nas_net *net) {
  for (int32_t i = 0; i < net->n; i++)
    if (net->layers[i].neuron && !strcmp(net->layers[i].op, "kuramoto")) return true;
  return false;
}

/* Adds up the layers; the probe's numbers are [step][image]. */
static nas_status add_layers(const nas_plan *plan, int64_t images, double *first, double *last, nas_err *err) {
  double energy[STEPS_MAX * IMAGES];
  int64_t n;
  nas_err none = {0};
  *first = *last = 0;
  for (int layer = 0;; layer++) {
    nas_status status = nas_plan_probe_nth(plan, "energy", layer, energy, STEPS_MAX * IMAGES, &n, &none);
    if (status == NAS_E_NOT_FOUND) return NAS_OK;
    if (status != NAS_OK) return nas_fail(err, none.code, none.where, "%s", none.msg);
    for (int64_t i = 0; i < images; i++) {
      *first += energy[i] / (double)images;
      *last += energy[n - images + i] / (double)images;
    }
  }
}

nas_status nas_oscillator_energy(nas_model *m, const nas_dataset *data, double *first, double *last, nas_err *err) {
  int64_t n;
  const uint32_t *images = nas_dataset_split(data, NAS_SPLIT_VALID, &n);
  if (n == 0) images = nas_dataset_split(data, NAS_SPLIT_TRAIN, &n);
  if (n > IMAGES) n = IMAGES;
  nas_plan *plan;
  NAS_TRY(nas_plan_new(m, &(nas_plan_options){.batch = (int32_t)n, .mode = NAS_TRAIN, .reference = true}, &plan, err));
  nas_dataset_batch(data, images, n, NULL, 0, 0, nas_plan_input(plan), nas_plan_labels(plan));
  nas_plan_forward(plan, 0, 0);
  nas_status status = add_layers(plan, n, first, last, err);
  nas_plan_free(plan);
  return status;
}
