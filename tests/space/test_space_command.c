/* `nascent space`, as a user calls it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "harness.h"

static char *out, *complaint;

/* Runs the program and returns its exit status; texts live until the next call. */
static int space(const char *arguments) {
  free(out);
  free(complaint);
  out = complaint = NULL;
  if (!nas_file_exists(nas_program())) nas_skip("%s is not built", nas_program());
  return nas_run(&out, &complaint, "'%s' space %s", nas_program(), arguments);
}

static void finish(void) {
  free(out);
  free(complaint);
  out = complaint = NULL;
}

static void assert_prints(const char *arguments, const char *part) {
  int status = space(arguments);
  if (status != 0 || !strstr(out, part)) fail_msg("space %s: %d: %s%s", arguments, status, out, complaint);
}

static void assert_complains(const char *arguments, const char *part) {
  int status = space(arguments);
  if (status != 2 || *out || !strstr(complaint, part))
    fail_msg("space %s: %d: %s%s", arguments, status, out, complaint);
}

static int lines(const char *text) {
  int n = 0;
  for (; (text = strchr(text, '\n')); text++) n++;
  return n;
}

static void lists_and_describes(void **state) {
  (void)state;
  assert_prints("list", "nas-bench-201        1          15625        6466");
  assert_prints("list --json", "{\"schema\": \"nascent.space-list\", \"rows\": [");
  assert_prints("info nas-bench-201", "unique classes  6466");
  assert_prints("info nas-bench-201 --json", "{\"schema\": \"nascent.space-info\", \"space\": \"nas-bench-201\"");
  finish();
}

#define BEST "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"

static void shows_the_published_figures(void **state) {
  (void)state;
  static const char *const object =
      "{\"schema\": \"nascent.space-show\", \"space\": \"nas-bench-201\", \"arch\": \"" BEST
      "\", \"index\": 9930, \"canonical\": \"(((0)@nor_conv_3x3)@nor_conv_3x3+(0)@nor_conv_3x3)@nor_conv_3x3+"
      "((0)@nor_conv_3x3)@nor_conv_3x3+0\", \"class\": 4471, \"params\": 1288506, \"macs\": 184730250, ";
  assert_prints("show nas-bench-201 9930 --json", object);
  assert_prints("show nas-bench-201 '" BEST "' --json", object);
  assert_prints("show nas-bench-201 9930", "macs       184730250\n");
  /* The figures of the same network in PyTorch. */
  assert_prints("show nas-bench-201 9930 -o channels=8 -o space.cells=2 --input 1x8x8", "params     140674\n");
  assert_prints("show nas-bench-201 9930 --input 3x16x24 --classes 120", "macs       69281400\n");
  assert_prints("show nas-bench-201 9930 --layers", "stage2.cell4.node3.add\n");
  finish();
}

static void samples_by_seed(void **state) {
  (void)state;
  assert_prints("sample nas-bench-201 -n 5 --seed 3 --csv", "space,arch,index,canonical,class,params,macs\n");
  assert_int_equal(lines(out), 6);
  char *first = out;
  out = NULL;
  assert_prints("sample nas-bench-201 -n 5 --seed 3 --csv", first); /* again the same */
  assert_int_equal(space("sample nas-bench-201 -n 5 --seed 4 --csv"), 0);
  assert_string_not_equal(out, first);
  free(first);
  assert_prints("sample nas-bench-201 -n 2 --unique --json", "\"schema\": \"nascent.space-sample\"");
  finish();
}

static void enumerates_in_order(void **state) {
  (void)state;
  assert_prints("enumerate nas-bench-201 --csv", "\nnas-bench-201," BEST ",9930,");
  assert_int_equal(lines(out), 15626);
  assert_prints("enumerate nas-bench-201 --from 15620 --csv", ",15624,");
  assert_int_equal(lines(out), 6);
  assert_prints("enumerate nas-bench-201 --unique --count 6 --csv", ",5,");
  assert_int_equal(lines(out), 7);
  finish();
}

static void draws_to_a_file(void **state) {
  (void)state;
  char arguments[512];
  assert_prints("draw nas-bench-201 9930", "<svg xmlns=");
  assert_prints("draw nas-bench-201 9930 --format dot", "digraph cell {");
  assert_prints("draw nas-bench-201 9930 --json", "{\"schema\": \"nascent.architecture\"");
  snprintf(arguments, sizeof arguments, "draw nas-bench-201 9930 --output %s/cell.svg && cat %s/cell.svg",
           nas_test_folder(), nas_test_folder());
  assert_prints(arguments, "</svg>");
  finish();
}

static void explains_wrong_use(void **state) {
  (void)state;
  assert_complains("show nas-bench-201 '|nor_conv_3x4~0|'", "arch:2: no operation is called 'nor_conv_3x4', did you");
  assert_complains("show nas-bench-201 15625", "0..15624");
  assert_complains("show nas-bench-101 1", "did you mean 'nas-bench-201'?");
  assert_complains("show nas-bench-201", "SPACE ARCH");
  assert_complains("show nas-bench-201 1 --input 3x30x30", "15 x 15");
  assert_complains("show nas-bench-201 1 --input 3x32", "CHANNELSxHEIGHTxWIDTH");
  assert_complains("show nas-bench-201 1 --input 3x32x32x", "CHANNELSxHEIGHTxWIDTH");
  assert_complains("show nas-bench-201 1 --classes 0", "0 classes");
  assert_complains("show nas-bench-201 1 -o space.chanels=8", "did you mean 'channels'?");
  assert_complains("show nas-bench-201 1 -o cells=101", "1..100");
  assert_complains("sample nas-bench-201 -n 0", "1..1000000");
  assert_complains("enumerate nas-bench-201 --from 15625", "0..15624");
  assert_complains("enumerate nas-bench-201 --from -1", "0..15624");
  assert_complains("enumerate nas-bench-201 --count -1", "negative");
  assert_complains("draw nas-bench-201 1 --format png", "svg, dot or json");
  assert_complains("draw nas-bench-201 1 --output /no/such/folder/cell.svg", "/no/such/folder/cell.svg");
  assert_complains("shw", "did you mean 'show'?");
  finish();
}

NAS_SUITE(SpaceCommand, NAS_CASE(lists_and_describes), NAS_CASE(shows_the_published_figures), NAS_CASE(samples_by_seed),
          NAS_CASE(enumerates_in_order), NAS_CASE(draws_to_a_file), NAS_CASE(explains_wrong_use))
