/* Where the files of a data set lie. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/data/parts.h"

enum { PATH_SIZE = 4096 };

bool nas_data_file_find(const char *folder, const char *name, char *path, size_t size) {
  if (nas_text_put(path, size, "%s/%s", folder, name) && nas_file_exists(path)) return true;
  size_t length = strlen(path);
  if (length < 3 || strcmp(path + length - 3, ".gz") != 0) return false;
  path[length - 3] = '\0';
  return nas_file_exists(path);
}

static bool has_files(const nas_dataset_type *type, const char *folder) {
  if (type->has_files) return type->has_files(folder);
  char path[PATH_SIZE];
  for (const nas_data_file *f = type->files; f->name; f++)
    if (!nas_data_file_find(folder, f->name, path, sizeof path)) return false;
  return true;
}

/* Files of one data set must not pass for another's that has the same file names (MNIST and Fashion-MNIST). */
static bool is_folder_of_another(const nas_dataset_type *type, const char *folder) {
  size_t end = strlen(folder);
  while (end > 1 && folder[end - 1] == '/') end--;
  size_t begin = end;
  while (begin > 0 && folder[begin - 1] != '/') begin--;
  for (const nas_dataset_type *const *t = nas_dataset_types(); *t; t++)
    if (*t != type && strlen((*t)->folder) == end - begin && memcmp((*t)->folder, folder + begin, end - begin) == 0)
      return true;
  return false;
}

/* Tries one folder; notes it in `tried`. */
static bool try_folder(const nas_dataset_type *type, const char *folder, nas_str *found, nas_str *tried) {
  if (has_files(type, folder)) {
    nas_str_clear(found);
    nas_str_add(found, folder);
    return true;
  }
  nas_str_fmt(tried, "%s%s", tried->len ? ", " : "", folder);
  return false;
}

/* Each DIR of a colon-separated list: DIR/FOLDER, then DIR itself. */
static bool try_list(const nas_dataset_type *type, const char *dirs, nas_str *found, nas_str *tried) {
  while (dirs && *dirs) {
    size_t length = strcspn(dirs, ":");
    char path[PATH_SIZE];
    if (length && nas_text_put(path, sizeof path, "%.*s/%s", (int)length, dirs, type->folder) &&
        try_folder(type, path, found, tried))
      return true;
    if (length && nas_text_put(path, sizeof path, "%.*s", (int)length, dirs) && !is_folder_of_another(type, path) &&
        try_folder(type, path, found, tried))
      return true;
    dirs += length + (dirs[length] == ':');
  }
  return false;
}

static bool try_cache(const nas_dataset_type *type, nas_str *found, nas_str *tried) {
  nas_str cache = {0};
  if (nas_folder_cache(&cache, NULL) == NAS_OK) nas_str_fmt(&cache, "/datasets/%s", type->folder);
  bool here = cache.len && try_folder(type, nas_str_text(&cache), found, tried);
  nas_str_free(&cache);
  return here;
}

nas_status nas_dataset_locate(const nas_dataset_type *type, const char *data_dirs, nas_str *folder, nas_err *err) {
  nas_str tried = {0};
  nas_str_clear(folder);
  nas_status status = NAS_OK;
  bool found = !type->files || try_list(type, data_dirs, folder, &tried) ||
               try_list(type, getenv("NASCENT_DATA"), folder, &tried) || try_cache(type, folder, &tried) ||
               (type->system_folder && try_folder(type, type->system_folder, folder, &tried));
  if (!found)
    status =
        nas_fail(err, NAS_E_NOT_FOUND, NULL,
                 "data set '%s' is not here: run `nascent dataset fetch %s`%s%s, or name its folder with --data-dir; "
                 "looked in %s",
                 type->name, type->name, type->package ? " or install the package " : "",
                 type->package ? type->package : "", nas_str_text(&tried));
  if (status == NAS_OK) status = nas_str_check(folder, err);
  nas_str_free(&tried);
  return status;
}
