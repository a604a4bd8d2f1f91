/* nascent report: a self-contained HTML page of a campaign: leaderboard, plots, cells, what it was run with. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/bench-db.h"
#include "cli/commands.h"
#include "cli/plot.h"
#include "space/space.h"

enum { SHOWN_ROWS = 20, DRAWN_CELLS = 3, DRAWN_CURVES = 5 };

typedef struct page {
  nas_db_campaign *campaign;
  nas_db_trial *trials; /* ask order */
  size_t n;
  const nas_db_trial **best; /* finished and ok, best validation accuracy first */
  size_t n_best;
  nas_str html;
} page;

static const nas_epoch *last_epoch(const nas_db_trial *t) {
  return t->result.n_epochs ? &t->result.epochs[t->result.n_epochs - 1] : NULL;
}

static double valid_accuracy(const nas_db_trial *t) {
  const nas_epoch *e = last_epoch(t);
  return e ? e->valid_accuracy : (double)NAN;
}

static bool is_ok(const nas_db_trial *t) {
  return t->finished && t->result.outcome == NAS_OUTCOME_OK && isfinite(valid_accuracy(t));
}

static int better_first(const void *a, const void *b) {
  const nas_db_trial *x = *(const nas_db_trial *const *)a, *y = *(const nas_db_trial *const *)b;
  double vx = valid_accuracy(x), vy = valid_accuracy(y);
  return vx != vy ? (vx < vy) - (vx > vy) : (x->number > y->number) - (x->number < y->number);
}

static nas_status rank_trials(page *p, nas_err *err) {
  p->best = calloc(p->n ? p->n : 1, sizeof *p->best);
  if (!p->best) return nas_fail_memory(err, "the leaderboard");
  for (size_t i = 0; i < p->n; i++)
    if (is_ok(&p->trials[i])) p->best[p->n_best++] = &p->trials[i];
  qsort(p->best, p->n_best, sizeof *p->best, better_first);
  return NAS_OK;
}

static void add_head(page *p) {
  nas_str_add(&p->html,
              "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>nascent report</title>\n<style>\n"
              "body{font:15px/1.45 system-ui,sans-serif;color:#222;max-width:1180px;margin:2em auto;padding:0 1em}\n"
              "h1{font-size:1.6em;margin-bottom:.1em}h2{font-size:1.15em;margin-top:1.8em}\n"
              "table{border-collapse:collapse;font-size:.86em}th,td{padding:.25em .7em;border-bottom:1px solid #ddd;"
              "text-align:right;white-space:nowrap}th{background:#f4f4f4}td.l,th.l{text-align:left}\n"
              "td.l{font-family:ui-monospace,monospace}.row{display:flex;flex-wrap:wrap;gap:1em}"
              ".plot{width:560px;font:12px system-ui,sans-serif}.plot .title{font-weight:600;font-size:14px}\n"
              ".grid{stroke:#e5e5e5}.frame{fill:none;stroke:#888}.cell{width:370px}.cell svg{width:100%;height:auto}\n"
              "pre{background:#f7f7f7;padding:1em;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.82em}.wide{"
              "overflow-x:auto}.note{color:#555}\n"
              "</style></head><body>\n<h1>");
  nas_html_text(&p->html, p->campaign->name);
  nas_str_add(&p->html, "</h1>\n<p class='note'>");
  const nas_db_campaign *c = p->campaign;
  char line[1024];
  nas_text_put(line, sizeof line,
               "%s searched %s on %s (%lld train, %lld valid, %lld test images), recipe %s, seed %llu", c->strategy,
               c->space, c->dataset.name, (long long)c->dataset.n_train, (long long)c->dataset.n_valid,
               (long long)c->dataset.n_test, c->recipe.name, (unsigned long long)c->seed);
  nas_html_text(&p->html, line);
  nas_str_add(&p->html, "</p>\n");
}

static void add_outcomes(page *p) {
  size_t counts[NAS_OUTCOME_COUNT] = {0}, open = 0;
  for (size_t i = 0; i < p->n; i++) {
    if (p->trials[i].finished) counts[p->trials[i].result.outcome]++;
    else open++;
  }
  nas_str_fmt(&p->html, "<p>%zu trials:", p->n);
  for (int k = 0; k < NAS_OUTCOME_COUNT; k++)
    if (counts[k]) nas_str_fmt(&p->html, " %zu %s,", counts[k], nas_outcome_text((nas_outcome)k));
  nas_str_fmt(&p->html, " %zu unfinished.</p>\n", open);
}

static void add_leaderboard(page *p) {
  nas_str_add(
      &p->html,
      "<h2>Leaderboard</h2><p class='note'>Ranked by validation accuracy of the last epoch; the test "
      "accuracy beside it was never seen by the strategy.</p>\n<div class='wide'><table><tr><th>#</th><th>trial</th>"
      "<th class='l'>architecture</th><th>valid %</th><th>test %</th><th>params</th><th>MACs</th>"
      "<th>seconds</th></tr>\n");
  for (size_t i = 0; i < p->n_best && i < SHOWN_ROWS; i++) {
    const nas_db_trial *t = p->best[i];
    nas_str_fmt(&p->html, "<tr><td>%zu</td><td>%lld</td><td class='l'>", i + 1, (long long)t->id);
    nas_html_text(&p->html, t->arch);
    nas_str_fmt(&p->html, "</td><td>%.2f</td><td>%.2f</td><td>%lld</td><td>%lld</td><td>%.1f</td></tr>\n",
                valid_accuracy(t), last_epoch(t)->test_accuracy, (long long)t->params, (long long)t->macs,
                nas_result_metric(&t->result, "seconds"));
  }
  nas_str_add(&p->html, "</table></div>\n");
}

/* Validation accuracy against parameters, with the Pareto front. */
static void add_front(page *p, double *x, double *y) {
  nas_plot plot = {
      .title = "Accuracy and size", .x_label = "parameters", .y_label = "validation accuracy, %", .log_x = true};
  nas_plot_reset(&plot);
  for (size_t i = 0; i < p->n_best; i++) nas_plot_hold(&plot, (double)p->best[i]->params, valid_accuracy(p->best[i]));
  nas_plot_begin(&plot, &p->html);
  for (size_t i = 0; i < p->n_best; i++)
    nas_plot_point(&plot, &p->html, (double)p->best[i]->params, valid_accuracy(p->best[i]), nas_plot_colour(0),
                   p->best[i]->arch);
  /* Best first: a trial is on the front when it is smaller than all better ones. */
  size_t n = 0;
  for (size_t i = 0; i < p->n_best; i++)
    if (n == 0 || (double)p->best[i]->params < x[n - 1]) {
      x[n] = (double)p->best[i]->params;
      y[n++] = valid_accuracy(p->best[i]);
    }
  for (size_t i = 0; i < n / 2; i++) {
    double held = x[i];
    x[i] = x[n - 1 - i];
    x[n - 1 - i] = held;
    held = y[i];
    y[i] = y[n - 1 - i];
    y[n - 1 - i] = held;
  }
  nas_plot_line(&plot, &p->html, x, y, n, nas_plot_colour(1), true, "front");
  nas_plot_end(&p->html);
}

static void add_progress(page *p, double *x, double *y) {
  nas_plot plot = {.title = "Best so far", .x_label = "trial", .y_label = "validation accuracy, %", .whole_x = true};
  nas_plot_reset(&plot);
  double best = -INFINITY;
  size_t n = 0;
  for (size_t i = 0; i < p->n; i++) {
    if (!is_ok(&p->trials[i])) continue;
    best = fmax(best, valid_accuracy(&p->trials[i]));
    x[n] = (double)p->trials[i].number + 1;
    y[n] = best;
    nas_plot_hold(&plot, x[n], y[n]);
    nas_plot_hold(&plot, x[n++], valid_accuracy(&p->trials[i]));
  }
  nas_plot_begin(&plot, &p->html);
  for (size_t i = 0; i < p->n; i++)
    if (is_ok(&p->trials[i]))
      nas_plot_point(&plot, &p->html, (double)p->trials[i].number + 1, valid_accuracy(&p->trials[i]),
                     nas_plot_colour(5), p->trials[i].arch);
  nas_plot_line(&plot, &p->html, x, y, n, nas_plot_colour(1), true, "best");
  nas_plot_end(&p->html);
}

static void add_curves(page *p) {
  nas_plot plot = {
      .title = "Learning curves of the best", .x_label = "epoch", .y_label = "validation accuracy, %", .whole_x = true};
  nas_plot_reset(&plot);
  size_t shown = p->n_best < DRAWN_CURVES ? p->n_best : DRAWN_CURVES;
  for (size_t i = 0; i < shown; i++)
    for (size_t e = 0; e < p->best[i]->result.n_epochs; e++)
      nas_plot_hold(&plot, p->best[i]->result.epochs[e].epoch, p->best[i]->result.epochs[e].valid_accuracy);
  nas_plot_begin(&plot, &p->html);
  for (size_t i = 0; i < shown; i++) {
    const nas_result *r = &p->best[i]->result;
    double x[256], y[256];
    size_t stride = r->n_epochs / 256 + 1, n = 0;
    for (size_t e = 0; e < r->n_epochs; e += stride) {
      x[n] = r->epochs[e].epoch;
      y[n++] = r->epochs[e].valid_accuracy;
    }
    nas_plot_line(&plot, &p->html, x, y, n, nas_plot_colour(i), false, NULL);
  }
  nas_plot_end(&p->html);
}

static nas_status add_cells(page *p, nas_err *err) {
  char name[64];
  nas_text_put(name, sizeof name, "%.*s", (int)strcspn(p->campaign->space, "@"), p->campaign->space);
  nas_settings settings = {0};
  nas_space *space = NULL;
  nas_status status = nas_settings_parse(&settings, p->campaign->space_options, "the table", err);
  if (status == NAS_OK) status = nas_space_open(name, &settings, &space, err);
  const nas_db_dataset *d = &p->campaign->dataset;
  const nas_task task = {{d->channels, d->height, d->width}, d->classes};
  nas_str_add(&p->html, "<h2>The best cells</h2><div class='row'>\n");
  for (size_t i = 0; status == NAS_OK && i < p->n_best && i < DRAWN_CELLS; i++) {
    nas_arch arch;
    nas_str svg = {0};
    status = nas_space_parse(space, p->best[i]->arch, &arch, err);
    if (status == NAS_OK) status = nas_space_draw(space, &arch, task, "svg", &svg, err);
    /* Inside HTML an XML declaration would be shown as text. */
    const char *drawing = strstr(nas_str_text(&svg), "<svg");
    if (status == NAS_OK && drawing)
      nas_str_fmt(&p->html, "<div class='cell'><b>%zu: %.2f %%</b>%s</div>\n", i + 1, valid_accuracy(p->best[i]),
                  drawing);
    nas_str_free(&svg);
  }
  nas_str_add(&p->html, "</div>\n");
  nas_space_close(space);
  nas_settings_free(&settings);
  return status;
}

static void add_provenance(page *p) {
  const nas_db_campaign *c = p->campaign;
  nas_str_add(&p->html, "<h2>What it was run with</h2><pre>");
  nas_str text = {0};
  nas_str_fmt(&text, "program  %s\nmachine  %s\ndata set %s, digest %s, split %s\nrecipe   %s, digest %s\n\n%s",
              c->program, c->machine, c->dataset.name, c->dataset.digest, c->dataset.split, c->recipe.name,
              c->recipe.digest, c->config);
  nas_html_text(&p->html, nas_str_text(&text));
  nas_str_free(&text);
  nas_str_add(&p->html, "</pre></body></html>\n");
}

static nas_status write_page(page *p, const char *output, nas_err *err) {
  NAS_TRY(rank_trials(p, err));
  double *x = calloc(2 * p->n + 2, sizeof *x);
  if (!x) return nas_fail_memory(err, "plots");
  add_head(p);
  add_outcomes(p);
  add_leaderboard(p);
  nas_str_add(&p->html, "<h2>Plots</h2><div class='row'>\n");
  add_progress(p, x, x + p->n + 1);
  add_front(p, x, x + p->n + 1);
  add_curves(p);
  nas_str_add(&p->html, "</div>\n");
  free(x);
  NAS_TRY(add_cells(p, err));
  add_provenance(p);
  NAS_TRY(nas_str_check(&p->html, err));
  return nas_file_write_atomic(output, p->html.s, p->html.len, err);
}

nas_status nas_cmd_report(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *output = "report.html";
  int64_t campaign = 0;
  bool done;
  const nas_flag flags[] = {{"output", 'o', NAS_FLAG_TEXT, &output, "FILE", "the page to write (report.html)"},
                            {"campaign", 0, NAS_FLAG_INT, &campaign, "ID", "which campaign (the newest)"},
                            {0}};
  const nas_usage usage = {"DB", 1, 1, flags, "Writes one HTML page that needs nothing else."};
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  nas_db *db;
  NAS_TRY(nas_db_open(cli->args[0], NAS_DB_READ, &db, err));
  page p = {0};
  nas_status status = nas_db_campaign_load(db, campaign, &p.campaign, err);
  if (status == NAS_OK) status = nas_db_trials(db, p.campaign->id, &p.trials, &p.n, err);
  if (status == NAS_OK) status = write_page(&p, output, err);
  nas_db_close(db);
  nas_str_free(&p.html);
  free(p.best);
  if (p.trials) nas_db_trials_free(p.trials, p.n);
  if (p.campaign) nas_db_campaign_free(p.campaign);
  if (status == NAS_OK && !cli->quiet) fprintf(stderr, "wrote %s\n", output);
  return status;
}
