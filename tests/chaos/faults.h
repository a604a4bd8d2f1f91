#ifndef NAS_TESTS_CHAOS_FAULTS_H
#define NAS_TESTS_CHAOS_FAULTS_H
/* What the chaos program does to a campaign. */
#include <stdbool.h>
#include <sys/types.h>

#include "base/rng.h"
#include "control.h"

typedef enum chaos_fault {
#define CHAOS_FAULT(name, text) CHAOS_##name,
#include "faults.def"
#undef CHAOS_FAULT
  CHAOS_FAULTS
} chaos_fault;

const char *chaos_fault_text(chaos_fault fault);

/* A campaign that runs under the supervisor. */
typedef struct chaos_victim {
  pid_t supervisor;
  chaos_control *control;
} chaos_victim;

/* Does one; false when there was nothing to do it to. */
bool chaos_inject(const chaos_victim *v, chaos_fault fault, nas_rng rng);
/* Kills supervisor and job with all their processes. */
void chaos_kill_all(const chaos_victim *v);
#endif
