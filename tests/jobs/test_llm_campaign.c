/* Campaigns with strategy llm, through the program and its endpoint for tests. */
#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "runs.h"
#include "tests/search/llm_run.h"

#define KEY "sk-Very/Secret+123"

static char options[1024];

/* Options that lead to a server. */
static const char *with(const llm_server *s, const char *more) {
  snprintf(options, sizeof options,
           "-o strategy.url=http://127.0.0.1:%d/v1 -o strategy.model=test -o strategy.backoff=0.01 %s", s->port, more);
  return options;
}

static void write_campaign(void) {
  nas_runs_write_noop("c", "strategy: {name: llm}\nbudget: {trials: 12}\nevaluator: {name: noop}\n");
}

static void pause_for(double seconds) {
  struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&t, NULL);
}

static char *shell(const char *db, const char *sql) {
  char *out;
  assert_int_equal(nas_run(&out, NULL, "sqlite3 '%s' \"%s\"", nas_runs_path(db), sql), 0);
  return out;
}

static void assert_shell(const char *db, const char *sql, const char *wanted) {
  char *out = shell(db, sql);
  if (strcmp(out, wanted) != 0) fail_msg("%s: %s", sql, out);
  free(out);
}

static void without_a_key_nothing_begins(void **state) {
  (void)state;
  char *text = NULL;
  write_campaign();
  unsetenv("NASCENT_LLM_KEY");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "-o strategy.url=https://127.0.0.1:1/ -o strategy.model=m", &text),
                   2);
  assert_non_null(strstr(text, "environment variable NASCENT_LLM_KEY"));
  assert_false(nas_file_exists(nas_runs_path("c.db")));
  free(text);
}

/* No key, no endpoint and no table are needed to see the prompt. */
static void dry_run_prints_the_prompt(void **state) {
  (void)state;
  char *out, *err;
  write_campaign();
  unsetenv("NASCENT_LLM_KEY");
  assert_int_equal(
      nas_run(&out, &err, "cd '%s' && '%s' search c.yaml --db c.db --dry-run", nas_test_folder(), nas_program()), 0);
  assert_int_equal(strncmp(out, "You are an expert", 17), 0);
  assert_non_null(strstr(out, "The search space is nas-bench-201"));
  assert_non_null(strstr(out, "images of data set shapes"));
  assert_false(nas_file_exists(nas_runs_path("c.db")));
  free(out);
  free(err);
  assert_int_equal(nas_run(&out, &err, "cd '%s' && '%s' search c.yaml --db c.db --dry-run -o strategy=random",
                           nas_test_folder(), nas_program()),
                   0);
  assert_string_equal(out, "");
  assert_non_null(strstr(err, "sends nothing"));
  free(out);
  free(err);
}

/* Trouble of all kinds on the way: every trial is there, the transcript says what happened, and the key is nowhere. */
static void search_with_trouble(int ranks) {
  char *text = NULL, *hits;
  struct stat st;
  write_campaign();
  setenv("NASCENT_LLM_KEY", KEY, 1);
  llm_server s =
      llm_server_start("ok 429:1 truncate ok invalid ok refuse echo echo duplicate ok close ok", NULL, false);
  int status = nas_runs_search(ranks, "", "c", "c", with(&s, "-o strategy.max-wait=0.05"), &text);
  if (status != 0) fail_msg("exit %d: %s", status, text);
  assert_shell("c.db", "SELECT count(*), count(DISTINCT arch), min(outcome), max(outcome) FROM result",
               "12|12|ok|ok\n");
  assert_shell("c.db", "SELECT count(*) FROM (SELECT number FROM message WHERE kind = 'prompt' GROUP BY number)",
               "12\n");
  assert_shell("c.db", "SELECT count(*) FROM message WHERE kind = 'fallback'", "2\n");
  assert_shell("c.db", "SELECT count(*) FROM message WHERE kind = 'failure' AND text LIKE '%status 429%'", "1\n");
  assert_shell("c.db", "SELECT count(*) > 12, sum(tokens) > 0, min(tokens) > 0 FROM message WHERE kind = 'answer'",
               "1|1|1\n");
  assert_int_equal(stat(nas_runs_path("c.db"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_null(text ? strstr(text, "Secret") : NULL);
  assert_true(nas_run(&hits, NULL, "cd '%s' && grep -rl --exclude=llm.log Secret .", nas_test_folder()) != 0);
  assert_string_equal(hits, "");
  free(hits);
  free(text);
  llm_server_stop(&s);
  unsetenv("NASCENT_LLM_KEY");
}

static void searches_alone(void **state) {
  (void)state;
  search_with_trouble(0);
}

static void searches_under_mpirun(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  search_with_trouble(4);
}

static void wait_for_requests(const llm_server *s, int n) {
  for (int i = 0; i < 400; i++, pause_for(0.05)) {
    char *log = llm_server_log(s);
    int lines = 0;
    for (const char *p = log; (p = strchr(p, '\n')); p++) lines++;
    free(log);
    if (lines >= n) return;
  }
  fail_msg("the endpoint was not asked %d times", n);
}

/* The prompts that were sent, in order and each once: a request that a kill cut off is sent again. */
static char *prompts(const llm_server *s) {
  char *out;
  assert_int_equal(nas_run(&out, NULL, "uniq '%s'", s->log), 0);
  return out;
}

/* kill -9, another address, and on: the table and the questions are those of a run that was never stopped. */
static void a_killed_campaign_goes_on_as_if_never_stopped(void **state) {
  (void)state;
  nas_runs_write_noop("c",
                      "strategy: {name: llm, key-variable: none}\nbudget: {trials: 12}\nevaluator: {name: noop}\n");
  llm_server s = llm_server_start("", NULL, false);
  assert_int_equal(nas_runs_search(0, "", "c", "whole", with(&s, ""), NULL), 0);
  char *whole = nas_runs_table("whole"), *whole_prompts = prompts(&s);
  llm_server_stop(&s);
  unlink(s.log);
  s = llm_server_start("slow slow slow slow slow slow slow slow slow slow slow slow", NULL, false);
  pid_t session = nas_runs_start(0, "", "c", "part", with(&s, ""));
  wait_for_requests(&s, 4);
  nas_runs_kill(session);
  llm_server_stop(&s);
  s = llm_server_start("", NULL, false);
  char *text = NULL;
  if (nas_runs_search(0, "", "c", "part", with(&s, "--resume"), &text) != 0) fail_msg("%s", text);
  free(text);
  char *part = nas_runs_table("part"), *part_prompts = prompts(&s);
  assert_string_equal(whole, part);
  assert_string_equal(whole_prompts, part_prompts);
  assert_int_equal(
      nas_runs_search(0, "", "c", "part", with(&s, "--resume -o budget.trials=13 -o strategy.temperature=0"), &text),
      1);
  assert_non_null(strstr(text, "strategy.temperature"));
  free(text);
  free(whole);
  free(part);
  free(whole_prompts);
  free(part_prompts);
  llm_server_stop(&s);
}

/* While a question is out, the campaign hears a signal. */
static void a_waiting_campaign_stops_at_once(void **state) {
  (void)state;
  nas_runs_write_noop("c",
                      "strategy: {name: llm, key-variable: none}\nbudget: {trials: 12}\nevaluator: {name: noop}\n");
  llm_server s = llm_server_start("ok ok hang", NULL, false);
  pid_t session = nas_runs_start(0, "", "c", "c", with(&s, ""));
  wait_for_requests(&s, 3);
  kill(session, SIGTERM);
  assert_int_equal(nas_runs_wait(session, 20), 75);
  assert_shell("c.db", "SELECT count(*) FROM trial", "2\n");
  assert_shell("c.db", "SELECT group_concat(kind, ' ') FROM message WHERE number = 2", "prompt\n");
  llm_server_stop(&s);
}

static size_t read_proc(const char *pid, const char *file, char *out, size_t size) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
  FILE *f = fopen(path, "r");
  size_t n = f ? fread(out, 1, size - 1, f) : 0;
  if (f) fclose(f);
  out[n] = '\0';
  return n;
}

/* Looks at every process of ours in a session; how many there are. `alone`: one of them is the coordinator. */
static int look_for_key(pid_t session, bool alone) {
  static char environment[1 << 20];
  int seen = 0;
  DIR *d = opendir("/proc");
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d));) {
    char stat[512], filter[32];
    if (!strchr("0123456789", e->d_name[0]) || read_proc(e->d_name, "stat", stat, sizeof stat) == 0) continue;
    char *name = strchr(stat, '('), *rest = strrchr(stat, ')');
    int its_session = -1;
    if (!name || !rest || sscanf(rest, ") %*c %*d %*d %d", &its_session) != 1 || its_session != session) continue;
    if (strncmp(name, "(nascent", 8) != 0) continue; /* a shell, mpirun */
    size_t n = read_proc(e->d_name, "environ", environment, sizeof environment);
    assert_true(n > 0);
    if (memmem(environment, n, "Secret", 6)) fail_msg("%.*s has the key", (int)(rest - name + 1), name);
    read_proc(e->d_name, "coredump_filter", filter, sizeof filter);
    if (alone && strncmp(name, "(nascent)", 9) == 0) assert_int_equal(strtoul(filter, NULL, 16), 0);
    seen++;
  }
  closedir(d);
  return seen;
}

/* Once the strategy has its key, no process of the campaign shows it, nor would a core file of one. */
static void look_at_a_run(int ranks, int least, int most) {
  write_campaign();
  setenv("NASCENT_LLM_KEY", KEY, 1);
  llm_server s = llm_server_start("ok ok ok hang", NULL, false);
  pid_t session = nas_runs_start(ranks, "", "c", ranks ? "ranks" : "alone", with(&s, ""));
  wait_for_requests(&s, 4);
  assert_in_range(look_for_key(session, ranks == 0), least, most);
  nas_runs_kill(session);
  unsetenv("NASCENT_LLM_KEY");
  char *log = llm_server_log(&s);
  assert_non_null(strstr(log, "Bearer " KEY));
  free(log);
  llm_server_stop(&s);
  unlink(s.log);
}

static void no_process_shows_the_key(void **state) {
  (void)state;
  look_at_a_run(0, 3, 4); /* the coordinator, the zygote, a trial process */
  nas_runs_mpi_or_skip();
  look_at_a_run(3, 6, 9);
}

/* An endpoint that stays away ends the campaign with what it said on record; used up budgets end it well. */
static void ends_are_on_record(void **state) {
  (void)state;
  char *text = NULL;
  nas_runs_write_noop("c",
                      "strategy: {name: llm, key-variable: none}\nbudget: {trials: 12}\nevaluator: {name: noop}\n");
  llm_server s = llm_server_start("ok 401", NULL, false);
  assert_int_equal(nas_runs_search(0, "", "c", "c", with(&s, ""), &text), 1);
  assert_non_null(strstr(text, "status 401"));
  assert_shell("c.db", "SELECT group_concat(kind, ' ') FROM message WHERE number = 1", "prompt failure\n");
  free(text);
  llm_server_stop(&s);
  s = llm_server_start("", NULL, false);
  assert_int_equal(nas_runs_search(0, "", "c", "b", with(&s, "-o strategy.requests=3"), NULL), 0);
  assert_shell("b.db", "SELECT count(*) FROM trial", "3\n");
  assert_shell("b.db", "SELECT text FROM message WHERE kind = 'budget'", "the budget of requests is used up\n");
  /* A larger one may follow. */
  assert_int_equal(nas_runs_search(0, "", "c", "b", with(&s, "--resume -o strategy.requests=5"), NULL), 0);
  assert_shell("b.db", "SELECT count(*) FROM trial", "5\n");
  llm_server_stop(&s);
}

NAS_SUITE(LlmCampaign, NAS_CASE(without_a_key_nothing_begins), NAS_CASE(dry_run_prints_the_prompt),
          NAS_CASE(searches_alone), NAS_CASE(searches_under_mpirun),
          NAS_CASE(a_killed_campaign_goes_on_as_if_never_stopped), NAS_CASE(a_waiting_campaign_stops_at_once),
          NAS_CASE(no_process_shows_the_key), NAS_CASE(ends_are_on_record))
