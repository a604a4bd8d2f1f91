#include "trainee.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "train/graph_internal.h"

const trainee_network trainee_networks[] = {
    {"cell-9930", "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"},
    {"all-3x3", "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"},
    {"all-1x1", "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|"},
    {"all-pool", "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|"},
    {"all-skip", "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"},
    {"mixed", "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"},
    {NULL, NULL}};

void trainee_free(trainee *t) {
  free(t->momentum);
  nas_plan_free(t->plan);
  nas_model_free(t->model);
  nas_graph_free(t->graph);
  nas_net_free(t->net);
  nas_space_close(t->space);
}

nas_status trainee_new(const trainee_shape *s, const char *arch_text, trainee *t, nas_err *err) {
  nas_settings options = {0};
  nas_arch arch;
  char number[16];
  snprintf(number, sizeof number, "%d", s->channels);
  nas_status status = nas_settings_put(&options, "channels", number, "--channels", err);
  snprintf(number, sizeof number, "%d", s->cells);
  if (status == NAS_OK) status = nas_settings_put(&options, "cells", number, "--cells", err);
  if (status == NAS_OK) status = nas_space_open("nas-bench-201", &options, &t->space, err);
  nas_settings_free(&options);
  NAS_TRY(status);
  NAS_TRY(nas_space_parse(t->space, arch_text, &arch, err));
  NAS_TRY(nas_space_net(t->space, &arch, (nas_task){{s->in, s->size, s->size}, 10}, &t->net, err));
  NAS_TRY(nas_graph_from_net(t->net, &t->graph, err));
  NAS_TRY(nas_model_new(t->graph, NAS_F32, &t->model, err));
  const nas_plan_options how = {.batch = s->batch,
                                .mode = NAS_TRAIN,
                                .bf16 = s->bf16 != 0,
                                .memory_limit = (int64_t)(s->memory * 1048576),
                                .recompute = !s->keep};
  NAS_TRY(nas_plan_new(t->model, &how, &t->plan, err));
  NAS_TRY(nas_optimiser_find("sgd", &t->sgd, err));
  t->momentum = nas_aligned_new(nas_model_params(t->model) * (int64_t)sizeof *t->momentum);
  if (!t->momentum) return nas_fail_memory(err, "the momentum");
  float *input = nas_plan_input(t->plan);
  nas_rng_fill_normal(nas_rng_make(1, 0, NAS_STREAM_SAMPLE), 0, input,
                      (size_t)s->batch * (size_t)(s->in * s->size * s->size), 1);
  for (int32_t i = 0; i < s->batch; i++) nas_plan_labels(t->plan)[i] = i % 10;
  return NAS_OK;
}

void trainee_step(trainee *t, int64_t step) {
  nas_plan_forward(t->plan, 1, (uint64_t)step);
  nas_plan_backward(t->plan);
  int64_t n = nas_model_params(t->model);
  nas_optimiser_args args = {
      .lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .nesterov = true, .scale = 1, .step = step + 1};
  nas_optimiser_run all = {0, n, true};
  nas_optimiser_step(t->sgd, &args, &all, 1, nas_model_param_data(t->model), nas_model_grad_data(t->model), t->momentum,
                     n);
}
