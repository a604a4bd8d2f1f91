/* nascent space: list, describe, sample, enumerate, show and draw search spaces. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/commands.h"
#include "space/space.h"

enum { SAMPLES_MAX = 1000000, ROWS_AT_ONCE = 1000 };

/* What the verbs share: the space as named on the line, and the task that parameters and MACs are counted for. */
typedef struct session {
  nas_cli *cli;
  nas_space *space;
  nas_task task;
} session;

static nas_status parse_task(const char *input, int64_t classes, nas_task *out, nas_err *err) {
  int c, h, w, used = -1;
  if (sscanf(input, "%6dx%6dx%6d%n", &c, &h, &w, &used) != 3 || input[used] || c < 1 || h < 1 || w < 1)
    return nas_fail(err, NAS_E_USAGE, "--input", "'%s' is not of the form CHANNELSxHEIGHTxWIDTH, such as 3x32x32",
                    input);
  if (classes < 1 || classes > 1000000)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "--classes", "%lld classes; 1..1000000 are possible", (long long)classes);
  *out = (nas_task){{c, h, w}, (int32_t)classes};
  return NAS_OK;
}

static nas_status open_session(session *s, nas_cli *cli, nas_err *err) {
  const nas_space_type *type;
  nas_settings settings = {0};
  s->cli = cli;
  NAS_TRY(nas_space_find(cli->args[0], &type, err));
  nas_status status = nas_cli_section(cli, "space", type->options, &settings, err);
  if (status == NAS_OK) status = nas_cli_unused_override(cli, err);
  if (status == NAS_OK) status = nas_space_open(type->name, &settings, &s->space, err);
  nas_settings_free(&settings);
  return status;
}

/* ---- an architecture with its figures ---- */

enum { MATCHES = 24 };

typedef struct facts {
  char arch[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  char index[24], class_id[24], params[24], macs[24]; /* empty where the space has none */
  double ratio;                                       /* of matched neurons; NaN: none */
  nas_net_match matches[MATCHES];                     /* the first few */
  int32_t n_matches;
} facts;

static nas_status find_facts(const session *s, const nas_arch *arch, facts *out, nas_err *err) {
  uint64_t number;
  nas_net *net;
  *out = (facts){.ratio = (double)NAN};
  NAS_TRY(nas_space_format(s->space, arch, out->arch, err));
  NAS_TRY(nas_space_canonical(s->space, arch, out->canonical, err));
  if (nas_space_index(s->space, arch, &number)) nas_text_put(out->index, sizeof out->index, "%ju", (uintmax_t)number);
  if (nas_space_class(s->space, arch, &number))
    nas_text_put(out->class_id, sizeof out->class_id, "%ju", (uintmax_t)number);
  nas_status status = nas_space_net(s->space, arch, s->task, &net, err);
  if (status == NAS_E_UNSUPPORTED) return NAS_OK; /* a declared space */
  if (status != NAS_OK) return status;
  nas_text_put(out->params, sizeof out->params, "%lld", (long long)net->params);
  nas_text_put(out->macs, sizeof out->macs, "%lld", (long long)net->macs);
  out->ratio = nas_net_match_ratio(net);
  for (int32_t i = 0; i < net->n_matches && i < MATCHES; i++) out->matches[out->n_matches++] = net->matches[i];
  nas_net_free(net);
  return NAS_OK;
}

/* People get the columns that fit a line; programs get all. */
static nas_table *facts_table(const nas_cli *cli, const char *schema) {
  static const char *const all[] = {"space", "arch", "index", "canonical", "class", "params", "macs"};
  static const char *const few[] = {"index", "class", "params", "macs", "arch"};
  bool full = cli->json || cli->csv;
  return nas_table_new(schema, full ? all : few, full ? "llrlrrr" : "rrrrl", full ? 7 : 5);
}

static void add_facts(nas_table *t, const session *s, const facts *f) {
  bool full = s->cli->json || s->cli->csv;
  if (full) {
    nas_table_cell(t, "%s", nas_space_type_of(s->space)->name);
    nas_table_cell(t, "%s", f->arch);
  }
  nas_table_cell(t, "%s", f->index);
  if (full) nas_table_cell(t, "%s", f->canonical);
  nas_table_cell(t, "%s", f->class_id);
  nas_table_cell(t, "%s", f->params);
  nas_table_cell(t, "%s", f->macs);
  if (!full) nas_table_cell(t, "%s", f->arch);
}

/* The k-th architecture of a listing. */
typedef nas_status (*pick_fn)(const session *s, const void *arg, uint64_t k, nas_arch *out, nas_err *err);

static nas_status print_listing(const session *s, const char *schema, uint64_t n, pick_fn pick, const void *arg,
                                nas_err *err) {
  nas_table *t = facts_table(s->cli, schema);
  if (!t) return nas_fail_memory(err, "a table");
  for (uint64_t k = 0; k < n; k++) {
    nas_arch arch;
    facts f;
    nas_status status = pick(s, arg, k, &arch, err);
    if (status == NAS_OK) status = find_facts(s, &arch, &f, err);
    if (status == NAS_OK) add_facts(t, s, &f);
    /* A space may have more rows than memory. */
    if (status == NAS_OK && (k + 1) % ROWS_AT_ONCE == 0) status = nas_table_flush(t, s->cli, err);
    if (status != NAS_OK) {
      nas_table_free(t);
      return status;
    }
  }
  return nas_table_print(t, s->cli, err);
}

/* ---- list, info ---- */

/* Zero stands for "not counted". */
static void add_count(nas_table *t, uint64_t count) {
  if (count) nas_table_cell(t, "%ju", (uintmax_t)count);
  else nas_table_cell(t, "%s", "");
}

static nas_status list_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const columns[] = {"space", "version", "architectures", "classes", "summary"};
  const nas_usage usage = {"", 0, 0, NULL, NULL};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  nas_table *t = nas_table_new("nascent.space-list", columns, "lrrrl", 5);
  for (const nas_space_type *const *type = nas_space_types(); *type; type++) {
    nas_space *space;
    nas_status status = nas_space_open((*type)->name, NULL, &space, err);
    if (status != NAS_OK) {
      nas_table_free(t);
      return status;
    }
    nas_table_cell(t, "%s", (*type)->name);
    nas_table_cell(t, "%d", (*type)->version);
    add_count(t, nas_space_size(space));
    add_count(t, nas_space_classes(space));
    nas_table_cell(t, "%s", (*type)->summary);
    nas_space_close(space);
  }
  return nas_table_print(t, cli, err);
}

static void add_count_json(nas_str *out, const char *name, uint64_t count) {
  nas_str_fmt(out, ", \"%s\": ", name);
  if (count) nas_str_fmt(out, "%ju", (uintmax_t)count);
  else nas_str_add(out, "null");
}

static void info_json(const nas_space *space, nas_str *out) {
  const nas_space_type *type = nas_space_type_of(space);
  nas_str_add(out, "{\"schema\": \"nascent.space-info\", \"space\": ");
  nas_str_json(out, type->name);
  nas_str_fmt(out, ", \"version\": %d, \"summary\": ", type->version);
  nas_str_json(out, type->summary);
  nas_str_add(out, ", \"citation\": ");
  nas_str_json(out, type->citation);
  add_count_json(out, "architectures", nas_space_size(space));
  add_count_json(out, "classes", nas_space_classes(space));
  nas_str_add(out, ", \"genes\": [");
  for (uint8_t g = 0; g < nas_space_genes(space); g++) {
    nas_str_add(out, g ? ", [" : "[");
    for (uint8_t c = 0; c < nas_space_choices(space, g); c++) {
      if (c) nas_str_add(out, ", ");
      nas_str_json(out, nas_space_choice_name(space, g, c));
    }
    nas_str_add(out, "]");
  }
  nas_str_add(out, "], \"options\": ");
  nas_options_help_json(type->options, out);
  nas_str_add(out, "}\n");
}

static void info_text(const nas_space *space, nas_str *out) {
  const nas_space_type *type = nas_space_type_of(space);
  nas_str_fmt(out, "%s (version %d): %s\n%s\n\n", type->name, type->version, type->summary, type->citation);
  if (nas_space_size(space)) nas_str_fmt(out, "architectures   %ju\n", (uintmax_t)nas_space_size(space));
  if (nas_space_classes(space)) nas_str_fmt(out, "unique classes  %ju\n", (uintmax_t)nas_space_classes(space));
  nas_str_fmt(out, "genes           %d\nneighbours      %u\nchoices        ", nas_space_genes(space),
              nas_space_neighbours(space));
  for (uint8_t c = 0; c < nas_space_choices(space, 0); c++) nas_str_fmt(out, " %s", nas_space_choice_name(space, 0, c));
  nas_str_add(out, "\n\nOptions (name, default, range, meaning):\n");
  nas_options_help(type->options, out);
}

static nas_status info_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"SPACE", 1, 1, NULL, NULL};
  session s = {0};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(open_session(&s, cli, err));
  nas_str out = {0};
  (cli->json ? info_json : info_text)(s.space, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  nas_space_close(s.space);
  return status;
}

/* ---- sample, enumerate ---- */

#define INPUT_HELP   "image that parameters and MACs are counted for (default 3x32x32)"
#define CLASSES_HELP "classes that they are counted for (default 10)"

typedef struct sampling {
  int64_t n, seed;
  bool unique;
} sampling;

static nas_status pick_sample(const session *s, const void *arg, uint64_t k, nas_arch *out, nas_err *err) {
  const sampling *how = arg;
  nas_rng rng = nas_rng_make((uint64_t)how->seed, (uint32_t)k, NAS_STREAM_SAMPLE);
  return nas_space_sample(s->space, rng, 0, how->unique, out, err);
}

static nas_status sample_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  sampling how = {.n = 1};
  const char *input = "3x32x32";
  int64_t classes = 10;
  const nas_flag flags[] = {{"count", 'n', NAS_FLAG_INT, &how.n, "N", "how many (default 1)"},
                            {"seed", 0, NAS_FLAG_INT, &how.seed, "N", "seed of the random numbers (default 0)"},
                            {"unique", 0, NAS_FLAG_SWITCH, &how.unique, NULL, "uniform over unique classes"},
                            {"input", 0, NAS_FLAG_TEXT, &input, "CxHxW", INPUT_HELP},
                            {"classes", 0, NAS_FLAG_INT, &classes, "N", CLASSES_HELP},
                            {0}};
  const nas_usage usage = {"SPACE", 1, 1, flags,
                           "Draws architectures uniformly, with replacement; the k-th one depends on the seed and k\n"
                           "only. With --unique each class is as likely as any other and its first member is shown."};
  session s = {0};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (how.n < 1 || how.n > SAMPLES_MAX)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "--count", "%lld samples; 1..%d are possible", (long long)how.n,
                    SAMPLES_MAX);
  NAS_TRY(parse_task(input, classes, &s.task, err));
  NAS_TRY(open_session(&s, cli, err));
  nas_status status = print_listing(&s, "nascent.space-sample", (uint64_t)how.n, pick_sample, &how, err);
  nas_space_close(s.space);
  return status;
}

typedef struct range {
  int64_t from, count;
  bool unique;
} range;

static nas_status pick_next(const session *s, const void *arg, uint64_t k, nas_arch *out, nas_err *err) {
  const range *r = arg;
  uint64_t number = (uint64_t)r->from + k;
  return r->unique ? nas_space_class_first(s->space, number, out, err) : nas_space_at(s->space, number, out, err);
}

static nas_status enumerate(session *s, range *r, nas_err *err) {
  uint64_t size = r->unique ? nas_space_classes(s->space) : nas_space_size(s->space);
  const char *name = nas_space_type_of(s->space)->name;
  if (!size) return nas_fail(err, NAS_E_UNSUPPORTED, "space", "%s is too large to enumerate; sample it", name);
  if (r->from < 0 || (uint64_t)r->from >= size)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "--from", "%lld lies outside 0..%ju of %s", (long long)r->from,
                    (uintmax_t)size - 1, name);
  if (r->count < 0) return nas_fail(err, NAS_E_OUT_OF_RANGE, "--count", "%lld is negative", (long long)r->count);
  uint64_t left = size - (uint64_t)r->from, n = r->count && (uint64_t)r->count < left ? (uint64_t)r->count : left;
  return print_listing(s, "nascent.space-enumerate", n, pick_next, r, err);
}

static nas_status enumerate_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  range r = {0};
  const char *input = "3x32x32";
  int64_t classes = 10;
  const nas_flag flags[] = {{"unique", 0, NAS_FLAG_SWITCH, &r.unique, NULL, "the first member of each class"},
                            {"from", 0, NAS_FLAG_INT, &r.from, "I", "first index, or class with --unique (default 0)"},
                            {"count", 'n', NAS_FLAG_INT, &r.count, "N", "at most so many (default: all)"},
                            {"input", 0, NAS_FLAG_TEXT, &input, "CxHxW", INPUT_HELP},
                            {"classes", 0, NAS_FLAG_INT, &classes, "N", CLASSES_HELP},
                            {0}};
  const nas_usage usage = {"SPACE", 1, 1, flags, "Lists architectures in index order."};
  session s = {0};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(parse_task(input, classes, &s.task, err));
  NAS_TRY(open_session(&s, cli, err));
  nas_status status = enumerate(&s, &r, err);
  nas_space_close(s.space);
  return status;
}

/* ---- show, draw ---- */

static void matches_json(const facts *f, nas_str *out) {
  if (isnan(f->ratio)) return;
  nas_str_fmt(out, ", \"match_ratio\": %.17g, \"matches\": [", f->ratio);
  for (int32_t i = 0; i < f->n_matches; i++) {
    const nas_net_match *m = &f->matches[i];
    nas_str_add(out, i ? ", {\"label\": " : "{\"label\": ");
    nas_str_json(out, m->label);
    nas_str_add(out, ", \"neuron\": ");
    nas_str_json(out, m->type);
    nas_str_fmt(out, ", \"rank\": %d, \"neurons\": %d, \"readout\": %s, \"cost\": %lld, \"budget\": %lld}", m->rank,
                m->neurons, m->readout ? "true" : "false", (long long)m->cost, (long long)m->budget);
  }
  nas_str_add(out, "]");
}

/* How each layer came by its cost. */
static void matches_text(const facts *f, nas_str *out) {
  if (isnan(f->ratio)) return;
  nas_str_fmt(out, "match      %.4f of the linear layers\n", f->ratio);
  for (int32_t i = 0; i < f->n_matches; i++) {
    const nas_net_match *m = &f->matches[i];
    char before[32] = "";
    if (m->rank) nas_text_put(before, sizeof before, "linear to %d, ", m->rank);
    nas_str_fmt(out, "  %-14s %s%d x %s%s: %lld for %lld, %.4f\n", m->label, before, m->neurons, m->type,
                m->readout ? ", linear readout" : "", (long long)m->cost, (long long)m->budget,
                (double)m->cost / (double)m->budget);
  }
}

static void show_json(const session *s, const facts *f, nas_str *out) {
  const nas_space_type *type = nas_space_type_of(s->space);
  nas_str_add(out, "{\"schema\": \"nascent.space-show\", \"space\": ");
  nas_str_json(out, type->name);
  nas_str_add(out, ", \"arch\": ");
  nas_str_json(out, f->arch);
  nas_str_fmt(out, ", \"index\": %s, \"canonical\": ", *f->index ? f->index : "null");
  nas_str_json(out, f->canonical);
  nas_str_fmt(out, ", \"class\": %s, \"params\": %s, \"macs\": %s", *f->class_id ? f->class_id : "null",
              *f->params ? f->params : "null", *f->macs ? f->macs : "null");
  matches_json(f, out);
  nas_str_fmt(out, ", \"input\": [%d, %d, %d], \"classes\": %d, \"options\": ", s->task.input.c, s->task.input.h,
              s->task.input.w, s->task.classes);
  nas_options_json(type->options, nas_space_options(s->space), out);
  nas_str_add(out, "}\n");
}

static void show_text(const session *s, const facts *f, nas_str *out) {
  nas_str_fmt(out, "space      %s\narch       %s\n", nas_space_type_of(s->space)->name, f->arch);
  if (*f->index) nas_str_fmt(out, "index      %s\n", f->index);
  nas_str_fmt(out, "canonical  %s\n", f->canonical);
  if (*f->class_id) nas_str_fmt(out, "class      %s\n", f->class_id);
  if (*f->params) nas_str_fmt(out, "params     %s\nmacs       %s\n", f->params, f->macs);
  matches_text(f, out);
}

static nas_status print_layers(const session *s, const nas_arch *arch, nas_err *err) {
  static const char *const columns[] = {"layer", "op", "channels", "height", "width", "params", "macs", "label"};
  nas_net *net;
  NAS_TRY(nas_space_net(s->space, arch, s->task, &net, err));
  nas_table *t = nas_table_new("nascent.space-layers", columns, "rlrrrrrl", 8);
  for (int32_t i = 0; i < net->n; i++) {
    const nas_layer *l = &net->layers[i];
    nas_table_cell(t, "%d", i);
    nas_table_cell(t, "%s", l->op);
    nas_table_cell(t, "%d", l->shape.c);
    nas_table_cell(t, "%d", l->shape.h);
    nas_table_cell(t, "%d", l->shape.w);
    nas_table_cell(t, "%lld", (long long)l->params);
    nas_table_cell(t, "%lld", (long long)l->macs);
    nas_table_cell(t, "%s", l->label);
  }
  nas_net_free(net);
  return nas_table_print(t, s->cli, err);
}

static nas_status show(const session *s, bool layers, nas_err *err) {
  nas_arch arch;
  facts f;
  NAS_TRY(nas_space_parse(s->space, s->cli->args[1], &arch, err));
  if (layers) return print_layers(s, &arch, err);
  NAS_TRY(find_facts(s, &arch, &f, err));
  nas_str out = {0};
  (s->cli->json ? show_json : show_text)(s, &f, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static nas_status show_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *input = "3x32x32";
  int64_t classes = 10;
  bool layers = false;
  const nas_flag flags[] = {{"layers", 0, NAS_FLAG_SWITCH, &layers, NULL, "list the layers of the network"},
                            {"input", 0, NAS_FLAG_TEXT, &input, "CxHxW", INPUT_HELP},
                            {"classes", 0, NAS_FLAG_INT, &classes, "N", CLASSES_HELP},
                            {0}};
  const nas_usage usage = {"SPACE ARCH", 2, 2, flags, "ARCH is the text form or a decimal index."};
  session s = {0};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(parse_task(input, classes, &s.task, err));
  NAS_TRY(open_session(&s, cli, err));
  nas_status status = show(&s, layers, err);
  nas_space_close(s.space);
  return status;
}

static nas_status draw(const session *s, const char *format, const char *output, nas_err *err) {
  nas_arch arch;
  nas_str out = {0};
  NAS_TRY(nas_space_parse(s->space, s->cli->args[1], &arch, err));
  nas_status status = nas_space_draw(s->space, &arch, s->task, format, &out, err);
  if (status == NAS_OK && output) status = nas_file_write_atomic(output, out.s, out.len, err);
  else if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static nas_status draw_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *format = NULL, *output = NULL, *input = "3x32x32";
  int64_t classes = 10;
  const nas_flag flags[] = {{"format", 0, NAS_FLAG_TEXT, &format, "FORMAT", "svg (default), dot or json"},
                            {"output", 0, NAS_FLAG_TEXT, &output, "FILE", "write to a file instead of stdout"},
                            {"input", 0, NAS_FLAG_TEXT, &input, "CxHxW", "image that the caption counts for (3x32x32)"},
                            {"classes", 0, NAS_FLAG_INT, &classes, "N", "classes that the caption counts for (10)"},
                            {0}};
  const nas_usage usage = {"SPACE ARCH", 2, 2, flags, "ARCH is the text form or a decimal index."};
  session s = {0};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(parse_task(input, classes, &s.task, err));
  if (!format) format = cli->json ? "json" : "svg";
  NAS_TRY(open_session(&s, cli, err));
  nas_status status = draw(&s, format, output, err);
  nas_space_close(s.space);
  return status;
}

nas_status nas_cmd_space(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const nas_command verbs[] = {{"list", "list the search spaces", list_verb},
                                      {"info", "describe a space and its options", info_verb},
                                      {"sample", "draw architectures at random", sample_verb},
                                      {"enumerate", "list architectures in index order", enumerate_verb},
                                      {"show", "show one architecture with its figures", show_verb},
                                      {"draw", "draw one architecture as SVG, DOT or JSON", draw_verb},
                                      {NULL, NULL, NULL}};
  return nas_cli_dispatch(cli, "space", verbs, argc, argv, err);
}
