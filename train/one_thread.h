#ifndef NAS_TRAIN_ONE_THREAD_H
#define NAS_TRAIN_ONE_THREAD_H
/* One trial is one thread, so that sums have one order: keeps oneDNN's OpenMP from starting a team in the calling
 * thread. UNSUPPORTED when oneDNN was built for another kind of threads that cannot be held. */
#include "base/status.h"

nas_status nas_one_thread(nas_err *err);
#endif
