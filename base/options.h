#ifndef NAS_BASE_OPTIONS_H
#define NAS_BASE_OPTIONS_H
/* Option tables. A registry entry describes its options once; the table fills a plain struct, and feeds the
 * command line, the help, the campaign file's validation and the stored record.
 *
 *   typedef struct evolution_options { int64_t population, sample; } evolution_options;
 *   static const nas_option options[] = {
 *       NAS_OPT_INT(evolution_options, population, "population", "10", 2, 1e6, "individuals kept alive"),
 *       NAS_OPT_INT(evolution_options, sample, "sample", "3", 1, 1e6, "individuals in each tournament"),
 *       NAS_OPT_END};
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef enum nas_option_type {
  NAS_OPTION_INT,     /* int64_t */
  NAS_OPTION_REAL,    /* double */
  NAS_OPTION_FLAG,    /* bool: true/false, yes/no, on/off, 1/0 */
  NAS_OPTION_TEXT,    /* char[size] */
  NAS_OPTION_CHOICE,  /* char[size], one of "a|b|c" */
  NAS_OPTION_BYTES,   /* int64_t, "2GiB" */
  NAS_OPTION_SECONDS, /* double, "10m" */
} nas_option_type;

typedef struct nas_option {
  const char *name; /* as people write it: lower case with dashes */
  nas_option_type type;
  const char *fallback; /* the default, as text */
  double min, max;      /* inclusive range of numeric types */
  const char *choices;  /* "a|b|c" for CHOICE; of an INT: a word for -1, such as "auto", or NULL */
  const char *help;     /* one line: meaning and unit */
  size_t offset, size;  /* of the member in the values struct */
} nas_option;

#define NAS_OPT_(S, m, name, type, dflt, lo, hi, ch, help) \
  { name, type, dflt, lo, hi, ch, help, offsetof(S, m), sizeof(((S *)0)->m) }
#define NAS_OPT_INT(S, m, name, dflt, lo, hi, help) NAS_OPT_(S, m, name, NAS_OPTION_INT, dflt, lo, hi, NULL, help)
#define NAS_OPT_INT_OR(S, m, name, word, dflt, lo, hi, help) \
  NAS_OPT_(S, m, name, NAS_OPTION_INT, dflt, lo, hi, word, help)
#define NAS_OPT_REAL(S, m, name, dflt, lo, hi, help)  NAS_OPT_(S, m, name, NAS_OPTION_REAL, dflt, lo, hi, NULL, help)
#define NAS_OPT_FLAG(S, m, name, dflt, help)          NAS_OPT_(S, m, name, NAS_OPTION_FLAG, dflt, 0, 1, NULL, help)
#define NAS_OPT_TEXT(S, m, name, dflt, help)          NAS_OPT_(S, m, name, NAS_OPTION_TEXT, dflt, 0, 0, NULL, help)
#define NAS_OPT_CHOICE(S, m, name, dflt, ch, help)    NAS_OPT_(S, m, name, NAS_OPTION_CHOICE, dflt, 0, 0, ch, help)
#define NAS_OPT_BYTES(S, m, name, dflt, lo, hi, help) NAS_OPT_(S, m, name, NAS_OPTION_BYTES, dflt, lo, hi, NULL, help)
#define NAS_OPT_SECONDS(S, m, name, dflt, lo, hi, help) \
  NAS_OPT_(S, m, name, NAS_OPTION_SECONDS, dflt, lo, hi, NULL, help)
#define NAS_OPT_END \
  { NULL, NAS_OPTION_INT, NULL, 0, 0, NULL, NULL, 0, 0 }

/* One "key: value" as a person wrote it, with the place it came from ("campaign.yaml:3:12", "-o lr=1"). */
typedef struct nas_setting {
  char key[64];
  char value[448];
  char where[188];
} nas_setting;

/* A list of settings; start from {0}. */
typedef struct nas_settings {
  nas_setting *rows;
  size_t n, cap;
} nas_settings;
void nas_settings_free(nas_settings *s);
/* Adds or, when the key is there already, replaces. */
nas_status nas_settings_put(nas_settings *s, const char *key, const char *value, const char *where, nas_err *err);
/* NULL when absent. */
const char *nas_settings_get(const nas_settings *s, const char *key);
/* Adds "key=value" lines of a canonical record (nas_options_format) back to a list. */
nas_status nas_settings_parse(nas_settings *s, const char *record, const char *where, nas_err *err);
/* The other direction: "key=value\n" for each row, in order. */
void nas_settings_format(const nas_settings *s, nas_str *out);

/* The entry of that name, or NULL. */
const nas_option *nas_options_find(const nas_option *table, const char *name);

/* Fills `values` with the defaults. */
void nas_options_defaults(const nas_option *table, void *values);

/* Sets one option from text. Errors: UNKNOWN_NAME (with the nearest name), BAD_INPUT, OUT_OF_RANGE (with the
 * range); `owner` is what the message calls the table ("strategy random"), `where` the place of the text. */
nas_status nas_options_set(const nas_option *table, void *values, const char *owner, const char *key, const char *value,
                           const char *where, nas_err *err);

/* Defaults, then every setting in turn. `settings` may be NULL. */
nas_status nas_options_fill(const nas_option *table, void *values, const char *owner, const nas_settings *settings,
                            nas_err *err);

/* Adds one value as canonical text (the same value gives the same text). */
void nas_option_format(const nas_option *option, const void *values, nas_str *out);

/* Adds "name=value\n" for every option in table order: the canonical record that is stored and hashed. */
void nas_options_format(const nas_option *table, const void *values, nas_str *out);
/* Adds a JSON object {"name": value, ...} with typed values. */
void nas_options_json(const nas_option *table, const void *values, nas_str *out);
/* Adds an aligned listing for people: name, type and range, default, help. */
void nas_options_help(const nas_option *table, nas_str *out);
/* Adds a JSON array describing each option. */
void nas_options_help_json(const nas_option *table, nas_str *out);
#endif
