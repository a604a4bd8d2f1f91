/* Chains of elementwise operations, run a tile at a time. */
#include "engine_check.h"
#include "random_graph.h"
#include "train/plan_internal.h"

/* Every operation that may be part of a chain is in one of them. */
enum { KINDS = 3 };
static const struct {
  const char *first, *fourth;
  nas_attrs attrs; /* of the fourth */
} kinds[KINDS] = {{"tanh", "sigmoid", {0}},
                  {"square", "square", {0}},
                  {"relu", "expression", {.options = "f=(a + tanh(b*x))*c*x; a=1, b=1, c=0.5"}}};

static nas_graph *network(nas_shape image, int kind, nas_value made[5], nas_value *out) {
  nas_graph *g;
  assert_ok(nas_graph_new(image, &g, nas_test_err()));
  made[0] = engine_op1(g, kinds[kind].first, 0, (nas_attrs){0}, "");
  made[1] = engine_op(g, "mul", (nas_value[]){made[0], 0}, 2, (nas_attrs){0}, "");
  made[2] = engine_op(g, "add", (nas_value[]){made[1], made[0], 0}, 3, (nas_attrs){0}, "");
  made[3] = engine_op1(g, kinds[kind].fourth, made[2], kinds[kind].attrs, "fourth");
  made[4] = engine_op(g, "mul", (nas_value[]){made[3], made[3]}, 2, (nas_attrs){0}, "");
  *out = engine_close(g, made[4], 3);
  return g;
}

/* Of two images each some are less than a tile, one is a tile, others several, and some end in part of a vector. */
static const nas_shape images[] = {{1, 1, 1},    {5, 7, 3},    {16, 8, 8},  {17, 13, 11},
                                   {16, 32, 16}, {16, 32, 64}, {17, 41, 43}};
enum { IMAGES = sizeof images / sizeof *images };

static void one_chain_equals_the_operations_one_by_one(void **state) {
  (void)state;
  for (int i = 0; i < IMAGES; i++)
    for (int kind = 0; kind < KINDS; kind++) {
      nas_value made[5], out;
      nas_graph *g = network(images[i], kind, made, &out);
      nas_plan_options options = {.batch = 2, .mode = NAS_TRAIN};
      engine fast = engine_new(g, out, NAS_F32, options);
      options.reference = true;
      engine plain = engine_new(g, out, NAS_F32, options);
      assert_true(fast.plan->n_chains > 0);
      assert_int_equal(nas_plan_operations(plain.plan), 6);
      engine_check_same(&fast, &plain, 2e-5, "chain");
      engine_free(&fast);
      engine_free(&plain);
      nas_graph_free(g);
    }
}

/* In evaluation nothing between the image and the last product is ever there as a whole. */
static void what_only_a_chain_sees_takes_no_memory(void **state) {
  (void)state;
  nas_value made[5], out;
  nas_shape image = {16, 32, 32};
  nas_graph *g = network(image, 0, made, &out);
  engine e = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 8, .mode = NAS_EVAL});
  int64_t tensor = 8 * nas_shape_size(image) * (int64_t)sizeof(float), params = nas_model_params(e.model) * 8;
  float *x = malloc((size_t)tensor);
  assert_non_null(x);
  nas_plan_forward(e.plan, 1, 1);
  for (int v = 0; v < 4; v++) assert_fails(nas_plan_read(e.plan, made[v], x, nas_test_err()), NAS_E_NOT_FOUND, "keep");
  assert_ok(nas_plan_read(e.plan, made[4], x, nas_test_err()));
  assert_true(nas_plan_peak_bytes(e.plan) - params < 2 * tensor + tensor / 2); /* the image, the product, tiles */
  free(x);
  engine_free(&e);
  nas_graph_free(g);
}

/* The comparison of random networks (Fused) is one of chains too. */
static void random_networks_have_chains_both_ways(void **state) {
  (void)state;
  static graph_list list;
  int32_t forward = 0, backward = 0, local = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    nas_value logits;
    nas_model *m;
    nas_plan *p;
    graph_generate(seed, &list);
    nas_graph *g = graph_build(&list, &logits);
    assert_ok(nas_model_new(g, NAS_F32, &m, nas_test_err()));
    assert_ok(nas_plan_new(m, &(nas_plan_options){.batch = list.batch, .mode = NAS_TRAIN}, &p, nas_test_err()));
    for (int32_t i = 0; i < p->n_chains; i++) *(p->chains[i].first < p->n_forward ? &forward : &backward) += 1;
    for (int32_t b = 0; b < p->n_buffers; b++) local += p->buffers[b].local;
    nas_plan_free(p);
    nas_model_free(m);
    nas_graph_free(g);
  }
  if (forward < 6 || backward < 6 || local < 6)
    fail_msg("60 networks have %d chains forward, %d backward, %d buffers of one alone", forward, backward, local);
}

NAS_SUITE(Chain, NAS_CASE(one_chain_equals_the_operations_one_by_one), NAS_CASE(what_only_a_chain_sees_takes_no_memory),
          NAS_CASE(random_networks_have_chains_both_ways))
