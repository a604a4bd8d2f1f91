#ifndef NAS_BENCH_TRAINEE_H
#define NAS_BENCH_TRAINEE_H
/* The networks that benchmarks train: six cells of NAS-Bench-201 that stress different parts of the engine. */
#include "space/space.h"
#include "train/graph.h"
#include "train/optimisers/optimiser.h"

typedef struct trainee_network {
  const char *name, *arch;
} trainee_network;
extern const trainee_network trainee_networks[]; /* ends with a NULL name */
#define TRAINEE_NAMES "cell-9930, all-3x3, all-1x1, all-pool, all-skip, mixed"

typedef struct trainee_shape {
  int batch, channels, cells, size, in; /* channels of the first stage, cells a stage, images size x size x in */
  int bf16, keep;                       /* keep: all that the backward pass reads, however large */
  double memory;                        /* MiB that a plan may take; 0: any */
} trainee_shape;
#define TRAINEE_SHAPE \
  { .batch = 64, .channels = 16, .cells = 5, .size = 32, .in = 3 }

/* The command line's options for the shape; with <popt.h>. */
#define TRAINEE_OPTION(name, letter, place, text) \
  { name, letter, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, place, 0, text, "N" }
#define TRAINEE_OPTIONS(shape)                                                           \
  TRAINEE_OPTION("batch", 'b', &(shape).batch, "images per step"),                       \
      TRAINEE_OPTION("channels", 'c', &(shape).channels, "channels of the first stage"), \
      TRAINEE_OPTION("cells", 'n', &(shape).cells, "cells per stage"),                   \
      TRAINEE_OPTION("size", 0, &(shape).size, "height and width of an image"),

/* A network in training by SGD with momentum, its batch full of random numbers. */
typedef struct trainee {
  nas_space *space;
  nas_net *net;
  nas_graph *graph;
  nas_model *model;
  nas_plan *plan;
  float *momentum;
  const nas_optimiser_type *sgd;
} trainee;

/* Start from {0}; free in any case. */
nas_status trainee_new(const trainee_shape *s, const char *arch, trainee *t, nas_err *err);
void trainee_free(trainee *t);
/* Forward, backward, and an update of all parameters; steps count from 0. */
void trainee_step(trainee *t, int64_t step);
#endif
