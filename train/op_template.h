/* Compiles the kernels of an operation for both element types: NAS_TEMPLATE names a file whose part under
 * `#ifdef REAL` holds static functions FN(forward), FN(backward), ... Sums run in double in either. No include guard.
 */
#define NAS_JOIN_(a, b) a##b
#define NAS_JOIN(a, b)  NAS_JOIN_(a, b)
#define FN(name)        NAS_JOIN(name, SUFFIX)

#define REAL   float
#define SUFFIX _f32
#include NAS_TEMPLATE
#undef REAL
#undef SUFFIX
#define REAL   double
#define SUFFIX _f64
#include NAS_TEMPLATE
#undef REAL
#undef SUFFIX
