/* How long one training step (forward, backward, SGD with momentum) of a 784 -> 128 -> 10 network of one neuron type
 * takes, and what memory it needs beyond parameters, gradients and momentum. With --peer FILE the same networks run in
 * that PyTorch script, ours and theirs in turn; where it has two variants of a neuron the faster one counts. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/str.h"
#include "median.h"
#include "train/graph_internal.h"
#include "train/neuron.h"
#include "train/optimisers/optimiser.h"

typedef struct network {
  const char *name, *neuron, *options; /* both layers; neuron NULL: the hidden layer is the operation of that name */
  const char *peers[2];                /* of the peer's neurons; NULL: it has none */
  bool linear_head, relu;
} network;

static const network networks[] = {
    {"linear", "linear", "", {"linear", NULL}, true, true},
    {"aptx", "aptx", "", {"aptx", "aptx_loop"}, false, false},
    {"kan-bspline", "kan-bspline", "", {"kan", NULL}, false, false},
    {"kan-rbf", "kan-rbf", "", {"rbf", NULL}, false, false},
    {"pade", "pade", "kind=b\n", {"pade", NULL}, false, false},
    {"kuramoto", NULL, "n=4\nsteps=4\ntrain-gamma=yes\n", {"kuramoto", NULL}, true, false},
    {"kuramoto-whole", "kuramoto", "n=4\nsteps=4\n", {NULL, NULL}, true, false},
    {"kan-chebyshev", "kan-chebyshev", "", {NULL, NULL}, false, false},
    {"s-kan", "s-kan", "", {NULL, NULL}, true, false},
    {"rbf", "rbf", "", {NULL, NULL}, true, false},
    {"rbf-diagonal", "rbf", "scaling=diagonal\n", {NULL, NULL}, true, false},
    {"quadratic", "quadratic", "", {NULL, NULL}, false, false},
    {"selfonn", "selfonn", "", {NULL, NULL}, false, false},
    {"lehmer", "lehmer", "", {NULL, NULL}, true, false},
    {"gini", "gini", "", {NULL, NULL}, true, false},
    {"pau", "pau", "", {NULL, NULL}, true, false},
    {"mish", "activation", "activation=mish\n", {NULL, NULL}, true, false},
    {"aptx-activation", "aptx-activation", "", {NULL, NULL}, true, false},
    {"smartmixed", "smartmixed", "", {NULL, NULL}, true, false},
    {"lif", "lif", "", {NULL, NULL}, true, false},
    {"lif-100", "lif", "steps=100\n", {NULL, NULL}, true, false},
    {"ltc", "ltc", "", {NULL, NULL}, true, false},
    {NULL, NULL, NULL, {NULL, NULL}, false, false}};

typedef struct settings {
  char *only, *peer, *python;
  int batch, steps, rounds, json, smoke, inputs, hidden, best;
} settings;

typedef struct round_figures {
  double ms; /* of a step, median */
  int64_t params, layer_bytes;
  nas_status status;
  nas_err err;
} round_figures;

typedef struct figures {
  double ms[64], median;
  int n;
  int64_t params, layer_bytes;
} figures;

/* The wall clock, or the time this thread had the CPU. */
static double now(const settings *s) {
  struct timespec t;
  if (!s->best || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) return nas_clock();
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- ours ---- */

static nas_status hidden_layer(const network *n, nas_graph *g, int32_t out, nas_value *v, nas_err *err) {
  nas_attrs attrs = {.out = out, .bias = true};
  nas_value in = *v;
  if (n->neuron) {
    nas_text_put(attrs.options, sizeof attrs.options, "%s", n->options);
    return nas_neuron_build(nas_neuron_find(n->neuron), g, in, &attrs, "hidden", v, err);
  }
  NAS_TRY(nas_graph_op(g, "linear", &in, 1, &attrs, "stimulus", &in, err));
  nas_text_put(attrs.options, sizeof attrs.options, "%s", n->options);
  return nas_graph_op(g, n->name, &in, 1, &attrs, "hidden", v, err);
}

static nas_status make_graph(const settings *s, const network *n, nas_graph **g, nas_err *err) {
  nas_value v = 0;
  NAS_TRY(nas_graph_new((nas_shape){s->inputs, 1, 1}, g, err));
  NAS_TRY(hidden_layer(n, *g, s->hidden, &v, err));
  nas_value in = v;
  if (n->relu) NAS_TRY(nas_graph_op(*g, "relu", &in, 1, NULL, "", &in, err));
  nas_attrs attrs = {.out = 10};
  if (!n->linear_head) nas_text_put(attrs.options, sizeof attrs.options, "%s", n->options);
  const nas_neuron_type *head = nas_neuron_find(n->linear_head ? "linear" : n->neuron);
  NAS_TRY(nas_neuron_build(head, *g, in, &attrs, "head", &v, err));
  return nas_graph_set_output(*g, v, err);
}

static void one_step(nas_model *m, nas_plan *p, float *momentum, const nas_optimiser_type *sgd, int64_t step) {
  nas_plan_forward(p, 1, (uint64_t)step);
  nas_plan_backward(p);
  int64_t n = nas_model_params(m);
  nas_optimiser_args args = {.lr = 1e-3, .momentum = 0.9, .scale = 1, .step = step + 1};
  nas_optimiser_run all = {0, n, false};
  nas_optimiser_step(sgd, &args, &all, 1, nas_model_param_data(m), nas_model_grad_data(m), momentum, n);
  nas_model_constrain(m);
}

static nas_status measure_steps(const settings *s, const network *n, int batch, round_figures *f, nas_graph **g,
                                nas_model **m, nas_plan **p, float **momentum) {
  const nas_optimiser_type *sgd;
  double times[256];
  int steps = s->steps < 256 ? s->steps : 256;
  NAS_TRY(make_graph(s, n, g, &f->err));
  NAS_TRY(nas_model_new(*g, NAS_F32, m, &f->err));
  NAS_TRY(nas_plan_new(*m, &(nas_plan_options){.batch = batch, .mode = NAS_TRAIN}, p, &f->err));
  NAS_TRY(nas_optimiser_find("sgd", &sgd, &f->err));
  f->params = nas_model_params(*m);
  *momentum = nas_aligned_new(f->params * (int64_t)sizeof **momentum);
  if (!*momentum) return nas_fail_memory(&f->err, "the momentum");
  nas_rng_fill_uniform(nas_rng_make(1, 0, NAS_STREAM_SAMPLE), 0, nas_plan_input(*p), (size_t)batch * (size_t)s->inputs,
                       -1, 1);
  for (int32_t i = 0; i < batch; i++) nas_plan_labels(*p)[i] = i % 10;
  for (int i = 0; i < steps / 5 + 1; i++) one_step(*m, *p, *momentum, sgd, i);
  for (int i = 0; i < steps; i++) {
    double start = now(s);
    one_step(*m, *p, *momentum, sgd, steps + i);
    times[i] = 1e3 * (now(s) - start);
  }
  f->ms = median(times, steps); /* sorts */
  if (s->best) f->ms = times[0];
  int64_t known = (2 * f->params + nas_model_states(*m) + (int64_t)batch * s->inputs) * (int64_t)sizeof(float);
  f->layer_bytes = nas_plan_peak_bytes(*p) - known;
  return NAS_OK;
}

static round_figures measure_round(const settings *s, const network *n, int batch) {
  round_figures f = {0};
  nas_graph *g = NULL;
  nas_model *m = NULL;
  nas_plan *p = NULL;
  float *momentum = NULL;
  f.status = measure_steps(s, n, batch, &f, &g, &m, &p, &momentum);
  free(momentum);
  nas_plan_free(p);
  nas_model_free(m);
  nas_graph_free(g);
  return f;
}

/* A round in a process of its own, as a trial of a campaign is. */
static nas_status measure_ours(const settings *s, const network *n, int batch, figures *f, nas_err *err) {
  int ends[2], status = 0;
  round_figures r;
  if (pipe(ends) != 0) return nas_fail(err, NAS_E_IO, NULL, "no pipe");
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    r = measure_round(s, n, batch);
    _exit(write(ends[1], &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
  }
  close(ends[1]);
  bool whole = pid > 0 && read(ends[0], &r, sizeof r) == (ssize_t)sizeof r;
  close(ends[0]);
  if (pid > 0) waitpid(pid, &status, 0);
  if (!whole) return nas_fail(err, NAS_E_IO, NULL, "a measuring process ended early");
  if (r.status != NAS_OK) *err = r.err;
  if (r.status != NAS_OK) return r.status;
  f->ms[f->n++] = r.ms;
  f->params = r.params;
  f->layer_bytes = r.layer_bytes;
  return NAS_OK;
}

/* ---- the peer's ---- */

/* Its process grows by gradients and momentum too: 8 bytes a parameter. */
static nas_status measure_peer(const settings *s, const char *name, int batch, figures *f, nas_err *err) {
  char command[2048], line[256];
  if (!nas_text_put(command, sizeof command, "%s %s --neuron %s --batch %d --inputs %d --hidden %d --steps %d",
                    s->python, s->peer, name, batch, s->inputs, s->hidden, s->steps))
    return nas_fail(err, NAS_E_USAGE, NULL, "the peer's command line is too long");
  FILE *pipe = popen(command, "r");
  if (!pipe) return nas_fail(err, NAS_E_IO, s->peer, "cannot start the peer");
  double ms = 0, grown = 0, params = 0;
  while (fgets(line, sizeof line, pipe)) {
    sscanf(line, "ms_per_step %lf", &ms);
    sscanf(line, "grown_rss_mib %lf", &grown);
    sscanf(line, "params %lf", &params);
  }
  if (pclose(pipe) != 0 || ms <= 0)
    return nas_fail(err, NAS_E_IO, s->peer, "the peer failed or printed no ms_per_step");
  f->ms[f->n++] = ms;
  f->params = (int64_t)params;
  f->layer_bytes = (int64_t)(grown * 1048576 - 8 * params);
  return NAS_OK;
}

/* ---- rows ---- */

static void print_json(const network *n, int batch, const figures *ours, const figures *peer, const char *best,
                       bool first) {
  printf("%s\n  {\"network\": \"%s\", \"batch\": %d, \"params\": %lld, \"ms\": %.4f, \"layer_bytes\": %lld",
         first ? "" : ",", n->name, batch, (long long)ours->params, ours->median, (long long)ours->layer_bytes);
  if (peer)
    printf(", \"peer\": \"%s\", \"peer_params\": %lld, \"peer_ms\": %.4f, \"ratio\": %.3f, \"peer_layer_bytes\": %lld",
           best, (long long)peer->params, peer->median, peer->median / ours->median, (long long)peer->layer_bytes);
  printf("}");
}

static void print_row(const network *n, int batch, const figures *ours, const figures *peer, const char *best) {
  char bytes[24];
  printf("%-16s %5d %9lld %9.3f %10s", n->name, batch, (long long)ours->params, ours->median,
         nas_text_size(bytes, ours->layer_bytes));
  if (peer)
    printf(" %-10s %9.3f %7.2f %10s %7.3f", best, peer->median, peer->median / ours->median,
           nas_text_size(bytes, peer->layer_bytes), (double)ours->layer_bytes / (double)peer->layer_bytes);
  printf("\n");
  fflush(stdout);
}

static nas_status measure(const settings *s, const network *n, int batch, bool first, nas_err *err) {
  figures ours = {0}, peers[2] = {{.n = 0}};
  for (int round = 0; round < s->rounds; round++) {
    NAS_TRY(measure_ours(s, n, batch, &ours, err));
    for (int i = 0; i < 2 && s->peer && n->peers[i]; i++) NAS_TRY(measure_peer(s, n->peers[i], batch, &peers[i], err));
  }
  ours.median = median(ours.ms, ours.n);
  int best = -1;
  for (int i = 0; i < 2; i++) {
    if (peers[i].n) peers[i].median = median(peers[i].ms, peers[i].n);
    if (peers[i].n && (best < 0 || peers[i].median < peers[best].median)) best = i;
  }
  const figures *peer = best < 0 ? NULL : &peers[best];
  const char *name = best < 0 ? NULL : n->peers[best];
  if (s->json) print_json(n, batch, &ours, peer, name, first);
  else print_row(n, batch, &ours, peer, name);
  return NAS_OK;
}

static nas_status measure_all(const settings *s, nas_err *err) {
  if (s->json)
    printf("{\"schema\": \"nascent.bench-neurons/1\", \"inputs\": %d, \"hidden\": %d, \"rows\": [", s->inputs,
           s->hidden);
  else
    printf("%-16s %5s %9s %9s %10s%s\n", "network", "batch", "params", "ms/step", "layer",
           s->peer ? " peer         ms/step   ratio      layer  memory" : "");
  const int both[] = {64, 256}, own[] = {s->batch};
  const int *batches = s->batch ? own : both;
  bool first = true;
  for (int b = 0; b < (s->batch ? 1 : 2); b++)
    for (const network *n = networks; n->name; n++) {
      if (s->only && strcmp(s->only, n->name) != 0) continue;
      if (s->peer && !n->peers[0] && !s->only) continue;
      NAS_TRY(measure(s, n, batches[b], first, err));
      first = false;
    }
  if (s->json) printf("\n]}\n");
  return NAS_OK;
}

int main(int argc, const char **argv) {
  settings s = {.python =
                    "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4 OPENBLAS_CORETYPE=SkylakeX "
                    "OMP_NUM_THREADS=1 /usr/bin/python3",
                .steps = 30,
                .rounds = 3,
                .inputs = 784,
                .hidden = 128};
  struct poptOption options[] = {
      {"only", 0, POPT_ARG_STRING, &s.only, 0, "one network of the list", "NAME"},
      {"batch", 'b', POPT_ARG_INT, &s.batch, 0, "rows per step (default: 64, then 256)", "N"},
      {"inputs", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.inputs, 0, "numbers of a row", "N"},
      {"hidden", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.hidden, 0, "neurons of the hidden layer", "N"},
      {"steps", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.steps, 0, "timed steps of each round", "N"},
      {"rounds", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.rounds, 0, "rounds, ours and the peer in turn", "N"},
      {"peer", 0, POPT_ARG_STRING, &s.peer, 0, "the PyTorch script to compare with; only networks that it has", "FILE"},
      {"python", 0, POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &s.python, 0, "how to start it", "COMMAND"},
      {"best", 0, POPT_ARG_NONE, &s.best, 0,
       "the fastest step by this thread's CPU clock (on a busy machine; not with --peer)", NULL},
      {"json", 0, POPT_ARG_NONE, &s.json, 0, "print JSON", NULL},
      {"smoke", 0, POPT_ARG_NONE, &s.smoke, 0, "tiny networks, one step: does it run at all", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, options, 0);
  int rest = poptGetNextOpt(context);
  if (rest < -1 || s.steps < 1 || s.rounds < 1 || s.rounds > 64 || s.batch < 0 || s.inputs < 1 || s.hidden < 1) {
    fprintf(stderr, "bench-neurons: %s; see --help\n",
            rest < -1 ? poptStrerror(rest) : "steps, rounds and sizes must be at least 1, rounds at most 64");
    return 2;
  }
  if (s.best && s.peer) {
    fprintf(stderr, "bench-neurons: --best and --peer do not go together, the peer reports its median\n");
    return 2;
  }
  if (s.smoke) s.batch = 3, s.inputs = 20, s.hidden = 8, s.steps = s.rounds = 1;
  nas_err err = {0};
  nas_status status = measure_all(&s, &err);
  if (status != NAS_OK) fprintf(stderr, "bench-neurons: %s%s%s\n", err.where, *err.where ? ": " : "", err.msg);
  poptFreeContext(context);
  return nas_status_exit(status);
}
