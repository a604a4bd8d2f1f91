/* nascent train: trains one architecture and prints its curve, epoch by epoch. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "cli/commands.h"
#include "space/space.h"
#include "train/trainer.h"

/* The command line as given, what was opened by it, and what came out. */
typedef struct session {
  nas_cli *cli;
  const char *space_name, *arch_text, *dataset_name, *recipe_name, *memory, *seconds, *checkpoint;
  int64_t seed;
  nas_space *space;
  nas_arch arch;
  nas_dataset *data;
  nas_recipe recipe;
  nas_net *net;
  nas_result result;
  nas_progress progress;
  bool resumed, headed, no_recompute;
} session;

/* ---- signals ---- */

static volatile sig_atomic_t stop_flag;

/* The first signal asks the trainer to save and stop; the second has its usual effect. */
static void on_signal(int signal_number) { stop_flag = signal_number; }

static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

/* ---- opening what the line names ---- */

/* Takes the options of one section from -o; `status` keeps the first error. */
static void section(session *s, const char *name, const nas_option *table, nas_settings *out, nas_status *status,
                    nas_err *err) {
  if (*status == NAS_OK) *status = nas_cli_section(s->cli, name, table, out, err);
}

static nas_status open_parts(session *s, nas_err *err) {
  const nas_space_type *space;
  const nas_dataset_type *dataset;
  const nas_recipe_type *recipe;
  nas_settings of_recipe = {0}, of_dataset = {0}, of_space = {0};
  NAS_TRY(nas_space_find(s->space_name, &space, err));
  NAS_TRY(nas_dataset_find(s->dataset_name, &dataset, err));
  NAS_TRY(nas_recipe_find(s->recipe_name, &recipe, err));
  nas_status status = NAS_OK;
  section(s, "recipe", nas_recipe_options(), &of_recipe, &status, err);
  section(s, "dataset", dataset->options, &of_dataset, &status, err);
  section(s, "space", space->options, &of_space, &status, err);
  if (status == NAS_OK) status = nas_cli_unused_override(s->cli, err);
  if (status == NAS_OK) status = nas_recipe_open(recipe->name, &of_recipe, &s->recipe, err);
  if (status == NAS_OK) status = nas_space_open(space->name, &of_space, &s->space, err);
  if (status == NAS_OK) status = nas_space_parse(s->space, s->arch_text, &s->arch, err);
  if (status == NAS_OK) status = nas_dataset_open(s->dataset_name, &of_dataset, s->cli->data_dir, &s->data, err);
  if (status == NAS_OK) status = nas_space_net(s->space, &s->arch, s->data->task, &s->net, err);
  nas_settings_free(&of_recipe);
  nas_settings_free(&of_dataset);
  nas_settings_free(&of_space);
  return status;
}

static void close_parts(session *s) {
  nas_net_free(s->net);
  nas_dataset_close(s->data);
  nas_space_close(s->space);
  nas_result_free(&s->result);
}

/* ---- printing ---- */

enum { FIGURES = 8 };
static const char *const figure_names[FIGURES] = {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy",
                                                  "test_loss",  "test_accuracy",  "seconds",    "valid_seconds"};

static void figures_of(const nas_epoch *e, double out[FIGURES]) {
  const double all[FIGURES] = {e->train_loss, e->train_accuracy, e->valid_loss, e->valid_accuracy,
                               e->test_loss,  e->test_accuracy,  e->seconds,    e->valid_seconds};
  memcpy(out, all, sizeof all);
}

static void add_epoch_json(nas_str *out, const nas_epoch *e) {
  double figures[FIGURES];
  figures_of(e, figures);
  nas_str_fmt(out, "{\"epoch\": %d", e->epoch);
  for (int i = 0; i < FIGURES; i++) {
    nas_str_fmt(out, ", \"%s\": ", figure_names[i]);
    nas_str_json_number(out, figures[i]);
  }
  nas_str_add(out, "}");
}

static void add_epoch_csv(nas_str *out, const nas_epoch *e) {
  double figures[FIGURES];
  char text[32];
  figures_of(e, figures);
  nas_str_fmt(out, "%d", e->epoch);
  for (int i = 0; i < FIGURES; i++) nas_str_fmt(out, ",%s", isnan(figures[i]) ? "" : nas_text_double(text, figures[i]));
  nas_str_add(out, "\n");
}

static void add_epoch_text(nas_str *out, const nas_epoch *e) {
  double figures[FIGURES];
  char text[32];
  figures_of(e, figures);
  nas_str_fmt(out, "%5d", e->epoch);
  for (int i = 0; i < FIGURES; i++) {
    bool loss = i < 6 && i % 2 == 0;
    bool small = loss && figures[i] > 0 && figures[i] < 1e-3; /* squared errors */
    nas_text_put(text, sizeof text, isnan(figures[i]) ? "-" : small ? "%.2e" : loss ? "%.4f" : "%.2f", figures[i]);
    nas_str_fmt(out, "  %*s", (int)strlen(figure_names[i]), text);
  }
  nas_str_add(out, "\n");
}

/* Above the first row, so that a training that is refused prints no table. */
static void print_heading(session *s) {
  const nas_cli *cli = s->cli;
  if (cli->json || s->headed) return;
  s->headed = true;
  fputs("epoch", stdout);
  for (int i = 0; i < FIGURES; i++) printf("%s%s", cli->csv ? "," : "  ", figure_names[i]);
  fputs("\n", stdout);
}

/* Rows go out as the epochs end; a plain JSON object has to wait for the last. Errors of stdout show at the end. */
static void on_epoch(void *arg, const nas_epoch *e) {
  session *s = arg;
  const nas_cli *cli = s->cli;
  nas_str row = {0};
  s->progress.done = (int64_t)e->epoch * s->data->n_train;
  nas_text_put(s->progress.note, sizeof s->progress.note, "epoch %d of %lld, valid %.2f %%", e->epoch,
               (long long)s->recipe.epochs, e->valid_accuracy);
  if (cli->json && !cli->json_lines) return;
  if (cli->json_lines) {
    add_epoch_json(&row, e);
    nas_str_add(&row, "\n");
  } else {
    (cli->csv ? add_epoch_csv : add_epoch_text)(&row, e);
  }
  nas_progress_clear(&s->progress);
  print_heading(s);
  fputs(nas_str_text(&row), stdout);
  fflush(stdout);
  nas_str_free(&row);
}

static void on_step(void *arg, int32_t epoch, double share) {
  session *s = arg;
  int64_t done = (int64_t)((epoch - 1 + share) * (double)s->data->n_train);
  if (!s->resumed && epoch > 1 && s->progress.first == 0)
    s->progress.first = done; /* a checkpoint's part has no rate */
  s->resumed = true;
  s->progress.done = done;
  nas_progress_draw(&s->progress, false);
}

static void add_number(nas_str *out, const char *name, bool known, uint64_t value) {
  nas_str_fmt(out, ", \"%s\": ", name);
  if (known) nas_str_fmt(out, "%ju", (uintmax_t)value);
  else nas_str_add(out, "null");
}

static nas_status add_architecture(const session *s, nas_str *out, nas_err *err) {
  char arch[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  uint64_t number = 0;
  NAS_TRY(nas_space_format(s->space, &s->arch, arch, err));
  NAS_TRY(nas_space_canonical(s->space, &s->arch, canonical, err));
  nas_str_add(out, "\"space\": ");
  nas_str_json(out, nas_space_type_of(s->space)->name);
  nas_str_add(out, ", \"space_options\": ");
  nas_options_json(nas_space_type_of(s->space)->options, nas_space_options(s->space), out);
  nas_str_add(out, ", \"arch\": ");
  nas_str_json(out, arch);
  bool known = nas_space_index(s->space, &s->arch, &number);
  add_number(out, "index", known, number);
  nas_str_add(out, ", \"canonical\": ");
  nas_str_json(out, canonical);
  known = nas_space_class(s->space, &s->arch, &number);
  add_number(out, "class", known, number);
  return NAS_OK;
}

static nas_status print_object(const session *s, nas_err *err) {
  const nas_result *r = &s->result;
  nas_str out = {0};
  nas_str_add(&out, "{\"schema\": \"nascent.train\", ");
  nas_status status = add_architecture(s, &out, err);
  nas_str_add(&out, ", \"dataset\": ");
  nas_str_json(&out, s->data->type->name);
  nas_str_fmt(&out, ", \"dataset_digest\": \"%s\", \"split_digest\": \"%s\", \"recipe\": ", s->data->digest,
              s->data->split);
  nas_str_json(&out, s->recipe.name);
  nas_str_add(&out, ", \"recipe_options\": ");
  nas_options_json(nas_recipe_options(), &s->recipe, &out);
  nas_str_fmt(&out, ", \"seed\": %lld, \"outcome\": \"%s\", \"cause\": ", (long long)s->seed,
              nas_outcome_text(r->outcome));
  nas_str_json(&out, r->outcome == NAS_OUTCOME_OK ? NULL : r->cause.msg);
  for (size_t i = 0; i < r->n_metrics; i++) {
    if (strcmp(r->metrics[i].name, "epochs") == 0) continue; /* the list below has that name */
    nas_str_fmt(&out, ", \"%s\": ", r->metrics[i].name);
    nas_str_json_number(&out, r->metrics[i].value);
  }
  nas_str_add(&out, ", \"epochs\": [");
  for (size_t i = 0; i < r->n_epochs; i++) {
    nas_str_add(&out, i ? ",\n  " : "\n  ");
    add_epoch_json(&out, &r->epochs[i]);
  }
  nas_str_add(&out, "\n]}\n");
  if (status == NAS_OK) status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static void talk(const session *s) {
  if (s->cli->quiet) return;
  char size[24];
  double peak = nas_result_metric(&s->result, "peak_bytes");
  fprintf(stderr, "%s: %lld params, %lld MACs, %s, %.1f s\n", nas_outcome_text(s->result.outcome),
          (long long)s->net->params, (long long)s->net->macs, nas_text_size(size, isnan(peak) ? 0 : (int64_t)peak),
          nas_result_metric(&s->result, "seconds"));
  double energy = nas_result_metric(&s->result, "energy");
  if (!isnan(energy))
    fprintf(stderr, "energy of the oscillators: %.4g in the first step, %.4g in the last\n",
            nas_result_metric(&s->result, "energy_first"), energy);
  if (!s->data->targets || s->result.n_epochs == 0) return;
  const nas_epoch *last = &s->result.epochs[s->result.n_epochs - 1];
  fprintf(stderr,
          "root mean squared error: train %.3g, valid %.3g, test %.3g; accuracies are percent of the variance\n",
          sqrt(last->train_loss), sqrt(last->valid_loss), sqrt(last->test_loss));
}

/* ---- the command ---- */

static nas_status read_limits(const session *s, nas_train_job *job, nas_err *err) {
  if (s->memory && (!nas_text_bytes(s->memory, &job->memory_limit) || job->memory_limit < 1))
    return nas_fail(err, NAS_E_USAGE, "--memory", "'%s' is no size; write for instance 512MiB", s->memory);
  if (s->seconds && (!nas_text_seconds(s->seconds, &job->seconds_limit) || !(job->seconds_limit > 0)))
    return nas_fail(err, NAS_E_USAGE, "--seconds", "'%s' is no time; write for instance 90 or 10m", s->seconds);
  if (s->seed < 0) return nas_fail(err, NAS_E_OUT_OF_RANGE, "--seed", "%lld is negative", (long long)s->seed);
  return NAS_OK;
}

/* A training that did not end well is an error of the command, after its curve was printed. */
static nas_status verdict(const session *s, nas_err *err) {
  const nas_result *r = &s->result;
  if (r->outcome == NAS_OUTCOME_OK) return NAS_OK;
  nas_status code = r->outcome == NAS_OUTCOME_PREEMPTED && stop_flag == SIGINT ? NAS_E_INTERRUPTED : r->cause.code;
  return nas_fail(err, code, r->cause.where, "%s", r->cause.msg);
}

static nas_status train(session *s, nas_err *err) {
  nas_train_job job = {.net = s->net,
                       .data = s->data,
                       .recipe = &s->recipe,
                       .seed = (uint64_t)s->seed,
                       .checkpoint = s->checkpoint,
                       .checkpoint_every = 60,
                       .stop = &stop_flag,
                       .recompute = !s->no_recompute,
                       .on_epoch = on_epoch,
                       .on_step = on_step,
                       .arg = s};
  NAS_TRY(read_limits(s, &job, err));
  catch_signals();
  nas_progress_start(&s->progress, STDERR_FILENO, s->cli->quiet, "images", 0, s->recipe.epochs * s->data->n_train);
  nas_status status = nas_train(&job, &s->result, err);
  nas_progress_clear(&s->progress);
  if (status != NAS_OK) return status;
  if (s->cli->json && !s->cli->json_lines) NAS_TRY(print_object(s, err));
  NAS_TRY(nas_cli_print("", err));
  if (ferror(stdout)) return nas_fail(err, NAS_E_IO, "standard output", "cannot write; is the disk full");
  talk(s);
  return verdict(s, err);
}

/* The help names recipes and their options, since no other command does. */
static void describe(nas_str *out) {
  nas_str_add(out,
              "Trains one architecture and prints a row per epoch. -o takes options of the recipe, the\n"
              "data set and the space: epochs=2, train-images=5000, space.channels=8. Interrupted with\n"
              "Ctrl-C it saves the checkpoint first.\n\nRecipes:\n");
  for (const nas_recipe_type *const *t = nas_recipe_types(); *t; t++)
    nas_str_fmt(out, "  %-14s  %s\n", (*t)->name, (*t)->summary);
  nas_str_add(out, "\nOptions of a recipe (name, default of nas-bench-201, range, meaning):\n");
  nas_options_help(nas_recipe_options(), out);
  if (out->len) out->s[--out->len] = '\0'; /* the help ends the line itself */
}

nas_status nas_cmd_train(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  session s = {
      .cli = cli, .space_name = "nas-bench-201", .dataset_name = "fashion-mnist", .recipe_name = "nas-bench-201"};
  const nas_flag flags[] = {
      {"space", 's', NAS_FLAG_TEXT, &s.space_name, "SPACE", "search space (default nas-bench-201)"},
      {"arch", 'a', NAS_FLAG_TEXT, &s.arch_text, "ARCH", "architecture: its text, or its index"},
      {"dataset", 'd', NAS_FLAG_TEXT, &s.dataset_name, "DATASET", "data set (default fashion-mnist)"},
      {"recipe", 'r', NAS_FLAG_TEXT, &s.recipe_name, "RECIPE", "recipe (default nas-bench-201)"},
      {"seed", 0, NAS_FLAG_INT, &s.seed, "N", "seed of all random numbers (default 0)"},
      {"checkpoint", 0, NAS_FLAG_TEXT, &s.checkpoint, "FILE", "go on from FILE where it exists; save to it"},
      {"memory", 0, NAS_FLAG_TEXT, &s.memory, "SIZE",
       "train within this; slower where that must be, refused where it cannot"},
      {"no-recompute", 0, NAS_FLAG_SWITCH, &s.no_recompute, NULL,
       "never compute anything twice to take less memory; with --memory rather refuse"},
      {"seconds", 0, NAS_FLAG_TEXT, &s.seconds, "TIME", "stop after this time"},
      {0}};
  nas_str details = {0};
  describe(&details);
  const nas_usage usage = {"--arch ARCH", 0, 0, flags, nas_str_text(&details)};
  bool done;
  nas_status status = nas_cli_parse(cli, argc, argv, &usage, &done, err);
  nas_str_free(&details);
  if (status != NAS_OK || done) return status;
  if (!s.arch_text)
    return nas_fail(err, NAS_E_USAGE, NULL,
                    "--arch is missing: an architecture's text or index (`nascent space sample %s`)", s.space_name);
  status = open_parts(&s, err);
  if (status == NAS_OK) status = train(&s, err);
  close_parts(&s);
  return status;
}
