#ifndef NAS_BASE_DOING_H
#define NAS_BASE_DOING_H
/* What this process is at, for the words that it leaves when it dies of a fault. A backtrace alone may not say it: code
 * that was made at run time (oneDNN's kernels) has no names, and the unwinder cannot pass it. */

typedef struct nas_doing {
  const char *phase, *what; /* "forward pass", "cell0.edge1-2.conv"; NULL: nothing in particular */
} nas_doing;

extern volatile nas_doing nas_doing_now;

/* Two stores, so that loops over milliseconds of work may call it. Both texts must live until the next call. */
static inline void nas_doing_set(const char *phase, const char *what) {
  nas_doing_now.phase = phase;
  nas_doing_now.what = what;
}
#endif
