/* Trains the architecture by the recipe with the built-in autodiff. */
#include "evaluators/evaluator.h"
#include "train/trainer.h"

typedef struct train_options {
  double checkpoint_every;
  bool recompute;
} train_options;

static const nas_option options[] = {
    NAS_OPT_SECONDS(train_options, checkpoint_every, "checkpoint-every", "60", 0, 1e9,
                    "time between checkpoints where they are kept; 0 = after each epoch"),
    NAS_OPT_FLAG(train_options, recompute, "recompute", "true",
                 "where trial.memory would not do, or a lot is needed: compute parts of the forward pass twice, to the "
                 "same bits"),
    NAS_OPT_END};

static nas_status evaluate(const void *values, const nas_eval_request *r, nas_result *result, nas_err *err) {
  const train_options *own = values;
  nas_net *net;
  *result = (nas_result){0};
  NAS_TRY(nas_space_net(r->space, &r->arch, r->data->task, &net, err));
  const nas_train_job job = {.net = net,
                             .data = r->data,
                             .recipe = r->recipe,
                             .seed = r->seed,
                             .epochs = r->epochs,
                             .memory_limit = r->memory_limit,
                             .recompute = own->recompute,
                             .seconds_limit = r->seconds_limit,
                             .checkpoint = r->checkpoint,
                             .checkpoint_every = own->checkpoint_every,
                             .stop = r->stop,
                             .on_epoch = r->on_epoch,
                             .on_step = r->on_step,
                             .arg = r->arg};
  nas_status status = nas_train(&job, result, err);
  nas_net_free(net);
  return status;
}

static const char *const delivers[] = {"peak_bytes", "latency", NULL};

extern const nas_evaluator_type nas_evaluator_type_train;
const nas_evaluator_type nas_evaluator_type_train = {
    .name = "train",
    .version = 3,
    .summary = "trains the architecture by the recipe",
    .citation = "Zoph and Le, \"Neural architecture search with reinforcement learning\", ICLR 2017",
    .options = options,
    .options_size = sizeof(train_options),
    .evaluate = evaluate,
    .checkpoints = true,
    .delivers = delivers,
};
