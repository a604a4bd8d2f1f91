#include "train/data/idx.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

/* A file in memory, read in order; inflated on the way when it is gzip. */
typedef struct source {
  const uint8_t *bytes;
  size_t n, at; /* at: how much of the file is used up */
  const char *where;
  bool gzip, ended;
  z_stream z;
} source;

static nas_status source_open(source *s, const void *file, size_t n, const char *where, nas_err *err) {
  *s = (source){.bytes = file, .n = n, .where = where};
  s->gzip = n >= 2 && s->bytes[0] == 0x1f && s->bytes[1] == 0x8b;
  if (s->gzip && inflateInit2(&s->z, 16 + MAX_WBITS) != Z_OK) return nas_fail_memory(err, "reading a gzip file");
  return NAS_OK;
}

static void source_close(source *s) {
  if (s->gzip) inflateEnd(&s->z);
}

static unsigned at_most_uint(size_t n) { return n > 1u << 30 ? 1u << 30 : (unsigned)n; }

/* One call of inflate: *made bytes were written. */
static nas_status inflate_some(source *s, uint8_t *out, size_t n, size_t *made, nas_err *err) {
  s->z.next_in = (z_const Bytef *)(uintptr_t)(s->bytes + s->at);
  s->z.avail_in = at_most_uint(s->n - s->at);
  s->z.next_out = out;
  s->z.avail_out = at_most_uint(n);
  unsigned given = s->z.avail_in, room = s->z.avail_out;
  int code = inflate(&s->z, Z_NO_FLUSH);
  s->at += given - s->z.avail_in;
  *made = room - s->z.avail_out;
  s->ended = code == Z_STREAM_END;
  if (code == Z_STREAM_END || code == Z_OK) return NAS_OK;
  if (code == Z_MEM_ERROR) return nas_fail_memory(err, "reading a gzip file");
  if (code == Z_BUF_ERROR && s->at == s->n)
    return nas_fail(err, NAS_E_BAD_INPUT, s->where, "the gzip file is cut off at byte %zu; fetch it again", s->n);
  return nas_fail(err, NAS_E_BAD_INPUT, s->where, "damaged gzip data near byte %zu (%s); fetch the file again", s->at,
                  s->z.msg ? s->z.msg : "it needs a dictionary");
}

/* Reads up to n bytes; *got is less only at the end of the file. */
static nas_status source_read(source *s, uint8_t *out, size_t n, size_t *got, nas_err *err) {
  *got = 0;
  if (!s->gzip) {
    *got = n < s->n - s->at ? n : s->n - s->at;
    if (*got) memcpy(out, s->bytes + s->at, *got);
    s->at += *got;
    return NAS_OK;
  }
  while (*got < n) {
    if (s->ended && s->at == s->n) return NAS_OK;
    if (s->ended) inflateReset(&s->z); /* gzip files may stand one behind another */
    size_t made;
    NAS_TRY(inflate_some(s, out + *got, n - *got, &made, err));
    *got += made;
  }
  return NAS_OK;
}

static nas_status read_dims(source *s, nas_idx *head, nas_err *err) {
  uint8_t word[4];
  size_t got;
  uint64_t size = 1;
  /* Deflate packs at most 1032 bytes into one, so a larger claim is a damaged header. */
  uint64_t most = (uint64_t)s->n * (s->gzip ? 1032 : 1);
  for (int i = 0; i < head->n_dims; i++) {
    NAS_TRY(source_read(s, word, 4, &got, err));
    if (got < 4)
      return nas_fail(err, NAS_E_BAD_INPUT, s->where, "the file ends at byte %zu, inside the IDX header",
                      4 + 4 * (size_t)i + got);
    head->dims[i] = (int64_t)word[0] << 24 | word[1] << 16 | word[2] << 8 | word[3];
    size *= (uint64_t)head->dims[i];
    if (size == 0 || size > most)
      return nas_fail(err, NAS_E_BAD_INPUT, s->where,
                      "dimension %d (byte %d) is %lld, which a file of %zu bytes cannot hold", i + 1, 4 + 4 * i,
                      (long long)head->dims[i], s->n);
  }
  head->size = (size_t)size;
  return NAS_OK;
}

static nas_status read_head(source *s, nas_idx *head, nas_err *err) {
  *head = (nas_idx){.dims = {1, 1, 1, 1}};
  uint8_t magic[4] = {0};
  size_t got;
  NAS_TRY(source_read(s, magic, 4, &got, err));
  if (got < 4) return nas_fail(err, NAS_E_BAD_INPUT, s->where, "the file ends at byte %zu, inside the IDX header", got);
  if (magic[0] || magic[1] || magic[2] != 8 || magic[3] < 1 || magic[3] > 4)
    return nas_fail(err, NAS_E_BAD_INPUT, s->where,
                    "byte 0: the magic number is %02x%02x%02x%02x; an IDX file of bytes begins with 000008 and 01..04",
                    magic[0], magic[1], magic[2], magic[3]);
  head->n_dims = magic[3];
  return read_dims(s, head, err);
}

nas_status nas_idx_head(const void *file, size_t n, const char *where, nas_idx *head, nas_err *err) {
  source s;
  NAS_TRY(source_open(&s, file, n, where, err));
  nas_status status = read_head(&s, head, err);
  source_close(&s);
  return status;
}

static nas_status read_data(source *s, const nas_idx *head, uint8_t *out, nas_err *err) {
  nas_idx again;
  uint8_t more;
  size_t got, header = 4 + 4 * (size_t)head->n_dims;
  NAS_TRY(read_head(s, &again, err));
  NAS_TRY(source_read(s, out, head->size, &got, err));
  if (got < head->size)
    return nas_fail(err, NAS_E_BAD_INPUT, s->where, "the data ends at byte %zu; the header announces %zu bytes",
                    header + got, header + head->size);
  NAS_TRY(source_read(s, &more, 1, &got, err));
  if (got)
    return nas_fail(err, NAS_E_BAD_INPUT, s->where, "the file goes on after byte %zu, where its header says it ends",
                    header + head->size);
  return NAS_OK;
}

nas_status nas_idx_data(const void *file, size_t n, const char *where, const nas_idx *head, uint8_t *out,
                        nas_err *err) {
  source s;
  NAS_TRY(source_open(&s, file, n, where, err));
  nas_status status = read_data(&s, head, out, err);
  source_close(&s);
  return status;
}
