#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/rng.h"
#include "base/str.h"
#include "train/graph_internal.h"

void *nas_aligned_new(int64_t bytes) {
  size_t size = ((size_t)(bytes > 0 ? bytes : 1) + 63) / 64 * 64, huge = (size_t)2 << 20;
  void *memory;
  if (posix_memalign(&memory, size >= 2 * huge ? huge : 64, size) != 0) return NULL;
  /* Fewer misses of the address cache; where the system has no huge pages, nothing is lost. */
  if (size >= 2 * huge) madvise(memory, size / huge * huge, MADV_HUGEPAGE);
  memset(memory, 0, size);
  return memory;
}

/* The last arena given back, so that the next trial of the same shape need not have its pages made again. */
static struct {
  pthread_mutex_t lock;
  void *memory;
  int64_t bytes;
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

void *nas_arena_take(int64_t bytes, int64_t *got) {
  pthread_mutex_lock(&spare.lock);
  void *memory = spare.memory;
  *got = spare.bytes;
  spare.memory = NULL;
  pthread_mutex_unlock(&spare.lock);
  if (memory && *got >= bytes && *got - bytes <= bytes / 8) return memory;
  free(memory); /* before the new one is made: the two may not fit together */
  *got = bytes;
  return nas_aligned_new(bytes);
}

void nas_arena_give(void *memory, int64_t bytes) {
  pthread_mutex_lock(&spare.lock);
  void *other = spare.memory;
  spare.memory = memory;
  spare.bytes = bytes;
  pthread_mutex_unlock(&spare.lock);
  free(other);
}

/* attrs.start of a linear layer or convolution, whose weights come first and its bias second. */
static void begin_otherwise(const nas_attrs *a, nas_param_spec *specs, int32_t n) {
  if (a->start == 1 || a->start == 2)
    for (int32_t i = 0; i < n; i++) specs[i].init = i == 1 && a->start == 2 ? NAS_INIT_ONE : NAS_INIT_ZERO;
  if (a->start != 3) return;
  double taps = a->kernel_h ? (double)a->kernel_h * a->kernel_w : 1;
  specs[0].bound = 5.0 / 3 * sqrt(6 / ((double)specs[0].count / a->out + a->out * taps));
}

static nas_status add_tensors(nas_model *m, nas_value v, nas_err *err) {
  const nas_node *node = &m->graph->nodes[v];
  nas_site site = nas_node_site(m->graph, v, 1, NAS_TRAIN);
  nas_param_spec specs[NAS_OP_PARAMS_MAX];
  memset(specs, 0, sizeof specs);
  int32_t n = node->op->params(&site, specs);
  begin_otherwise(&node->attrs, specs, n);
  m->first[v] = (int32_t)m->n_tensors;
  for (int32_t i = 0; i < n; i++) {
    nas_tensor_info *info = &m->tensors[m->n_tensors];
    int64_t *total = specs[i].running ? &m->n_states : &m->n_params;
    *info = (nas_tensor_info){
        .offset = *total, .count = specs[i].count, .decay = !specs[i].running, .running = specs[i].running};
    if (!nas_text_put(info->name, sizeof info->name, "%s.%s", node->label, specs[i].name))
      return nas_fail(err, NAS_E_BAD_INPUT, node->label, "the label is too long to name the tensor '%s'",
                      specs[i].name);
    m->specs[m->n_tensors++] = specs[i];
    *total += specs[i].count;
  }
  return NAS_OK;
}

static nas_status fill(nas_model *m, nas_err *err) {
  const nas_graph *g = m->graph;
  size_t most = (size_t)g->n * NAS_OP_PARAMS_MAX;
  m->tensors = calloc(most, sizeof *m->tensors);
  m->specs = calloc(most, sizeof *m->specs);
  m->first = calloc((size_t)g->n, sizeof *m->first);
  if (!m->tensors || !m->specs || !m->first) return nas_fail_memory(err, "a model");
  for (nas_value v = 0; v < g->n; v++) {
    m->first[v] = -1;
    if (v > 0 && g->nodes[v].live && !g->nodes[v].zero && g->nodes[v].op->params) NAS_TRY(add_tensors(m, v, err));
  }
  int64_t size = nas_dtype_size(m->dtype);
  m->params = nas_aligned_new(m->n_params * size);
  m->grads = nas_aligned_new(m->n_params * size);
  m->states = nas_aligned_new(m->n_states * size);
  return m->params && m->grads && m->states ? NAS_OK : nas_fail_memory(err, "a model's parameters");
}

nas_status nas_model_new(const nas_graph *g, nas_dtype dtype, nas_model **out, nas_err *err) {
  *out = NULL;
  if (g->output == NAS_NO_VALUE) return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the graph has no output yet");
  nas_model *m = calloc(1, sizeof *m);
  if (!m) return nas_fail_memory(err, "a model");
  m->graph = g;
  m->dtype = dtype;
  nas_status status = fill(m, err);
  if (status == NAS_OK) status = nas_model_init(m, 0, err);
  if (status == NAS_OK) *out = m;
  else nas_model_free(m);
  return status;
}

void nas_model_free(nas_model *m) {
  if (!m) return;
  free(m->tensors);
  free(m->specs);
  free(m->first);
  free(m->params);
  free(m->grads);
  free(m->states);
  if (m->arena) nas_arena_give(m->arena, m->arena_bytes);
  free(m);
}

static double first_value(const nas_param_spec *spec, nas_rng rng, uint64_t first, int64_t i) {
  uint64_t index = first + (uint64_t)i;
  if (spec->only > 0 && i >= spec->only) return 0;
  switch (spec->init) {
    case NAS_INIT_ONE: return 1;
    case NAS_INIT_UNIFORM: return spec->centre + spec->bound * (2 * nas_rng_unit(rng, index) - 1);
    case NAS_INIT_NORMAL: return spec->centre + spec->bound * nas_rng_normal(rng, index);
    case NAS_INIT_VALUE: return spec->centre;
    case NAS_INIT_RAMP:
      return spec->count > 1 ? spec->centre + spec->bound * (2 * (double)i / (double)(spec->count - 1) - 1)
                             : spec->centre;
    case NAS_INIT_SIGN: return nas_rng_unit(rng, index) < spec->bound ? 1 : -1;
    case NAS_INIT_ONE_OF:
      return (int64_t)(nas_rng_unit(rng, first + (uint64_t)(i / spec->group)) * (double)spec->group) == i % spec->group
                 ? spec->centre
                 : 0;
    case NAS_INIT_LIST: return spec->list[i];
    case NAS_INIT_ZERO: break;
  }
  return 0;
}

static void init_tensor(const nas_model *m, size_t t, nas_rng rng) {
  const nas_tensor_info *info = &m->tensors[t];
  const nas_param_spec *spec = &m->specs[t];
  float *single = (float *)(spec->running ? m->states : m->params) + info->offset;
  double *wide = (double *)(spec->running ? m->states : m->params) + info->offset;
  uint64_t first = nas_hash64_text(info->name);
  for (int64_t i = 0; i < info->count; i++) {
    double value = first_value(spec, rng, first, i);
    if (m->dtype == NAS_F64) wide[i] = value;
    else single[i] = (float)value;
  }
}

nas_status nas_model_init(nas_model *m, uint64_t seed, nas_err *err) {
  (void)err;
  nas_rng rng = nas_rng_make(seed, 0, NAS_STREAM_INIT);
  for (size_t t = 0; t < m->n_tensors; t++) init_tensor(m, t, rng);
  memset(m->grads, 0, (size_t)(m->n_params * nas_dtype_size(m->dtype)));
  return NAS_OK;
}

void nas_model_constrain(nas_model *m) {
  for (size_t t = 0; t < m->n_tensors; t++) {
    const nas_param_spec *spec = &m->specs[t];
    if (!spec->bounded || spec->running) continue;
    float *single = (float *)m->params + m->tensors[t].offset;
    double *wide = (double *)m->params + m->tensors[t].offset;
    for (int64_t i = 0; i < m->tensors[t].count; i++) {
      if (m->dtype == NAS_F64 && wide[i] < spec->least) wide[i] = spec->least;
      if (m->dtype == NAS_F32 && single[i] < (float)spec->least) single[i] = (float)spec->least;
    }
  }
}

int64_t nas_model_params(const nas_model *m) { return m->n_params; }
int64_t nas_model_states(const nas_model *m) { return m->n_states; }
void *nas_model_param_data(nas_model *m) { return m->params; }
void *nas_model_grad_data(nas_model *m) { return m->grads; }
void *nas_model_state_data(nas_model *m) { return m->states; }

const nas_tensor_info *nas_model_tensors(const nas_model *m, size_t *n) {
  *n = m->n_tensors;
  return m->tensors;
}
