#include "search/plugin.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

/* Nothing that a strategy needs may be missing before it joins the registry. */
static nas_status check(const char *path, const nas_strategy_type *t, nas_err *err) {
  if (!t->name || !*t->name || !t->summary || !t->citation || t->version < 1)
    return nas_fail(err, NAS_E_BAD_INPUT, path, "a strategy without name, version, summary or citation");
  if (!t->tell || (t->ask == NULL) == (t->propose == NULL))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "strategy '%s' needs tell, and one of ask and propose", t->name);
  for (const nas_option *o = t->options; o && o->name; o++)
    if (o->offset + o->size > t->options_size)
      return nas_fail(err, NAS_E_BAD_INPUT, path, "option '%s' of strategy '%s' lies outside its options_size", o->name,
                      t->name);
  return NAS_OK;
}

static nas_status add_types(const char *path, const nas_strategy_plugin *plugin, nas_err *err) {
  if (plugin->abi != NAS_STRATEGY_ABI)
    return nas_fail(err, NAS_E_MISMATCH, path,
                    "built for strategy ABI %u, this program has %u; build it against these headers",
                    (unsigned)plugin->abi, (unsigned)NAS_STRATEGY_ABI);
  if (!plugin->types || !*plugin->types) return nas_fail(err, NAS_E_BAD_INPUT, path, "the plugin holds no strategy");
  for (const nas_strategy_type *const *t = plugin->types; *t; t++) NAS_TRY(check(path, *t, err));
  for (const nas_strategy_type *const *t = plugin->types; *t; t++) {
    nas_err own = {0};
    if (nas_strategy_register(*t, &own) == NAS_OK) continue;
    return nas_fail(err, (nas_status)own.code, path, "%s", own.msg);
  }
  return NAS_OK;
}

nas_status nas_strategy_plugin_load(const char *path, nas_err *err) {
  if (access(path, R_OK) != 0) return nas_fail(err, NAS_E_NOT_FOUND, path, "no plugin there that can be read");
  char here[4096];
  /* Without a slash the linker would look elsewhere. */
  nas_text_put(here, sizeof here, "%s%s", strchr(path, '/') ? "" : "./", path);
  void *object = dlopen(here, RTLD_NOW | RTLD_LOCAL);
  if (!object) return nas_fail(err, NAS_E_NOT_FOUND, path, "the plugin does not load: %s", dlerror());
  const nas_strategy_plugin *plugin = dlsym(object, "nas_strategy_plugin_v1");
  nas_status status =
      plugin ? add_types(path, plugin, err)
             : nas_fail(err, NAS_E_BAD_INPUT, path, "not a strategy plugin: no symbol nas_strategy_plugin_v1");
  if (!plugin) dlclose(object); /* else its strategies may be in use */
  return status;
}
