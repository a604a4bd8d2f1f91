/* The text form: one group |op~0|...|op~k| per node k+1, groups joined by '+'. */
#include <stdio.h>
#include <string.h>

#include "space/nas_bench_201.h"

/* A place in the text under parse. */
typedef struct reader {
  const char *text, *at;
  nas_err *err;
} reader;

static const char *where_of(const reader *r, const char *at, char out[32]) {
  snprintf(out, 32, "arch:%lld", (long long)(at - r->text) + 1);
  return out;
}

/* A piece of the input that is safe to print: cut, and unprintable bytes replaced. */
static const char *quoted(const char *from, size_t n, char out[33]) {
  size_t kept = n < 32 ? n : 32;
  for (size_t i = 0; i < kept; i++) out[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
  out[kept] = '\0';
  return out;
}

static nas_status expect(reader *r, char wanted, const char *after) {
  char where[32], found[33];
  if (*r->at == wanted) {
    r->at++;
    return NAS_OK;
  }
  where_of(r, r->at, where);
  if (!*r->at)
    return nas_fail(r->err, NAS_E_BAD_INPUT, where,
                    "the architecture ends early: expected '%c' %s; the form is "
                    "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|",
                    wanted, after);
  return nas_fail(r->err, NAS_E_BAD_INPUT, where,
                  "expected '%c' %s, found '%s'; the form is "
                  "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|",
                  wanted, after, quoted(r->at, 1, found));
}

static nas_status read_op(reader *r, uint8_t *out) {
  char where[32], name[33];
  size_t n = strcspn(r->at, "~|+");
  for (uint8_t op = 0; op < NB201_OPS; op++)
    if (strlen(nas_nb201_ops[op]) == n && strncmp(r->at, nas_nb201_ops[op], n) == 0) {
      *out = op;
      r->at += n;
      return NAS_OK;
    }
  where_of(r, r->at, where);
  if (!n) return nas_fail(r->err, NAS_E_BAD_INPUT, where, "an operation name is missing here");
  nas_guess guess = nas_guess_for(quoted(r->at, n, name));
  for (int op = 0; op < NB201_OPS; op++) nas_guess_add(&guess, nas_nb201_ops[op]);
  return nas_fail(r->err, NAS_E_UNKNOWN_NAME, where,
                  "no operation is called '%s'%s; the operations are %s, %s, %s, %s, "
                  "%s",
                  name, nas_guess_text(&guess), nas_nb201_ops[0], nas_nb201_ops[1], nas_nb201_ops[2], nas_nb201_ops[3],
                  nas_nb201_ops[4]);
}

static nas_status read_source(reader *r, uint8_t from, uint8_t to) {
  char where[32], found[33];
  if (r->at[0] == '0' + from && (r->at[1] < '0' || r->at[1] > '9')) {
    r->at++;
    return NAS_OK;
  }
  where_of(r, r->at, where);
  return nas_fail(r->err, NAS_E_BAD_INPUT, where, "input %d of node %d must be written ~%d, found '~%s'", from, to,
                  from, quoted(r->at, strcspn(r->at, "|+~"), found));
}

nas_status nas_nb201_parse(const nas_space *self, const char *text, nas_arch *out, nas_err *err) {
  (void)self;
  reader r = {text, text, err};
  nas_arch arch = {.n = NB201_EDGES};
  char where[32], found[33];
  for (uint8_t to = 1; to < NB201_NODES; to++) {
    if (to > 1) NAS_TRY(expect(&r, '+', "between two nodes"));
    NAS_TRY(expect(&r, '|', "before the edges of a node"));
    for (uint8_t from = 0; from < to; from++) {
      NAS_TRY(read_op(&r, &arch.gene[nas_nb201_edge_of(from, to)]));
      NAS_TRY(expect(&r, '~', "after the operation"));
      NAS_TRY(read_source(&r, from, to));
      NAS_TRY(expect(&r, '|', "after an edge"));
    }
  }
  if (*r.at)
    return nas_fail(err, NAS_E_BAD_INPUT, where_of(&r, r.at, where), "the cell is complete, but '%s' follows",
                    quoted(r.at, strlen(r.at), found));
  *out = arch;
  return NAS_OK;
}

nas_status nas_nb201_format(const nas_space *self, const nas_arch *arch, nas_str *out) {
  (void)self;
  for (uint8_t to = 1; to < NB201_NODES; to++) {
    nas_str_add(out, to > 1 ? "+|" : "|");
    for (uint8_t from = 0; from < to; from++) {
      const char tail[] = {'~', (char)('0' + from), '|'};
      nas_str_add(out, nas_nb201_ops[arch->gene[nas_nb201_edge_of(from, to)]]);
      nas_str_add_n(out, tail, sizeof tail);
    }
  }
  return NAS_OK;
}
