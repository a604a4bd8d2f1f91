#ifndef NAS_BENCH_DB_INTERNAL_CURVE_H
#define NAS_BENCH_DB_INTERNAL_CURVE_H
/* Learning curves as the bytes of learning_curve.data (docs/schema.md, "Packed curves"): to the bit, at most 8 bytes a
 * figure, and readable by plain SQL. */
#include <stdbool.h>
#include <stddef.h>

#include "base/result.h"
#include "base/str.h"

enum { NAS_CURVE_FIGURES = 8, NAS_CURVE_HEADER = 32, NAS_CURVE_HEAD = NAS_CURVE_FIGURES * NAS_CURVE_HEADER };

/* The k-th figure of an epoch in the order of nas_epoch: train_loss, ..., valid_seconds. */
double *nas_epoch_figure(nas_epoch *e, int k);
double nas_epoch_figure_of(const nas_epoch *e, int k);

/* Adds the bytes of a curve; epochs must be numbered 1, 2, ... Memory faults show in nas_str_check. */
void nas_curve_pack(const nas_epoch *epochs, size_t n, nas_str *out);

/* True when the bytes are a curve; *longest: bytes that a curve of n epochs must have. */
bool nas_curve_check(const void *bytes, size_t size, size_t n, size_t *wanted);
/* Figure k of epoch `epoch` (from 1). False when the bytes are no curve that has it. */
bool nas_curve_figure(const void *bytes, size_t size, size_t epoch, int k, double *out);
/* Adds n epochs to a result. BAD_INPUT without words when the bytes are no curve of so many. */
nas_status nas_curve_unpack(const void *bytes, size_t size, size_t n, nas_result *out, nas_err *err);
#endif
