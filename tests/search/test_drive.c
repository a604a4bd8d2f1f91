#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "drive.h"
#include "harness.h"

double nas_drive_accuracy(const nas_arch *arch) {
  return 50 + (double)(nas_hash64(arch->gene, arch->n) % 40000) / 1000;
}

nas_tell nas_drive_tell(const nas_history *h, uint64_t number, uint64_t fail_every) {
  static const nas_outcome failures[] = {NAS_OUTCOME_CRASHED, NAS_OUTCOME_TIMEOUT, NAS_OUTCOME_DIVERGED,
                                         NAS_OUTCOME_OUT_OF_MEMORY, NAS_OUTCOME_REJECTED};
  bool fails = fail_every && number % fail_every == fail_every - 1;
  double accuracy = fails ? NAN : nas_drive_accuracy(&h->arch[number]);
  return (nas_tell){.number = number,
                    .arch = h->arch[number],
                    .outcome = fails ? failures[number % 5] : NAS_OUTCOME_OK,
                    .valid_accuracy = accuracy,
                    .valid_loss = fails ? NAN : 1,
                    .seconds = 1,
                    .params = 1000,
                    .macs = 1000};
}

/* The asks without a tell, oldest first. */
static size_t open_asks(const nas_history *h, uint64_t open[NAS_DRIVE_MAX]) {
  bool told[NAS_DRIVE_MAX] = {false};
  size_t n = 0;
  for (size_t i = 0; i < h->n_events; i++)
    if (h->events[i].is_tell) told[h->events[i].number] = true;
  for (size_t k = 0; k < h->n_asks; k++)
    if (!told[k]) open[n++] = k;
  return n;
}

void nas_drive(nas_strategy *s, nas_history *h, size_t asks, size_t workers, uint64_t order, uint64_t fail_every) {
  while (h->n_asks < asks) {
    uint64_t open[NAS_DRIVE_MAX];
    size_t n = open_asks(h, open);
    if (n >= workers) {
      uint64_t mix[2] = {order, h->n_events};
      uint64_t number = open[order ? nas_hash64(mix, sizeof mix) % n : 0];
      nas_tell tell = nas_drive_tell(h, number, fail_every);
      assert_ok(nas_strategy_tell(s, &tell, nas_test_err()));
      h->events[h->n_events++] = (nas_event){true, number};
    }
    nas_proposal p;
    assert_ok(nas_strategy_propose(s, h->n_asks, &p, nas_test_err()));
    assert_in_range(p.epochs, 0, NAS_DRIVE_EPOCHS);
    if (p.continues) assert_true(nas_arch_same(&p.arch, &h->arch[p.continues - 1]));
    h->arch[h->n_asks] = p.arch;
    h->epochs[h->n_asks] = p.epochs;
    h->continues[h->n_asks] = p.continues;
    h->events[h->n_events++] = (nas_event){false, h->n_asks++};
  }
}

void nas_drive_replay(nas_strategy *s, const nas_history *h, uint64_t fail_every) {
  for (size_t i = 0; i < h->n_events; i++) {
    uint64_t number = h->events[i].number;
    nas_proposal p;
    if (h->events[i].is_tell) {
      nas_tell tell = nas_drive_tell(h, number, fail_every);
      assert_ok(nas_strategy_tell(s, &tell, nas_test_err()));
      continue;
    }
    assert_ok(nas_strategy_propose(s, number, &p, nas_test_err()));
    if (!nas_arch_same(&p.arch, &h->arch[number]) || p.epochs != h->epochs[number] ||
        p.continues != h->continues[number])
      fail_msg("ask %llu differs", (unsigned long long)number);
  }
}

nas_space *nas_drive_space(void) {
  nas_space *space;
  assert_ok(nas_space_open("nas-bench-201", NULL, &space, nas_test_err()));
  return space;
}

nas_strategy *nas_drive_open(const char *name, const char *settings, const nas_space *space, uint64_t seed) {
  nas_settings list = {0};
  nas_strategy *s;
  if (settings) assert_ok(nas_settings_parse(&list, settings, "the test", nas_test_err()));
  const nas_strategy_setup setup = {.space = space, .seed = seed, .epochs = NAS_DRIVE_EPOCHS};
  assert_ok(nas_strategy_open_with(name, &list, &setup, &s, nas_test_err()));
  nas_settings_free(&list);
  return s;
}
