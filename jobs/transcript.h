#ifndef NAS_JOBS_TRANSCRIPT_H
#define NAS_JOBS_TRANSCRIPT_H
/* The transcript of a strategy that consults something outside: its notes are kept until a step of the coordinator
 * writes them in its transaction. */
#include "jobs/coordinator.h"

/* For nas_strategy_setup.note; the argument is the coordinator. */
nas_status nas_transcript_take(void *coordinator, const nas_note *note, nas_err *err);
/* After a step that failed and was rolled back: writes what led to the failure by itself. */
void nas_transcript_rescue(nas_coordinator *c);
/* The notes of one ask out of a list that is sorted by ask; *n 0 when there are none. */
void nas_transcript_of(const nas_notes *all, uint64_t number, const nas_note **first, size_t *n);
#endif
