/* Getting the files of a data set: into the user's cache, checked, each all or nothing. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/http.h"
#include "train/data/parts.h"

enum { PATH_SIZE = 4096 };

/* SHA-256 of what a gzip file (or a plain one) holds; "" in hex when the gzip is damaged. */
static nas_status digest_content(const char *path, char hex[NAS_DIGEST_SIZE], nas_err *err) {
  hex[0] = '\0';
  gzFile file = gzopen(path, "rb");
  if (!file) return nas_fail(err, NAS_E_IO, path, "cannot open the file");
  nas_sha256 *h = NULL;
  nas_status status = nas_sha256_begin(&h, err);
  char chunk[65536];
  int got = 0;
  while (status == NAS_OK && (got = gzread(file, chunk, sizeof chunk)) > 0) nas_sha256_add(h, chunk, (size_t)got);
  bool whole = gzclose(file) == Z_OK && got == 0; /* gzclose tells about a file cut off */
  if (status == NAS_OK && whole) nas_sha256_end(h, hex);
  else nas_sha256_drop(h);
  return status;
}

nas_status nas_data_file_check(const nas_data_file *file, const char *path, nas_file_state *state,
                               char hex[NAS_DIGEST_SIZE], nas_err *err) {
  NAS_TRY(nas_digest_file(path, hex, err));
  *state = NAS_FILE_UNKNOWN;
  if (!file->sha256[0] && !file->content[0]) return NAS_OK;
  *state = NAS_FILE_PUBLISHED;
  if (strcmp(hex, file->sha256) == 0) return NAS_OK;
  *state = NAS_FILE_DIFFERENT;
  if (!file->content[0]) return NAS_OK;
  char content[NAS_DIGEST_SIZE];
  NAS_TRY(digest_content(path, content, err));
  if (strcmp(content, file->content) == 0) *state = NAS_FILE_CONTENT;
  return NAS_OK;
}

typedef struct errand {
  const nas_data_file *file;
  void (*progress)(void *arg, const char *file, int64_t done, int64_t total);
  void *arg;
} errand;

static nas_status check_part(void *arg, const char *part, nas_err *err) {
  const errand *e = arg;
  nas_file_state state;
  char hex[NAS_DIGEST_SIZE];
  NAS_TRY(nas_data_file_check(e->file, part, &state, hex, err));
  if (state != NAS_FILE_DIFFERENT) return NAS_OK;
  return nas_fail(err, NAS_E_MISMATCH, e->file->name, "the download has SHA-256 %s, but %s was published; removed it",
                  hex, e->file->sha256);
}

static void on_progress(void *arg, int64_t done, int64_t total) {
  const errand *e = arg;
  if (e->progress) e->progress(e->arg, e->file->name, done, total);
}

/* The published address, or the base with the file's name. */
static nas_status make_url(const nas_data_file *file, const char *base, char url[PATH_SIZE], nas_err *err) {
  bool slash = base && *base && base[strlen(base) - 1] == '/';
  bool fits = base ? nas_text_put(url, PATH_SIZE, "%s%s%s", base, slash ? "" : "/", file->name)
                   : nas_text_put(url, PATH_SIZE, "%s", file->url);
  return fits ? NAS_OK : nas_fail(err, NAS_E_BAD_INPUT, NULL, "the address is too long");
}

static nas_status fetch_file(errand *e, const char *base, const char *folder, nas_err *err) {
  char url[PATH_SIZE], path[PATH_SIZE];
  NAS_TRY(make_url(e->file, base, url, err));
  if (!nas_text_put(path, sizeof path, "%s/%s", folder, e->file->name))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path is too long");
  const nas_download d = {
      .url = url, .path = path, .attempts = 3, .check = check_part, .progress = on_progress, .arg = e};
  return nas_http_download(&d, err);
}

static bool is_complete(const nas_dataset_type *type, const char *folder) {
  char path[PATH_SIZE];
  for (const nas_data_file *f = type->files; f->name; f++)
    if (!nas_data_file_find(folder, f->name, path, sizeof path)) return false;
  return true;
}

static nas_status fetch_archive(const nas_dataset_type *type, errand *e, const char *base, const char *folder,
                                nas_err *err) {
  char path[PATH_SIZE];
  e->file = type->archive;
  NAS_TRY(fetch_file(e, base, folder, err));
  if (!nas_text_put(path, sizeof path, "%s/%s", folder, type->archive->name))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path is too long");
  NAS_TRY(nas_tar_unpack(path, type->files, folder, err));
  unlink(path); /* everything wanted lies unpacked beside it */
  return NAS_OK;
}

nas_status nas_dataset_fetch(const nas_dataset_type *type, const char *base_url,
                             void (*progress)(void *arg, const char *file, int64_t done, int64_t total), void *arg,
                             nas_str *folder, nas_err *err) {
  if (!type->files)
    return nas_fail(err, NAS_E_UNSUPPORTED, NULL, "data set '%s' is generated; there is nothing to fetch", type->name);
  nas_str_clear(folder);
  NAS_TRY(nas_folder_cache(folder, err));
  nas_str_fmt(folder, "/datasets/%s", type->folder);
  NAS_TRY(nas_str_check(folder, err));
  NAS_TRY(nas_folder_make(nas_str_text(folder), err));
  errand e = {.progress = progress, .arg = arg};
  if (is_complete(type, nas_str_text(folder))) return NAS_OK;
  if (type->archive) return fetch_archive(type, &e, base_url, nas_str_text(folder), err);
  char path[PATH_SIZE];
  for (e.file = type->files; e.file->name; e.file++)
    if (!nas_data_file_find(nas_str_text(folder), e.file->name, path, sizeof path))
      NAS_TRY(fetch_file(&e, base_url, nas_str_text(folder), err));
  return NAS_OK;
}
