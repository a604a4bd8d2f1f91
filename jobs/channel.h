#ifndef NAS_JOBS_CHANNEL_H
#define NAS_JOBS_CHANNEL_H
/* Messages over a stream socket between a parent and its children. */
#include "jobs/wire.h"

typedef struct nas_channel {
  int fd;     /* -1: not open */
  int passed; /* a descriptor that came with a message and was not taken yet; -1: none */
  nas_str in;
} nas_channel;

void nas_channel_open(nas_channel *c, int fd);
void nas_channel_close(nas_channel *c);

/* Sends all of a message; with `pass` >= 0 a copy of that descriptor goes along. Errors: IO when the other side is
 * gone. */
nas_status nas_channel_send(nas_channel *c, nas_message *m, int pass, nas_err *err);

typedef enum nas_arrival { NAS_ARRIVAL_NONE, NAS_ARRIVAL_MESSAGE, NAS_ARRIVAL_CLOSED } nas_arrival;

/* Takes the next message if one is complete; never waits. CLOSED: the other side is gone and nothing is left.
 * BAD_INPUT: what came is no message. */
nas_status nas_channel_receive(nas_channel *c, nas_message *out, nas_arrival *arrival, nas_err *err);
/* The same, waiting for as long as it takes. */
nas_status nas_channel_wait(nas_channel *c, nas_message *out, nas_arrival *arrival, nas_err *err);
#endif
