#ifndef NAS_BASE_SECRET_H
#define NAS_BASE_SECRET_H
/* Keys that a program gets through its environment, and what is done so that nobody else finds them there. */

/* Takes a variable out of the environment and overwrites its value, so that neither a child process nor
 * /proc/PID/environ has it from then on. Nothing happens where it is not set, or `variable` is NULL or "". Not while
 * another thread may look at the environment. */
void nas_secret_forget(const char *variable);

/* No core file of this process and its children holds their memory: core files are off, and where the system hands
 * cores to a program, which that does not stop, they are without memory. */
void nas_secret_no_dumps(void);
#endif
