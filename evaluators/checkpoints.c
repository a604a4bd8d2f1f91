#include "evaluators/checkpoints.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/version.h"

static const char suffix[] = ".checkpoint";

nas_status nas_checkpoints_path(const char *folder, const nas_evaluator_type *type, const void *options,
                                const nas_eval_request *r, nas_str *out, nas_err *err) {
  char arch[NAS_ARCH_TEXT_MAX], recipe[NAS_DIGEST_SIZE], digest[NAS_DIGEST_SIZE];
  const nas_space_type *space = nas_space_type_of(r->space);
  nas_str all = {0};
  NAS_TRY(nas_space_format(r->space, &r->arch, arch, err));
  NAS_TRY(nas_recipe_record(r->recipe, NULL, recipe, err));
  nas_str_fmt(&all, "%s\n%s@%d\n", NAS_VERSION_FULL, type->name, type->version);
  nas_options_format(type->options, options, &all);
  nas_str_fmt(&all, "%s@%d\n", space->name, space->version);
  nas_options_format(space->options, nas_space_options(r->space), &all);
  nas_str_fmt(&all, "%s\n%s\n%s\n%s\n%llu\n", arch, recipe, r->data->digest, r->data->split,
              (unsigned long long)r->seed);
  nas_status status = nas_str_check(&all, err);
  if (status == NAS_OK) {
    nas_digest(all.s, all.len, digest);
    nas_str_fmt(out, "%s/%.32s%s", folder, digest, suffix);
    status = nas_str_check(out, err);
  }
  nas_str_free(&all);
  return status;
}

/* May the trial, or a longer one of the same training, be asked for? */
static bool is_wanted(const nas_eval_request *r, const nas_result *result) {
  if (result->outcome == NAS_OUTCOME_PREEMPTED) return true;
  return result->outcome == NAS_OUTCOME_OK && (int64_t)result->n_epochs < r->recipe->epochs;
}

static nas_status evaluate_with(const char *path, const nas_evaluator_type *type, const void *options,
                                const nas_eval_request *request, nas_result *result, nas_err *err) {
  nas_eval_request r = *request;
  nas_err why = {0};
  r.checkpoint = path;
  bool was_there = nas_file_exists(path);
  nas_status status = type->evaluate(options, &r, result, &why);
  if (status != NAS_OK) { /* of no use, or not to be written: the same bits come out from the start */
    nas_result_free(result);
    unlink(path);
    if (!was_there || status == NAS_E_IO) r.checkpoint = NULL;
    status = type->evaluate(options, &r, result, &why);
  }
  if (status != NAS_OK && err) *err = why;
  if (status != NAS_OK || !is_wanted(request, result)) unlink(path);
  return status;
}

/* NAME.checkpoint, and NAME.checkpoint.XXXXXX that a writer left behind when it was killed. */
static bool is_checkpoint(const char *name) {
  size_t n = strlen(name), digest = 32, tail = sizeof suffix - 1;
  if (n < digest + tail || strspn(name, "0123456789abcdef") != digest) return false;
  return strncmp(name + digest, suffix, tail) == 0 && (n == digest + tail || name[digest + tail] == '.');
}

typedef struct kept_file {
  char name[64];
  struct timespec written;
  int64_t bytes;
} kept_file;

static int by_age(const void *a, const void *b) {
  const kept_file *x = a, *y = b;
  if (x->written.tv_sec != y->written.tv_sec) return x->written.tv_sec < y->written.tv_sec ? -1 : 1;
  if (x->written.tv_nsec != y->written.tv_nsec) return x->written.tv_nsec < y->written.tv_nsec ? -1 : 1;
  return strcmp(x->name, y->name);
}

/* The checkpoints of an open folder; free it. NULL: none, or no memory to list them. */
static kept_file *list_kept(DIR *d, size_t *n) {
  kept_file *files = NULL;
  size_t cap = 0;
  *n = 0;
  for (struct dirent *e; (e = readdir(d));) {
    struct stat st;
    if (!is_checkpoint(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (*n == cap) {
      kept_file *grown = realloc(files, (cap = cap ? 2 * cap : 64) * sizeof *files);
      if (!grown) break;
      files = grown;
    }
    kept_file *f = &files[*n];
    *f = (kept_file){.written = st.st_mtim, .bytes = st.st_size};
    if (nas_text_put(f->name, sizeof f->name, "%s", e->d_name)) ++*n;
  }
  return files;
}

/* Several workers may do this at once: what another has removed is gone. */
static void keep_within(const nas_checkpoints *kept) {
  DIR *d = opendir(kept->folder);
  if (!d) return;
  size_t n;
  int64_t sum = 0;
  kept_file *files = list_kept(d, &n);
  for (size_t i = 0; i < n; i++) sum += files[i].bytes;
  if (sum > kept->limit) qsort(files, n, sizeof *files, by_age);
  for (size_t i = 0; i < n && sum > kept->limit; i++) {
    unlinkat(dirfd(d), files[i].name, 0);
    sum -= files[i].bytes;
  }
  free(files);
  closedir(d);
}

nas_status nas_evaluate_from_checkpoint(const nas_checkpoints *kept, const nas_evaluator_type *type,
                                        const void *options, const nas_eval_request *request, nas_result *result,
                                        nas_err *err) {
  nas_eval_request plain = *request;
  plain.checkpoint = NULL;
  *result = (nas_result){0};
  const char *folder = kept->folder;
  if (!folder || !type->checkpoints || nas_folder_make(folder, NULL) != NAS_OK || access(folder, W_OK) != 0)
    return type->evaluate(options, &plain, result, err);
  nas_str path = {0};
  nas_status status = nas_checkpoints_path(folder, type, options, request, &path, err);
  if (status == NAS_OK) status = evaluate_with(path.s, type, options, request, result, err);
  if (status == NAS_OK && kept->limit > 0 && nas_file_exists(path.s)) keep_within(kept);
  nas_str_free(&path);
  return status;
}

void nas_checkpoints_clear(const char *folder) {
  DIR *d = opendir(folder);
  if (!d) return;
  for (struct dirent *e; (e = readdir(d));)
    if (is_checkpoint(e->d_name)) unlinkat(dirfd(d), e->d_name, 0);
  closedir(d);
  rmdir(folder);
}
