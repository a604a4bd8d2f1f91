#ifndef NAS_EVALUATORS_CHECKPOINTS_H
#define NAS_EVALUATORS_CHECKPOINTS_H
/* Where trials keep what they need to go on: one file per training (train/checkpoint.h) in one folder that all workers
 * reach. Its name is a digest of all that the training depends on, so the trial that goes on for more epochs, the next
 * attempt of one that was preempted or lost, and a resumed campaign all find it without being told. A checkpoint saves
 * time and changes no bit: where there is none, training begins at the start. */
#include "evaluators/evaluator.h"

typedef struct nas_checkpoints {
  const char *folder; /* made when the first checkpoint is due; NULL: nothing is kept; borrowed */
  /* Bytes that all checkpoints may take together, looked at when a trial leaves one: the oldest go until the rest is
   * within it. Trainings that go on meanwhile write theirs without asking. 0: no limit. */
  int64_t limit;
} nas_checkpoints;

/* The file of a request in `folder`: program version, evaluator with its options, space with its options, architecture,
 * recipe, data, split and seed; not how many epochs are asked for. */
nas_status nas_checkpoints_path(const char *folder, const nas_evaluator_type *type, const void *options,
                                const nas_eval_request *request, nas_str *out, nas_err *err);

/* Evaluates, going on from the request's checkpoint where there is one, and leaving one there when the
 * trial may be asked for more: it ended before its recipe did, or was preempted. Any other end removes it. A checkpoint
 * that is damaged, another's, or ahead of what is asked for is removed and training begins at the start; where the
 * folder cannot be made or written, nothing is kept. request->checkpoint is not looked at. */
nas_status nas_evaluate_from_checkpoint(const nas_checkpoints *kept, const nas_evaluator_type *type,
                                        const void *options, const nas_eval_request *request, nas_result *result,
                                        nas_err *err);

/* Removes every checkpoint of the folder, and the folder when nothing else is in it. For the end of a campaign. */
void nas_checkpoints_clear(const char *folder);
#endif
