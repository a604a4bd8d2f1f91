#include "space/python_random.h"

#include "harness.h"

/* Made by CPython 3.11: random.seed(88); [random.getrandbits(32) for _ in range(1300)], at a few places on both sides
 * of the generator's block of 624. */
static void equals_python_bits(void **state) {
  (void)state;
  static const struct {
    int at;
    uint32_t value;
  } rows[] = {{0, 1707201716u},   {1, 4182107318u},    {2, 813946014u},    {226, 151208756u},
              {227, 1289841432u}, {622, 3970628297u},  {623, 3125099610u}, {624, 3039405909u},
              {625, 1105593391u}, {1247, 1754647089u}, {1248, 92274226u},  {1299, 865643111u}};
  nas_python_random r;
  nas_python_seed(&r, 88);
  size_t k = 0;
  for (int i = 0; k < sizeof rows / sizeof *rows; i++) {
    uint32_t value = nas_python_bits(&r, 32);
    if (i == rows[k].at) assert_int_equal(value, rows[k++].value);
  }
}

/* random.seed(s); v = list(range(20)); random.shuffle(v) */
static void equals_python_shuffle(void **state) {
  (void)state;
  static const struct {
    uint32_t seed;
    uint16_t values[20];
  } rows[] = {{0u, {10, 18, 16, 14, 0, 17, 11, 2, 3, 9, 5, 7, 4, 19, 6, 15, 8, 1, 13, 12}},
              {88u, {18, 14, 9, 4, 1, 17, 13, 3, 2, 7, 16, 15, 11, 19, 8, 0, 5, 10, 6, 12}},
              {4294967295u, {8, 2, 3, 14, 11, 1, 0, 12, 7, 13, 4, 10, 17, 5, 15, 9, 16, 18, 6, 19}}};
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    uint16_t v[20];
    for (uint16_t i = 0; i < 20; i++) v[i] = i;
    nas_python_random r;
    nas_python_seed(&r, rows[k].seed);
    nas_python_shuffle(&r, v, 20);
    assert_memory_equal(v, rows[k].values, sizeof v);
  }
}

NAS_SUITE(PythonRandom, NAS_CASE(equals_python_bits), NAS_CASE(equals_python_shuffle))
