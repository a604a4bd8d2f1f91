/* The readers of IDX, CIFAR-10 binary and CSV files against small files made by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "harness.h"
#include "train/data/cifar.h"
#include "train/data/csv.h"
#include "train/data/idx.h"

/* Two images of 2 x 3, as the format's author describes it. */
static const uint8_t plain[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};

static size_t pack(const uint8_t *bytes, size_t n, uint8_t *out, size_t size) {
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = (z_const Bytef *)(uintptr_t)bytes;
  z.avail_in = (unsigned)n;
  z.next_out = out;
  z.avail_out = (unsigned)size;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  deflateEnd(&z);
  return size - z.avail_out;
}

static nas_status parse(const uint8_t *file, size_t n, uint8_t out[64]) {
  nas_idx head;
  /* An exact copy on the heap lets the sanitizer see a byte too many. */
  uint8_t *copy = malloc(n ? n : 1);
  assert_non_null(copy);
  memcpy(copy, file, n);
  nas_status status = nas_idx_head(copy, n, "f.idx", &head, nas_test_err());
  if (status == NAS_OK) {
    assert_true(head.size <= 64);
    status = nas_idx_data(copy, n, "f.idx", &head, out, nas_test_err());
  }
  free(copy);
  return status;
}

static void reads_plain_and_gzip(void **state) {
  (void)state;
  uint8_t packed[256], out[64];
  nas_idx head;
  size_t n = pack(plain, sizeof plain, packed, sizeof packed);
  assert_ok(nas_idx_head(plain, sizeof plain, "f", &head, nas_test_err()));
  assert_int_equal(head.n_dims, 3);
  assert_true(head.dims[0] == 2 && head.dims[1] == 2 && head.dims[2] == 3 && head.dims[3] == 1 && head.size == 12);
  assert_ok(parse(plain, sizeof plain, out));
  assert_memory_equal(out, plain + 16, 12);
  memset(out, 0, sizeof out);
  assert_ok(parse(packed, n, out));
  assert_memory_equal(out, plain + 16, 12);
}

/* gzip allows members one behind another (RFC 1952). */
static void reads_gzip_members_in_a_row(void **state) {
  (void)state;
  uint8_t packed[512], out[64];
  size_t n = pack(plain, 9, packed, 256);
  n += pack(plain + 9, sizeof plain - 9, packed + n, 256);
  assert_ok(parse(packed, n, out));
  assert_memory_equal(out, plain + 16, 12);
}

static void a_cut_idx_file_names_the_byte(void **state) {
  (void)state;
  uint8_t out[64];
  char text[64];
  for (size_t n = 0; n < sizeof plain; n++) {
    snprintf(text, sizeof text, "ends at byte %zu", n);
    assert_fails(parse(plain, n, out), NAS_E_BAD_INPUT, text);
    assert_string_equal(nas_test_err()->where, "f.idx");
  }
}

static void a_cut_gzip_file_names_the_byte(void **state) {
  (void)state;
  uint8_t packed[256], out[64];
  char text[64];
  size_t n = pack(plain, sizeof plain, packed, sizeof packed);
  for (size_t cut = 2; cut < n; cut++) {
    assert_fails(parse(packed, cut, out), NAS_E_BAD_INPUT, "f.idx");
    snprintf(text, sizeof text, "cut off at byte %zu", cut);
    if (cut + 9 > n) assert_non_null(strstr(nas_test_err()->msg, text));
  }
}

static void damaged_gzip_is_noticed(void **state) {
  (void)state;
  uint8_t packed[256], out[64];
  size_t n = pack(plain, sizeof plain, packed, sizeof packed);
  packed[n - 5] ^= 1; /* the checksum */
  assert_fails(parse(packed, n, out), NAS_E_BAD_INPUT, "damaged gzip data");
  packed[n - 5] ^= 1;
  packed[10] ^= 0xff;
  assert_fails(parse(packed, n, out), NAS_E_BAD_INPUT, "f.idx");
}

static void bad_idx_headers(void **state) {
  (void)state;
  static const struct {
    int at, value;
    const char *part;
  } rows[] = {{0, 1, "byte 0: the magic number is 01000803"},
              {1, 9, "magic"},
              {2, 0x0d, "00000d03"},
              {3, 0, "magic"},
              {3, 5, "magic"},
              {4, 0x7f, "dimension 1 (byte 4) is 2130706434"},
              {7, 0, "dimension 1 (byte 4) is 0"},
              {15, 4, "the data ends at byte 28; the header announces 32 bytes"},
              {15, 2, "goes on after byte 24"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint8_t file[sizeof plain], packed[256], out[64];
    memcpy(file, plain, sizeof file);
    file[rows[i].at] = (uint8_t)rows[i].value;
    assert_fails(parse(file, sizeof file, out), NAS_E_BAD_INPUT, rows[i].part);
    assert_string_equal(nas_test_err()->where, "f.idx");
    size_t n = pack(file, sizeof file, packed, sizeof packed);
    assert_fails(parse(packed, n, out), NAS_E_BAD_INPUT, rows[i].part);
  }
}

/* Dimensions whose product overflows must not look small. */
static void huge_idx_dimensions(void **state) {
  (void)state;
  uint8_t file[4 + 16 + 8] = {0, 0, 8, 4}, out[64];
  memset(file + 4, 0xff, 16);
  assert_fails(parse(file, sizeof file, out), NAS_E_BAD_INPUT, "cannot hold");
  static const uint8_t powers[] = {0, 0, 8, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0};
  assert_fails(parse(powers, sizeof powers, out), NAS_E_BAD_INPUT, "cannot hold");
}

static void reads_cifar_records(void **state) {
  (void)state;
  static uint8_t file[2 * NAS_CIFAR_RECORD], pixels[2 * NAS_CIFAR_PIXELS];
  uint8_t labels[2];
  int64_t count;
  for (size_t i = 0; i < sizeof file; i++) file[i] = (uint8_t)(i * 13 + i / 256);
  file[0] = 9;
  file[NAS_CIFAR_RECORD] = 0;
  assert_ok(nas_cifar_count(sizeof file, "c.bin", &count, nas_test_err()));
  assert_int_equal(count, 2);
  assert_ok(nas_cifar_parse(file, 2, "c.bin", pixels, labels, nas_test_err()));
  assert_int_equal(labels[0], 9);
  assert_int_equal(labels[1], 0);
  for (int i = 0; i < 2; i++)
    for (int c = 0; c < 3; c++)
      for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
          assert_int_equal(pixels[((i * 32 + y) * 32 + x) * 3 + c],
                           file[i * NAS_CIFAR_RECORD + 1 + c * 1024 + y * 32 + x]);
}

static void bad_cifar_files(void **state) {
  (void)state;
  static uint8_t file[2 * NAS_CIFAR_RECORD], pixels[2 * NAS_CIFAR_PIXELS];
  uint8_t labels[2];
  int64_t count;
  assert_fails(nas_cifar_count(0, "c.bin", &count, nas_test_err()), NAS_E_BAD_INPUT, "c.bin");
  assert_fails(nas_cifar_count(2 * 3073 - 1, "c.bin", &count, nas_test_err()), NAS_E_BAD_INPUT,
               "6145 bytes are not a whole number of 3073-byte records (the last one begins at byte 3073)");
  file[NAS_CIFAR_RECORD] = 10;
  assert_fails(nas_cifar_parse(file, 2, "c.bin", pixels, labels, nas_test_err()), NAS_E_BAD_INPUT,
               "label 10 of image 1 (byte 3073) is outside 0..9");
}

static const nas_csv_form form = {.n_pixels = 3, .pixel_max = 16, .classes = 10};

static void reads_csv_lines(void **state) {
  (void)state;
  static const char *const texts[] = {"a,b,c,class\n0,1,16,9\n5,6,7,0\n", "0,1,16,9\n5,6,7,0",
                                      "a,b,c,d\r\n\r\n0,1,16,9\r\n\n5,6,7,0\r\n\r\n"};
  static const uint8_t expected[] = {0, 1, 16, 5, 6, 7};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    uint8_t pixels[6], labels[2];
    assert_int_equal(nas_csv_count(texts[i]), 2);
    assert_ok(nas_csv_parse(texts[i], "d.csv", &form, pixels, labels, nas_test_err()));
    assert_memory_equal(pixels, expected, sizeof expected);
    assert_int_equal(labels[0], 9);
    assert_int_equal(labels[1], 0);
  }
}

static void bad_csv_cells_have_line_and_column(void **state) {
  (void)state;
  static const struct {
    const char *text, *where, *part;
  } rows[] = {
      {"0,1,2,3\n0,x,2,3\n", "d.csv:2:3", "'x' is not a whole number"},
      {"h,h,h,h\n1,2,17,3\n", "d.csv:2:5", "pixel 17 is outside 0..16"},
      {"1,2,3,10\n", "d.csv:1:7", "label 10 is outside 0..9"},
      {"1,2,-3,1\n", "d.csv:1:5", "pixel -3"},
      {"1,2,3\n", "d.csv:1:6", "the line has 3 cells; 3 pixels and a class are wanted"},
      {"1,2,3,4,5\n", "d.csv:1:9", "goes on after 3 pixels"},
      {"1,2,3,4,\n", "d.csv:1:9", "goes on after"},
      {"1,,3,4\n", "d.csv:1:3", "'' is not"},
      {"1,2, 3,4\n", "d.csv:1:5", "' 3' is not"},
      {"1,2,1.5,4\n", "d.csv:1:5", "'1.5' is not"},
      {"1,2,99999999999999999999999999999999,4\n", "d.csv:1:5", "is not a whole number"},
      {"h,h,h,h\n\n1,2,3,4\nh,2,3,4\n", "d.csv:4:1", "'h' is not"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint8_t pixels[64], labels[8];
    assert_fails(nas_csv_parse(rows[i].text, "d.csv", &form, pixels, labels, nas_test_err()), NAS_E_BAD_INPUT,
                 rows[i].part);
    assert_string_equal(nas_test_err()->where, rows[i].where);
  }
}

NAS_SUITE(DataReaders, NAS_CASE(reads_plain_and_gzip), NAS_CASE(reads_gzip_members_in_a_row),
          NAS_CASE(a_cut_idx_file_names_the_byte), NAS_CASE(a_cut_gzip_file_names_the_byte),
          NAS_CASE(damaged_gzip_is_noticed), NAS_CASE(bad_idx_headers), NAS_CASE(huge_idx_dimensions),
          NAS_CASE(reads_cifar_records), NAS_CASE(bad_cifar_files), NAS_CASE(reads_csv_lines),
          NAS_CASE(bad_csv_cells_have_line_and_column))
