#ifndef NAS_SEARCH_PLUGIN_H
#define NAS_SEARCH_PLUGIN_H
/* Strategies out of a shared object. It is built against the installed headers and defines one symbol:
 *
 *   static const nas_strategy_type *const types[] = {&my_strategy, NULL};
 *   const nas_strategy_plugin nas_strategy_plugin_v1 = {NAS_STRATEGY_ABI, types};
 */
#include "search/strategy.h"

/* Raised when strategy.h or what it includes changes its layout. */
#define NAS_STRATEGY_ABI 4

typedef struct nas_strategy_plugin {
  uint32_t abi;
  const nas_strategy_type *const *types; /* NULL-terminated; must live as long as the program */
} nas_strategy_plugin;

extern const nas_strategy_plugin nas_strategy_plugin_v1;

/* Loads the file and registers its strategies beside the built-in ones; it stays loaded. NOT_FOUND: no such file, or
 * one the linker refuses (its reason is in the message); MISMATCH: another ABI number; BAD_INPUT: not a plugin, a
 * strategy with something missing, or a name that is taken. Not for several threads at once. */
nas_status nas_strategy_plugin_load(const char *path, nas_err *err);
#endif
