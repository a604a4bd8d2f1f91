#include "jobs/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void nas_channel_open(nas_channel *c, int fd) { *c = (nas_channel){.fd = fd, .passed = -1}; }

void nas_channel_close(nas_channel *c) {
  if (c->fd >= 0) close(c->fd);
  if (c->passed >= 0) close(c->passed);
  nas_str_free(&c->in);
  c->fd = c->passed = -1;
}

union control {
  struct cmsghdr header; /* for its alignment */
  char bytes[CMSG_SPACE(sizeof(int))];
};

static void attach(struct msghdr *h, union control *control, int fd) {
  memset(control, 0, sizeof *control);
  h->msg_control = control->bytes;
  h->msg_controllen = sizeof control->bytes;
  struct cmsghdr *c = CMSG_FIRSTHDR(h);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

nas_status nas_channel_send(nas_channel *c, nas_message *m, int pass, nas_err *err) {
  nas_str frame = {0};
  nas_status status = nas_message_encode(m, &frame, err);
  for (size_t sent = 0; status == NAS_OK && sent < frame.len;) {
    struct iovec part = {frame.s + sent, frame.len - sent};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    if (pass >= 0) attach(&h, &control, pass);
    ssize_t n = sendmsg(c->fd, &h, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) status = nas_fail_errno(err, errno, "socket", "cannot send a message to another process");
    else sent += (size_t)n;
    pass = -1;
  }
  nas_str_free(&frame);
  return status;
}

static void take_descriptor(nas_channel *c, struct msghdr *h) {
  for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
    if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS || m->cmsg_len != CMSG_LEN(sizeof(int))) continue;
    if (c->passed >= 0) close(c->passed);
    memcpy(&c->passed, CMSG_DATA(m), sizeof c->passed);
  }
}

/* One read of what is there. *closed: the other side is gone. */
static nas_status fill(nas_channel *c, bool *closed, bool *more, nas_err *err) {
  char bytes[16384];
  union control control;
  struct iovec part = {bytes, sizeof bytes};
  struct msghdr h = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  *closed = n == 0 || (n < 0 && errno == ECONNRESET);
  *more = n > 0;
  if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET)
    return nas_fail_errno(err, errno, "socket", "cannot receive a message from another process");
  if (n <= 0) return NAS_OK;
  take_descriptor(c, &h);
  nas_str_add_n(&c->in, bytes, (size_t)n);
  return nas_str_check(&c->in, err);
}

nas_status nas_channel_receive(nas_channel *c, nas_message *out, nas_arrival *arrival, nas_err *err) {
  bool closed = false, more = true;
  *arrival = NAS_ARRIVAL_NONE;
  while (more) {
    size_t used = 0;
    if (c->in.len) NAS_TRY(nas_message_decode(c->in.s, c->in.len, out, &used, err));
    if (used) {
      memmove(c->in.s, c->in.s + used, c->in.len - used);
      c->in.len -= used;
      *arrival = NAS_ARRIVAL_MESSAGE;
      return NAS_OK;
    }
    if (c->fd < 0) closed = true;
    else NAS_TRY(fill(c, &closed, &more, err));
    if (closed) {
      *arrival = NAS_ARRIVAL_CLOSED; /* a frame torn by the death of its sender is dropped with it */
      return NAS_OK;
    }
  }
  return NAS_OK;
}

nas_status nas_channel_wait(nas_channel *c, nas_message *out, nas_arrival *arrival, nas_err *err) {
  for (;;) {
    NAS_TRY(nas_channel_receive(c, out, arrival, err));
    if (*arrival != NAS_ARRIVAL_NONE) return NAS_OK;
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    if (poll(&p, 1, -1) < 0 && errno != EINTR) return nas_fail_errno(err, errno, "socket", "cannot wait for messages");
  }
}
