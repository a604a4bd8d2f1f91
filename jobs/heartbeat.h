#ifndef NAS_JOBS_HEARTBEAT_H
#define NAS_JOBS_HEARTBEAT_H
/* What a running campaign says of itself, in a small file that is replaced every second: for the supervisor, which
 * restarts a run that falls silent, and for people. */
#include "jobs/coordinator.h"

/* "FOLDER/heartbeat.json" of the campaign's folder. */
void nas_heartbeat_path(const nas_campaign *c, const char *db, char out[640]);
/* The folder of spools and heartbeat. */
void nas_run_folder(const nas_campaign *c, const char *db, char out[512]);

/* One JSON object: schema, time, pid, state (running, paused, stopping), done, failed, asked, best, running trials and
 * workers. A file that cannot be written is no reason to stop. */
void nas_heartbeat_write(const nas_coordinator *c, const char *path);

/* Seconds since the file was written, by its own time; negative when there is none. */
double nas_heartbeat_age(const char *path);
#endif
