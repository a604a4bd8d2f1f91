/* Unpacks plain files out of a .tar.gz: as much of the format (POSIX ustar) as data sets need. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "train/data/parts.h"

enum { BLOCK = 512, PATH_SIZE = 4096 };
enum { NAME_AT = 0, NAME_SIZE = 100, SIZE_AT = 124, SIZE_SIZE = 12, SUM_AT = 148, SUM_SIZE = 8, KIND_AT = 156 };

static int64_t octal(const uint8_t *field, int size) {
  int64_t value = 0;
  int i = 0;
  while (i < size && field[i] == ' ') i++;
  for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) value = value * 8 + (field[i] - '0');
  return value;
}

static bool sum_agrees(const uint8_t block[BLOCK]) {
  int64_t sum = 0;
  for (int i = 0; i < BLOCK; i++) sum += i >= SUM_AT && i < SUM_AT + SUM_SIZE ? ' ' : block[i];
  return sum == octal(block + SUM_AT, SUM_SIZE);
}

static nas_status fail_cut(const char *path, nas_err *err) {
  return nas_fail(err, NAS_E_BAD_INPUT, path, "the archive is cut off or damaged; fetch it again");
}

/* Copies `size` bytes and their padding out of the archive; out NULL: passes over them. */
static nas_status copy_member(gzFile in, const char *path, int64_t size, FILE *out, const char *out_path,
                              nas_err *err) {
  uint8_t block[BLOCK];
  for (; size > 0; size -= BLOCK) {
    if (gzread(in, block, BLOCK) != BLOCK) return fail_cut(path, err);
    size_t n = size < BLOCK ? (size_t)size : BLOCK;
    if (out && fwrite(block, 1, n, out) != n) return nas_fail_errno(err, errno, out_path, "cannot write the file");
  }
  return NAS_OK;
}

static nas_status unpack_member(gzFile in, const char *path, int64_t size, const char *folder, const char *name,
                                nas_err *err) {
  char target[PATH_SIZE], part[PATH_SIZE];
  if (!nas_text_put(target, sizeof target, "%s/%s", folder, name) ||
      !nas_text_put(part, sizeof part, "%s/%s.part", folder, name))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path is too long");
  FILE *out = fopen(part, "wb");
  if (!out) return nas_fail_errno(err, errno, part, "cannot create the file");
  nas_status status = copy_member(in, path, size, out, part, err);
  if (status == NAS_OK && (fflush(out) != 0 || fsync(fileno(out)) != 0))
    status = nas_fail_errno(err, errno, part, "cannot write the file");
  if (fclose(out) != 0 && status == NAS_OK) status = nas_fail_errno(err, errno, part, "cannot write the file");
  if (status == NAS_OK && rename(part, target) != 0)
    status = nas_fail_errno(err, errno, target, "cannot name the file");
  if (status != NAS_OK) unlink(part);
  return status;
}

static const char *wanted_name(const nas_data_file *wanted, const char *member) {
  const char *base = strrchr(member, '/');
  base = base ? base + 1 : member;
  for (; wanted->name; wanted++)
    if (strcmp(wanted->name, base) == 0) return wanted->name;
  return NULL;
}

static nas_status unpack(gzFile in, const char *path, const nas_data_file *wanted, const char *folder, nas_err *err) {
  uint8_t block[BLOCK];
  char member[NAME_SIZE + 1] = "";
  for (;;) {
    if (gzread(in, block, BLOCK) != BLOCK) return fail_cut(path, err);
    if (block[0] == 0) return NAS_OK; /* the end: a block of zeros */
    if (!sum_agrees(block)) return fail_cut(path, err);
    memcpy(member, block + NAME_AT, NAME_SIZE);
    int64_t size = octal(block + SIZE_AT, SIZE_SIZE);
    bool plain = block[KIND_AT] == '0' || block[KIND_AT] == 0;
    const char *name = plain ? wanted_name(wanted, member) : NULL;
    if (name) NAS_TRY(unpack_member(in, path, size, folder, name, err));
    else NAS_TRY(copy_member(in, path, size, NULL, NULL, err));
  }
}

nas_status nas_tar_unpack(const char *path, const nas_data_file *wanted, const char *folder, nas_err *err) {
  gzFile in = gzopen(path, "rb");
  if (!in) return nas_fail_errno(err, errno, path, "cannot open the file");
  nas_status status = unpack(in, path, wanted, folder, err);
  gzclose(in);
  char found[PATH_SIZE];
  for (const nas_data_file *f = wanted; status == NAS_OK && f->name; f++)
    if (!nas_data_file_find(folder, f->name, found, sizeof found))
      status = nas_fail(err, NAS_E_BAD_INPUT, path, "the archive has no file %s", f->name);
  return status;
}
