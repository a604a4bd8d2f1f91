/* nascent doctor: what this machine and installation can do, each check with its remedy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/http.h"
#include "base/version.h"
#include "bench-db/bench-db.h"
#include "cli/commands.h"
#include "jobs/ranks.h"
#include "train/data/dataset.h"
#include "train/libraries.h"

typedef struct report {
  nas_table *table;
  int failed;
} report;

static void add_row(report *r, const char *check, const char *state, const char *detail) {
  nas_table_cell(r->table, "%s", check);
  nas_table_cell(r->table, "%s", state);
  nas_table_cell(r->table, "%s", detail);
  r->failed += strcmp(state, "failed") == 0;
}

static void check_processor(report *r) {
  char detail[256], line[256], model[128] = "unknown processor";
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "model name : %127[^\n]", model) == 1) break;
  if (file) fclose(file);
  const char *vectors = "portable kernels";
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) vectors = "AVX-512";
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) vectors = "AVX2";
#endif
  nas_text_put(detail, sizeof detail, "%s, %ld cores, %s", model, sysconf(_SC_NPROCESSORS_ONLN), vectors);
  add_row(r, "processor", "ok", detail);
}

static void check_memory(report *r) {
  char detail[64], size[24];
  int64_t bytes = (int64_t)sysconf(_SC_AVPHYS_PAGES) * sysconf(_SC_PAGESIZE);
  nas_text_put(detail, sizeof detail, "%s free", nas_text_size(size, bytes));
  add_row(r, "memory", bytes > (int64_t)256 << 20 ? "ok" : "warning", detail);
}

/* What is loaded only when it is needed, and would be missed only then. */
static void check_libraries(report *r) {
  static const struct {
    const char *check, *use;
    nas_status (*load)(nas_err *);
  } late[] = {{"oneDNN", "trains", nas_train_libraries_load},
              {"MPI", "campaigns of several ranks", nas_ranks_load},
              {"libcurl", "downloads, strategy llm", nas_http_load}};
  for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
    nas_err err = {0};
    bool there = late[i].load(&err) == NAS_OK;
    add_row(r, late[i].check, there ? "ok" : "warning", there ? late[i].use : err.msg);
  }
}

static bool on_path(const char *program) {
  char path[4096], *rest = NULL;
  nas_text_put(path, sizeof path, "%s", getenv("PATH") ? getenv("PATH") : "");
  for (char *folder = strtok_r(path, ":", &rest); folder; folder = strtok_r(NULL, ":", &rest)) {
    char file[8192];
    nas_text_put(file, sizeof file, "%s/%s", folder, program);
    if (access(file, X_OK) == 0) return true;
  }
  return false;
}

static void check_mpirun(report *r) {
  if (!on_path("mpirun")) {
    add_row(r, "mpirun", "warning", "not found: campaigns run with one worker; install openmpi-bin");
    return;
  }
  bool refused = geteuid() == 0 && !(getenv("OMPI_ALLOW_RUN_AS_ROOT") && getenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"));
  add_row(r, "mpirun", refused ? "warning" : "ok",
          refused ? "as root it wants OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1" : "found");
}

static void check_dataset(report *r, const nas_cli *cli, const char *name) {
  char check[64], detail[320];
  nas_dataset *data = NULL;
  nas_err err = {0};
  nas_text_put(check, sizeof check, "data set %s", name);
  double began = nas_clock();
  if (nas_dataset_open(name, NULL, cli->data_dir, &data, &err) != NAS_OK) {
    add_row(r, check, "warning", err.msg);
    return;
  }
  nas_text_put(detail, sizeof detail, "%lld images, %.2f s to load, digest %.12s", (long long)data->n,
               nas_clock() - began, data->digest);
  nas_dataset_close(data);
  add_row(r, check, "ok", detail);
}

/* A table made, opened and removed in the present folder: what a campaign needs. */
static void check_folder(report *r) {
  char path[64];
  nas_text_put(path, sizeof path, "./nascent-doctor-%ld.db", (long)getpid());
  nas_db *db = NULL;
  nas_err err = {0};
  nas_status status = nas_db_open(path, NAS_DB_CREATE, &db, &err);
  nas_db_close(db);
  if (status == NAS_OK && unlink(path) != 0) status = nas_fail_errno(&err, errno, path, "cannot remove the file");
  add_row(r, "tables in this folder", status == NAS_OK ? "ok" : "failed",
          status == NAS_OK ? "can be written" : err.msg);
}

nas_status nas_cmd_doctor(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  bool done;
  const nas_usage usage = {"", 0, 0, NULL,
                           "Checks this machine and installation: processor, memory, libraries, mpirun, data sets,\n"
                           "and whether a table can be written in the present folder."};
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  static const char *const columns[] = {"check", "state", "detail"};
  report r = {.table = nas_table_new("nascent.doctor", columns, "lll", 3)};
  add_row(&r, "version", "ok", NAS_VERSION_FULL);
  check_processor(&r);
  check_memory(&r);
  check_libraries(&r);
  check_mpirun(&r);
  check_folder(&r);
  for (const nas_dataset_type *const *type = nas_dataset_types(); *type; type++) check_dataset(&r, cli, (*type)->name);
  NAS_TRY(nas_table_print(r.table, cli, err));
  if (r.failed) return nas_fail(err, NAS_E_MISMATCH, NULL, "%d checks failed", r.failed);
  return NAS_OK;
}
