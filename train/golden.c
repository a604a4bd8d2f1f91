#include "train/golden.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct nas_golden {
  json_t *root;
  char path[256];
};

void nas_golden_free(nas_golden *g) {
  if (!g) return;
  json_decref(g->root);
  free(g);
}

const char *nas_golden_name(const nas_golden *g) { return json_string_value(json_object_get(g->root, "name")); }

int32_t nas_golden_size(const nas_golden *g, const char *tensor, int axis) {
  const json_t *shape = json_object_get(json_object_get(g->root, "shapes"), tensor);
  json_int_t n = json_integer_value(json_array_get(shape, (size_t)axis));
  return n > 0 && n < 1000000 ? (int32_t)n : 0;
}

double nas_golden_number(const nas_golden *g, const char *key, double fallback) {
  const json_t *value = json_object_get(json_object_get(g->root, "config"), key);
  return json_is_number(value) ? json_number_value(value) : fallback;
}

static const json_t *member(const nas_golden *g, const char *section, const char *name) {
  return json_object_get(json_object_get(g->root, section), name);
}

double nas_golden_knot(const nas_golden *g, int i, double fallback) {
  const json_t *value = json_array_get(member(g, "config", "knots"), (size_t)i);
  return json_is_number(value) ? json_number_value(value) : fallback;
}

const char *nas_golden_word(const nas_golden *g, const char *key) {
  const char *text = json_string_value(json_object_get(json_object_get(g->root, "config"), key));
  return text ? text : "";
}

/* How many numbers nested arrays hold, or -1 where something else is among them; the numbers to `out` unless NULL. */
static int64_t flatten(const json_t *value, double *out) {
  if (json_is_number(value)) {
    if (out) *out = json_number_value(value);
    return 1;
  }
  if (!json_is_array(value)) return -1;
  int64_t n = 0;
  for (size_t i = 0; i < json_array_size(value); i++) {
    int64_t more = flatten(json_array_get(value, i), out ? out + n : NULL);
    if (more < 0) return -1;
    n += more;
  }
  return n;
}

static bool has_shape(const json_t *value, const json_t *shape, size_t axis) {
  if (axis == json_array_size(shape)) return json_is_number(value);
  if (!json_is_array(value) || (json_int_t)json_array_size(value) != json_integer_value(json_array_get(shape, axis)))
    return false;
  for (size_t i = 0; i < json_array_size(value); i++)
    if (!has_shape(json_array_get(value, i), shape, axis + 1)) return false;
  return true;
}

static nas_status check_tensor(const nas_golden *g, const char *section, const char *name, nas_err *err) {
  const json_t *value = member(g, section, name), *shape = member(g, "shapes", name);
  if (!value)
    return nas_fail(err, NAS_E_BAD_INPUT, g->path, "no tensor '%s' in \"%s\"; the file is incomplete", name, section);
  if (!has_shape(value, shape, 0))
    return nas_fail(err, NAS_E_BAD_INPUT, g->path, "\"%s\".\"%s\" has not the shape that \"shapes\" gives it", section,
                    name);
  return NAS_OK;
}

/* Every shape is of an input or parameter, which has a gradient, or of an output. */
static nas_status check(const nas_golden *g, nas_err *err) {
  static const char *const sections[] = {"config", "shapes", "inputs", "params", "outputs", "grads"};
  if (!nas_golden_name(g)) return nas_fail(err, NAS_E_BAD_INPUT, g->path, "no \"name\"; not a golden file");
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
    if (!json_is_object(json_object_get(g->root, sections[i])))
      return nas_fail(err, NAS_E_BAD_INPUT, g->path, "no object \"%s\"; the file is incomplete", sections[i]);
  const char *name;
  json_t *shape;
  json_object_foreach(json_object_get(g->root, "shapes"), name, shape) {
    if (member(g, "outputs", name)) {
      NAS_TRY(check_tensor(g, "outputs", name, err));
      continue;
    }
    if (!strcmp(name, "y")) return check_tensor(g, "outputs", name, err);
    NAS_TRY(check_tensor(g, member(g, "inputs", name) ? "inputs" : "params", name, err));
    NAS_TRY(check_tensor(g, "grads", name, err));
  }
  if (!member(g, "shapes", "y")) return nas_fail(err, NAS_E_BAD_INPUT, g->path, "no shape of the output 'y'");
  if (!has_shape(json_object_get(g->root, "loss_w"), member(g, "shapes", "y"), 0))
    return nas_fail(err, NAS_E_BAD_INPUT, g->path, "\"loss_w\" is missing or has not the shape of 'y'");
  return NAS_OK;
}

nas_status nas_golden_open(const char *path, nas_golden **out, nas_err *err) {
  *out = NULL;
  nas_golden *g = calloc(1, sizeof *g);
  if (!g) return nas_fail_memory(err, "a golden file");
  nas_text_put(g->path, sizeof g->path, "%s", path);
  json_error_t error;
  g->root = json_load_file(path, 0, &error);
  nas_status status = NAS_OK;
  if (!g->root && error.line < 0) status = nas_fail(err, NAS_E_NOT_FOUND, path, "cannot be read (%s)", error.text);
  else if (!g->root)
    status = nas_fail(err, NAS_E_BAD_INPUT, path, "line %d, column %d: %s", error.line, error.column, error.text);
  else status = check(g, err);
  if (status == NAS_OK) *out = g;
  else nas_golden_free(g);
  return status;
}

bool nas_golden_is_index(const char *path) {
  json_t *list = json_load_file(path, 0, NULL), *entry;
  size_t i;
  bool all = json_is_array(list) && json_array_size(list) > 0;
  json_array_foreach(list, i, entry) all &= json_is_string(json_object_get(entry, "file"));
  json_decref(list);
  return all;
}

/* ---- running ---- */

/* One run of the formula in one precision. */
typedef struct bench {
  const nas_golden *file;
  const nas_golden_row *row;
  nas_dtype dtype;
  nas_graph *graph;
  nas_model *model;
  nas_plan *plan;
  int64_t rows, channels; /* of the input as a channels-last matrix */
  int32_t batch;
} bench;

/* A tensor of the file in our order (malloc). */
static nas_status take(const nas_golden *g, const json_t *value, const nas_golden_link *link, double **out, int64_t *n,
                       nas_err *err) {
  *n = flatten(value, NULL);
  if (*n < 1) return nas_fail(err, NAS_E_BAD_INPUT, g->path, "no numbers for the tensor '%s'", link->theirs);
  double *plain = malloc((size_t)*n * sizeof *plain), *turned = malloc((size_t)*n * sizeof *turned);
  if (!plain || !turned) {
    free(plain);
    free(turned);
    return nas_fail_memory(err, "a tensor");
  }
  flatten(value, plain);
  *out = turned;
  const char *axes = link->axes ? link->axes : "0";
  int rank = (int)strlen(axes);
  int64_t size[8] = {0}, stride[8] = {0};
  const json_t *inner = value;
  for (int a = 0; a < rank; a++, inner = json_array_get(inner, 0)) size[a] = (int64_t)json_array_size(inner);
  if (!link->axes) size[0] = *n;
  if (rank > 1 && !size[rank - 1] && nas_golden_size(g, "x", 1)) {
    size[rank - 1] = size[rank - 2] / nas_golden_size(g, "x", 1);
    size[rank - 2] = nas_golden_size(g, "x", 1);
  }
  for (int a = rank - 1; a >= 0; a--) stride[a] = a + 1 < rank ? stride[a + 1] * size[a + 1] : 1;
  for (int64_t i = 0; i < *n; i++) {
    int64_t left = i, from = 0;
    for (int a = rank - 1; a >= 0; a--) {
      int axis = axes[a] - '0';
      from += left % size[axis] * stride[axis];
      left /= size[axis];
    }
    turned[i] = plain[from];
  }
  free(plain);
  return NAS_OK;
}

static double get(const bench *b, const void *array, int64_t i) {
  return b->dtype == NAS_F64 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

static void set(const bench *b, void *array, int64_t i, double value) {
  if (b->dtype == NAS_F64) ((double *)array)[i] = value;
  else ((float *)array)[i] = (float)value;
}

static const nas_tensor_info *tensor_of(const bench *b, const char *name) {
  size_t n;
  const nas_tensor_info *all = nas_model_tensors(b->model, &n);
  for (size_t i = 0; i < n; i++)
    if (!strcmp(all[i].name, name)) return &all[i];
  return NULL;
}

static bool is(const nas_golden_link *link, const char *kind) { return !strcmp(link->ours, kind); }

static const json_t *value_of(const nas_golden *g, const nas_golden_link *link) {
  if (is(link, "constant")) return member(g, "config", link->theirs);
  return member(g, is(link, "input") ? "inputs" : "params", link->theirs);
}

/* Numbers of the input links in one image, and images in the file. */
static nas_status measure(bench *b, nas_err *err) {
  nas_shape shape = nas_graph_shape(b->graph, 0);
  int64_t total = 0, constants = 0, image = (int64_t)shape.c * shape.h * shape.w;
  for (const nas_golden_link *l = b->row->links; l->theirs; l++) {
    if (!is(l, "input") && !is(l, "constant")) continue;
    int64_t n = flatten(value_of(b->file, l), NULL);
    if (n < 1) return nas_fail(err, NAS_E_BAD_INPUT, b->file->path, "no input '%s'", l->theirs);
    if (is(l, "input")) total += n;
    else constants += n;
  }
  if (image <= constants || total % (image - constants))
    return nas_fail(err, NAS_E_BAD_INPUT, b->file->path, "inputs of %lld numbers do not fit images of %lld",
                    (long long)total, (long long)(image - constants));
  b->batch = (int32_t)(total / (image - constants));
  b->rows = b->batch * (int64_t)shape.h * shape.w;
  b->channels = shape.c;
  return NAS_OK;
}

static nas_status load_input(bench *b, const nas_golden_link *link, int64_t *offset, nas_err *err) {
  double *values;
  int64_t n;
  NAS_TRY(take(b->file, value_of(b->file, link), link, &values, &n, err));
  bool constant = is(link, "constant");
  int64_t width = constant ? n : n / b->rows;
  for (int64_t r = 0; r < b->rows; r++)
    for (int64_t i = 0; i < width; i++)
      set(b, nas_plan_input(b->plan), r * b->channels + *offset + i, values[constant ? i : r * width + i]);
  *offset += width;
  free(values);
  return NAS_OK;
}

static nas_status load_param(bench *b, const nas_golden_link *link, nas_err *err) {
  const nas_tensor_info *tensor = tensor_of(b, link->ours);
  double *values;
  int64_t n;
  if (!tensor) return nas_fail(err, NAS_E_INTERNAL, b->row->name, "no parameter %s", link->ours);
  NAS_TRY(take(b->file, value_of(b->file, link), link, &values, &n, err));
  nas_status status = NAS_OK;
  if (n != tensor->count)
    status = nas_fail(err, NAS_E_BAD_INPUT, b->file->path, "'%s' has %lld numbers, but the formula takes %lld",
                      link->theirs, (long long)n, (long long)tensor->count);
  void *to = tensor->running ? nas_model_state_data(b->model) : nas_model_param_data(b->model);
  for (int64_t i = 0; status == NAS_OK && i < n; i++) set(b, to, tensor->offset + i, values[i]);
  free(values);
  return status;
}

static nas_status load(bench *b, nas_err *err) {
  int64_t offset = 0;
  for (const nas_golden_link *l = b->row->links; l->theirs; l++) {
    if (is(l, "output") || is(l, "probe")) continue;
    if (is(l, "input") || is(l, "constant")) NAS_TRY(load_input(b, l, &offset, err));
    else NAS_TRY(load_param(b, l, err));
  }
  return NAS_OK;
}

static nas_golden_error *entry(nas_golden_report *r, const char *prefix, const char *name) {
  char full[sizeof r->rows->tensor];
  nas_text_put(full, sizeof full, "%s%s", prefix, name);
  for (int i = 0; i < r->n; i++)
    if (!strcmp(r->rows[i].tensor, full)) return &r->rows[i];
  if (r->n == NAS_GOLDEN_ERRORS_MAX) return NULL;
  nas_golden_error *e = &r->rows[r->n++];
  *e = (nas_golden_error){.wide = 0};
  memcpy(e->tensor, full, sizeof full);
  return e;
}

/* found(i) against values[i]; a NaN is an infinite error. */
static void note(const bench *b, nas_golden_report *report, const char *prefix, const char *name, const void *found,
                 const double *values, int64_t first, int64_t width, int64_t stride, int64_t n) {
  nas_golden_error *e = entry(report, prefix, name);
  double most = 0, largest = 0;
  for (int64_t i = 0; i < n; i++) {
    double d = fabs(get(b, found, first + i / width * stride + i % width) - values[i]);
    most = d <= most ? most : isnan(d) ? INFINITY : d;
    largest = fmax(largest, fabs(values[i]));
  }
  if (!e) return;
  if (b->dtype == NAS_F64) e->wide = fmax(e->wide, largest > 0 ? most / largest : most);
  else e->single = fmax(e->single, largest > 0 ? most / largest : most);
}

static nas_status compare_output(const bench *b, const nas_golden_link *link, nas_golden_report *report, nas_err *err) {
  double *values;
  int64_t n;
  NAS_TRY(take(b->file, member(b->file, "outputs", link->theirs), link, &values, &n, err));
  note(b, report, "", link->theirs, nas_plan_logits(b->plan), values, 0, n, 0, n);
  free(values);
  return NAS_OK;
}

static nas_status compare_probe(const bench *b, const nas_golden_link *link, nas_golden_report *report, nas_err *err) {
  double *values;
  int64_t n, found_n;
  const json_t *value = member(b->file, "outputs", link->theirs);
  if (!value) return NAS_OK;
  NAS_TRY(take(b->file, value, link, &values, &n, err));
  double *found = malloc((size_t)n * sizeof *found);
  nas_status status =
      found ? nas_plan_probe(b->plan, link->theirs, found, n, &found_n, err) : nas_fail_memory(err, "a tensor");
  if (status == NAS_OK && found_n != n)
    status = nas_fail(err, NAS_E_BAD_INPUT, b->file->path, "'%s' has %lld numbers, but the formula gives %lld",
                      link->theirs, (long long)n, (long long)found_n);
  if (status == NAS_OK) {
    bench wide = *b; /* probes are in double whatever the precision */
    nas_golden_report own = {.n = 0};
    wide.dtype = NAS_F64;
    note(&wide, &own, "", link->theirs, found, values, 0, n, 0, n);
    nas_golden_error *e = entry(report, "", link->theirs);
    if (e && b->dtype == NAS_F64) e->wide = own.rows[0].wide;
    if (e && b->dtype == NAS_F32) e->single = own.rows[0].wide;
  }
  free(found);
  free(values);
  return status;
}

static nas_status compare_gradient(const bench *b, const nas_golden_link *link, int64_t *offset,
                                   nas_golden_report *report, nas_err *err) {
  bool input = is(link, "input");
  const nas_tensor_info *tensor = input ? NULL : tensor_of(b, link->ours);
  double *values;
  int64_t n;
  NAS_TRY(take(b->file, member(b->file, "grads", link->theirs), link, &values, &n, err));
  if (input) {
    int64_t width = n / b->rows;
    note(b, report, "grad ", link->theirs, nas_plan_input_gradient(b->plan), values, *offset, width, b->channels, n);
    *offset += width;
  } else if (!tensor->running) {
    note(b, report, "grad ", link->theirs, nas_model_grad_data(b->model), values, tensor->offset, n, 0, n);
  }
  free(values);
  return NAS_OK;
}

static nas_status backward(bench *b, const nas_golden_link *output, nas_err *err) {
  double *weights;
  int64_t n;
  NAS_TRY(take(b->file, json_object_get(b->file->root, "loss_w"), output, &weights, &n, err));
  void *own = malloc((size_t)n * sizeof(double));
  for (int64_t i = 0; own && i < n; i++) set(b, own, i, weights[i]);
  if (own) nas_plan_backward_from(b->plan, own);
  free(own);
  free(weights);
  return own ? NAS_OK : nas_fail_memory(err, "loss weights");
}

static nas_status run(bench *b, bool probes, nas_golden_report *report, nas_err *err) {
  const nas_golden_link *output = NULL;
  nas_shape last;
  NAS_TRY(load(b, err));
  nas_plan_forward(b->plan, 1, 1);
  for (const nas_golden_link *l = b->row->links; l->theirs; l++) {
    if (is(l, "probe") && probes) NAS_TRY(compare_probe(b, l, report, err));
    if (is(l, "output")) output = l;
  }
  if (!output) return nas_fail(err, NAS_E_INTERNAL, b->row->name, "a row without an output");
  if (probes && b->dtype == NAS_F32) return NAS_OK;
  last = nas_graph_shape(b->graph, nas_graph_output(b->graph));
  if (flatten(member(b->file, "outputs", "y"), NULL) != (int64_t)b->batch * last.c)
    return nas_fail(err, NAS_E_BAD_INPUT, b->file->path, "'y' does not have the %lld numbers that the formula gives",
                    (long long)b->batch * last.c);
  NAS_TRY(compare_output(b, output, report, err));
  NAS_TRY(backward(b, output, err));
  int64_t offset = 0;
  for (const nas_golden_link *l = b->row->links; l->theirs; l++)
    if (!is(l, "output") && !is(l, "probe") && !is(l, "constant"))
      NAS_TRY(compare_gradient(b, l, &offset, report, err));
  return NAS_OK;
}

/* Every tensor of the file must have its link, and every link but those of side results its tensor. */
static nas_status check_links(const nas_golden *g, const nas_golden_row *row, nas_err *err) {
  static const char *const sections[] = {"inputs", "params", "outputs"};
  const char *name;
  json_t *value;
  for (size_t i = 0; i < 3; i++) json_object_foreach(json_object_get(g->root, sections[i]), name, value) {
      const nas_golden_link *l = row->links;
      while (l->theirs && strcmp(l->theirs, name) != 0) l++;
      if (!l->theirs)
        return nas_fail(err, NAS_E_BAD_INPUT, g->path, "%s has no tensor '%s'; is \"name\" right?", row->name, name);
    }
  for (const nas_golden_link *l = row->links; l->theirs; l++)
    if (!is(l, "output") && !is(l, "probe") && !value_of(g, l))
      return nas_fail(err, NAS_E_BAD_INPUT, g->path, "no tensor '%s'; the file is incomplete", l->theirs);
  return NAS_OK;
}

static nas_status run_once(const nas_golden *g, const nas_golden_row *row, nas_dtype dtype, bool reference,
                           nas_golden_report *report, nas_err *err) {
  bench b = {.file = g, .row = row, .dtype = dtype};
  nas_status status = row->build(g, &b.graph, err);
  if (status == NAS_OK) status = measure(&b, err);
  if (status == NAS_OK) status = nas_model_new(b.graph, dtype, &b.model, err);
  nas_plan_options options = {.batch = b.batch, .mode = NAS_TRAIN, .input_gradient = true, .reference = reference};
  if (status == NAS_OK) status = nas_plan_new(b.model, &options, &b.plan, err);
  if (status == NAS_OK) status = run(&b, reference, report, err);
  nas_plan_free(b.plan);
  nas_model_free(b.model);
  nas_graph_free(b.graph);
  return status;
}

nas_status nas_golden_check(const nas_golden *g, nas_golden_report *out, nas_err *err) {
  const nas_golden_row *row;
  *out = (nas_golden_report){.n = 0};
  NAS_TRY(nas_golden_find(nas_golden_name(g), &row, err));
  NAS_TRY(check_links(g, row, err));
  NAS_TRY(run_once(g, row, NAS_F64, true, out, err));
  NAS_TRY(run_once(g, row, NAS_F32, true, out, err)); /* side results: reference plans only */
  return run_once(g, row, NAS_F32, false, out, err);
}

nas_status nas_golden_find(const char *name, const nas_golden_row **out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (*out = nas_golden_rows(); (*out)->name; (*out)++) {
    size_t prefix = strcspn((*out)->name, "*");
    if (!strcmp((*out)->name, name) || ((*out)->name[prefix] && !strncmp((*out)->name, name, prefix))) return NAS_OK;
    nas_guess_add(&guess, (*out)->name);
  }
  *out = NULL;
  return nas_fail(err, NAS_E_UNKNOWN_NAME, NULL, "no formula '%s'%s", name, nas_guess_text(&guess));
}
