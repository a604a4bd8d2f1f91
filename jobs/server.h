#ifndef NAS_JOBS_SERVER_H
#define NAS_JOBS_SERVER_H
/* The trial process: opens what the campaign names once, then evaluates trial after trial for its parent. */

/* `campaign` is a const nas_campaign *. Ends when the socket closes. */
void nas_server_serve(int fd, const void *campaign);
#endif
