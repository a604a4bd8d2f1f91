/* What a table says of the size of networks, counted again from their architectures. */
#include <string.h>

#include "bench-db/internal/verify.h"
#include "space/space.h"

/* The space of a row, kept open while rows are of the same one; NULL when this program does not have it. */
typedef struct opened {
  char name[96];
  nas_str options;
  nas_space *space;
} opened;

static nas_status open_space(opened *o, const char *name, const char *options, nas_err *err) {
  if (strcmp(o->name, name) == 0 && strcmp(nas_str_text(&o->options), options) == 0) return NAS_OK;
  nas_space_close(o->space);
  o->space = NULL;
  nas_str_clear(&o->options);
  nas_str_add(&o->options, options);
  NAS_TRY(nas_str_check(&o->options, err));
  if (!nas_text_put(o->name, sizeof o->name, "%s", name)) return NAS_OK;
  char bare[96];
  const nas_space_type *type;
  const char *at = strchr(name, '@');
  int64_t version = 0;
  nas_text_put(bare, sizeof bare, "%.*s", at ? (int)(at - name) : 90, name);
  if (!at || !nas_text_int(at + 1, &version) || nas_space_find(bare, &type, NULL) != NAS_OK || type->version != version)
    return NAS_OK;
  nas_settings settings = {0};
  nas_status status = nas_settings_parse(&settings, options, "the table", err);
  if (status == NAS_OK && nas_space_open(bare, &settings, &o->space, NULL) != NAS_OK) o->space = NULL;
  nas_settings_free(&settings);
  return status;
}

static nas_status check_row(opened *o, sqlite3_stmt *s, nas_rows *problems, nas_err *err) {
  const char *text = (const char *)sqlite3_column_text(s, 3);
  nas_task task = {{sqlite3_column_int(s, 6), sqlite3_column_int(s, 7), sqlite3_column_int(s, 8)},
                   sqlite3_column_int(s, 9)};
  nas_arch arch;
  nas_net *net;
  char what[300];
  if (!o->space) return NAS_OK;
  if (nas_space_parse(o->space, text, &arch, NULL) != NAS_OK) {
    nas_text_put(what, sizeof what, "trial %lld: '%.160s' is no architecture of %s",
                 (long long)sqlite3_column_int64(s, 0), text, o->name);
    return nas_db_add_problem(problems, "costs of networks", what, false, err);
  }
  if (nas_space_net(o->space, &arch, task, &net, NULL) != NAS_OK) return NAS_OK; /* a declared space has none */
  const int64_t counted[] = {net->params, net->macs};
  nas_net_free(net);
  for (int k = 0; k < 2; k++) {
    int64_t recorded = nas_db_column_count(s, 4 + k);
    if (recorded < 0 || recorded == counted[k]) continue;
    nas_text_put(what, sizeof what, "trial %lld has %lld %s, its architecture %lld",
                 (long long)sqlite3_column_int64(s, 0), (long long)recorded, k ? "MACs" : "params",
                 (long long)counted[k]);
    NAS_TRY(nas_db_add_problem(problems, "costs of networks", what, false, err));
  }
  return NAS_OK;
}

/* One trial of each architecture, options and data set: "equal networks cost the same" has seen to the others. Tables
 * that were imported do not say the shape of their images. */
nas_status nas_db_verify_costs(nas_db *db, nas_rows *problems, nas_err *err) {
  sqlite3_stmt *s;
  opened o = {0};
  NAS_TRY(nas_db_prepare(db,
                         "SELECT min(t.id), c.space, c.space_options, a.arch, t.params, t.macs, d.channels, d.height, "
                         "d.width, d.classes FROM trial t JOIN campaign c ON c.id = t.campaign JOIN architecture a ON "
                         "a.id = t.architecture JOIN dataset d ON d.id = t.dataset WHERE (t.params IS NOT NULL OR "
                         "t.macs IS NOT NULL) AND d.channels > 0 AND d.height > 0 AND d.width > 0 AND d.classes > 0 "
                         "GROUP BY c.space, c.space_options, t.architecture, t.dataset",
                         &s, err));
  nas_status status = NAS_OK;
  for (bool row = true; row && status == NAS_OK;) {
    status = nas_db_step_row(db, s, &row, "count the networks", err);
    if (status == NAS_OK && row)
      status = open_space(&o, (const char *)sqlite3_column_text(s, 1), (const char *)sqlite3_column_text(s, 2), err);
    if (status == NAS_OK && row) status = check_row(&o, s, problems, err);
  }
  sqlite3_reset(s);
  nas_space_close(o.space);
  nas_str_free(&o.options);
  return status;
}
