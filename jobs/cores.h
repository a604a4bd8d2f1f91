#ifndef NAS_JOBS_CORES_H
#define NAS_JOBS_CORES_H
/* Which cores and how much memory the trial processes of a node get. Known from the launcher's environment, before MPI
 * starts. */
#include <sched.h>

#include "jobs/campaign.h"

typedef struct nas_node_place {
  int workers; /* on this node, at least 1 */
  int index;   /* of this one among them, from 0 */
} nas_node_place;
nas_node_place nas_node_place_from_environment(void);

/* The cores for worker `index` of `workers` that share `cores`, each with `threads` of its own; false where there are
 * too few for all, so that the system had better spread them itself. */
bool nas_cores_slice(const cpu_set_t *cores, int index, int workers, int threads, cpu_set_t *out);

/* The cores for this rank's trial processes; false: leave them as they are. A launcher may bind a rank to one core, and
 * two launchers on one node to the same one; so its binding is undone, and with run.bind replaced by cores of its own.
 * Where there are too few for that, a line says so. To be called in the rank itself. */
bool nas_cores_choose(const nas_campaign *c, cpu_set_t *out);

/* Bytes that one trial may take: trial.memory, or less where run.memory is to suffice for all of the node; 0: no
 * limit. */
int64_t nas_trial_memory(const nas_campaign *c);
#endif
