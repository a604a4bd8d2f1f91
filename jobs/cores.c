#include "jobs/cores.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/progress.h"
#include "jobs/ranks.h"

static bool number_from(const char *const *variables, int *out) {
  int64_t value;
  for (; *variables; variables++) {
    const char *text = getenv(*variables);
    if (!text || !nas_text_int(text, &value) || value < 0 || value > 1 << 24) continue;
    *out = (int)value;
    return true;
  }
  return false;
}

nas_node_place nas_node_place_from_environment(void) {
  static const char *const ranks[] = {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", NULL};
  static const char *const sizes[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", NULL};
  int local = 0, size = 1;
  if (!nas_ranks_from_environment().launched || !number_from(ranks, &local) || !number_from(sizes, &size))
    return (nas_node_place){1, 0};
  /* Launchers number the ranks of the first node like those of the job; rank 0 is there, and evaluates nothing. */
  bool with_coordinator = size > 1 && nas_ranks_from_environment().rank == local;
  nas_node_place place = {size - with_coordinator, local - with_coordinator};
  if (place.index < 0) place.index = 0;
  return place;
}

bool nas_cores_slice(const cpu_set_t *cores, int index, int workers, int threads, cpu_set_t *out) {
  if (index < 0 || index >= workers || threads < 1 || (int64_t)workers * threads > CPU_COUNT(cores)) return false;
  CPU_ZERO(out);
  int nth = 0;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, cores)) continue;
    if (nth >= index * threads && nth < (index + 1) * threads) CPU_SET(cpu, out);
    nth++;
  }
  return true;
}

/* Once per node. */
static void say_too_few(const nas_campaign *c, nas_node_place place, int cores) {
  if (place.index > 0) return;
  nas_say("run.bind: %d workers with %lld cores each do not fit the %d cores of this node: trials share them",
          place.workers, (long long)c->trial.threads, cores);
}

bool nas_cores_choose(const nas_campaign *c, cpu_set_t *out) {
  cpu_set_t cores;
  const bool launched = nas_ranks_from_environment().launched;
  if (sched_getaffinity(launched ? getppid() : 0, sizeof cores, &cores) != 0) return false;
  nas_node_place place = nas_node_place_from_environment();
  *out = cores;
  if (c->run.bind && !nas_cores_slice(&cores, place.index, place.workers, (int)c->trial.threads, out))
    say_too_few(c, place, CPU_COUNT(&cores));
  return launched || c->run.bind;
}

int64_t nas_trial_memory(const nas_campaign *c) {
  int64_t share = c->run.memory / nas_node_place_from_environment().workers;
  if (c->run.memory && (!c->trial.memory || share < c->trial.memory)) return share;
  return c->trial.memory;
}
