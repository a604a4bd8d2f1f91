#include "jobs/slurm.h"

#include <math.h>
#include <string.h>

extern const char nas_slurm_single[], nas_slurm_requeue[], nas_slurm_array[], nas_slurm_merge[];

static const struct {
  const char *name, *text;
} kinds[] = {{"single", nas_slurm_single},
             {"requeue", nas_slurm_requeue},
             {"array", nas_slurm_array},
             {"merge", nas_slurm_merge}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Between the notice and the grace of the campaign: starting up, a step that must end, the queue's own delays. */
static const double notice_margin = 60;

static nas_status find_kind(const char *name, const char **text, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (int i = 0; i < KINDS; i++) {
    nas_guess_add(&guess, kinds[i].name);
    if (strcmp(kinds[i].name, name) != 0) continue;
    *text = kinds[i].text;
    return NAS_OK;
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, "--slurm", "no script '%s'%s (single, requeue, array, merge)", name,
                  nas_guess_text(&guess));
}

static bool consists_of(const char *text, const char *characters) {
  return !text || (*text && strspn(text, characters) == strlen(text));
}

static nas_status check(const nas_slurm_options *o, nas_err *err) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,-";
  if (!consists_of(o->time, "0123456789:-"))
    return nas_fail(err, NAS_E_BAD_INPUT, "--time", "'%s' is no walltime such as 12:00:00 or 2-00:00:00", o->time);
  if (!consists_of(o->partition, letters))
    return nas_fail(err, NAS_E_BAD_INPUT, "--partition", "'%s' is no name of a partition", o->partition);
  if (o->ranks < 1 || o->ranks > 1 << 20)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "-n", "the number of ranks must be from 1 to %d", 1 << 20);
  if (o->tasks < 1 || o->tasks > 1 << 20)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "--tasks", "an array has from 1 to %d jobs", 1 << 20);
  return NAS_OK;
}

/* 'text', with each ' as '\''. */
static void add_quoted(nas_str *out, const char *text) {
  nas_str_add(out, "'");
  for (; *text; text++) {
    if (*text == '\'') nas_str_add(out, "'\\''");
    else nas_str_add_n(out, text, 1);
  }
  nas_str_add(out, "'");
}

static void add_directives(nas_str *out, const nas_slurm_options *o) {
  if (o->time) nas_str_fmt(out, "#SBATCH --time=%s\n", o->time);
  if (o->partition) nas_str_fmt(out, "#SBATCH --partition=%s\n", o->partition);
}

static void add_value(nas_str *out, const char *key, size_t n, const nas_campaign *c, const nas_slurm_options *o) {
#define IS(word) (n == sizeof(word) - 1 && strncmp(key, word, n) == 0)
  if (IS("NAME")) nas_str_add(out, c->name);
  else if (IS("RANKS")) nas_str_fmt(out, "%lld", (long long)o->ranks);
  else if (IS("THREADS")) nas_str_fmt(out, "%lld", (long long)c->trial.threads);
  else if (IS("NOTICE")) nas_str_fmt(out, "%.0f", ceil(c->run.grace) + notice_margin);
  else if (IS("LAST")) nas_str_fmt(out, "%lld", (long long)o->tasks - 1);
  else if (IS("SEED")) nas_str_fmt(out, "%lld", (long long)c->seed);
  else if (IS("DIRECTIVES")) add_directives(out, o);
  else if (IS("PROGRAM")) add_quoted(out, o->program);
  else if (IS("CAMPAIGN")) add_quoted(out, o->file);
  else if (IS("DB")) add_quoted(out, o->db);
  else if (IS("ARGUMENTS"))
    for (size_t i = 0; o->arguments && o->arguments[i]; i++) {
      nas_str_add(out, " ");
      add_quoted(out, o->arguments[i]);
    }
#undef IS
}

nas_status nas_slurm_script(const nas_campaign *c, const nas_slurm_options *o, nas_str *out, nas_err *err) {
  static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const char *text = NULL;
  NAS_TRY(find_kind(o->kind, &text, err));
  NAS_TRY(check(o, err));
  while (*text) {
    size_t n = *text == '@' ? strspn(text + 1, capitals) : 0;
    if (n && text[n + 1] == '@') {
      add_value(out, text + 1, n, c, o);
      text += n + 2;
      if (n == sizeof "DIRECTIVES" - 1 && strncmp(text - n - 1, "DIRECTIVES", n) == 0) text += *text == '\n';
    } else nas_str_add_n(out, text++, 1);
  }
  return nas_str_check(out, err);
}
