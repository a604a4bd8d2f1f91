#include "search/llm_answer.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

enum { COMPLAINT_MAX = 200, OBJECTS_MAX = 64 };

/* ---- the body ---- */

/* A content is a text, or a list of parts of which some have texts. */
static void add_content(const json_t *content, nas_str *out) {
  size_t i;
  json_t *part;
  if (json_is_string(content)) nas_str_add(out, json_string_value(content));
  json_array_foreach(content, i, part) {
    const char *text = json_string_value(json_object_get(part, "text"));
    if (text) nas_str_add(out, text);
  }
}

static nas_status read_choice(const json_t *choice, nas_llm_answer *out, nas_err *err) {
  const json_t *message = json_object_get(choice, "message");
  const char *refusal = json_string_value(json_object_get(message, "refusal"));
  const char *finish = json_string_value(json_object_get(choice, "finish_reason"));
  if (!json_is_object(message)) return nas_fail(err, NAS_E_BAD_INPUT, "answer", "the JSON has no choices[0].message");
  add_content(json_object_get(message, "content"), &out->text);
  out->cut = finish && strcmp(finish, "length") == 0;
  if (refusal && *refusal) nas_str_add(&out->refusal, refusal);
  else if (finish && strcmp(finish, "content_filter") == 0)
    nas_str_add(&out->refusal, "the endpoint's content filter held the answer back");
  return NAS_OK;
}

nas_status nas_llm_answer_read(const char *bytes, size_t n, nas_llm_answer *out, nas_err *err) {
  json_error_t where;
  *out = (nas_llm_answer){.tokens = -1};
  json_t *root = json_loadb(bytes, n, 0, &where);
  if (!root)
    return nas_fail(err, NAS_E_BAD_INPUT, "answer", "%zu bytes that are no complete JSON (line %d, column %d: %.100s)",
                    n, where.line, where.column, where.text);
  json_t *total = json_object_get(json_object_get(root, "usage"), "total_tokens");
  nas_status status = read_choice(json_array_get(json_object_get(root, "choices"), 0), out, err);
  if (json_is_integer(total) && json_integer_value(total) >= 0) out->tokens = json_integer_value(total);
  json_decref(root);
  if (status == NAS_OK) status = nas_str_check(&out->text, err);
  if (status == NAS_OK) status = nas_str_check(&out->refusal, err);
  return status;
}

void nas_llm_answer_free(nas_llm_answer *a) {
  nas_str_free(&a->text);
  nas_str_free(&a->refusal);
}

/* {"error": {"message": "..."}}, {"error": "..."}, {"message": "..."} or {"detail": "..."}. */
void nas_llm_complaint(const char *bytes, size_t n, nas_str *out) {
  json_t *root = json_loadb(bytes, n, 0, NULL), *error = json_object_get(root, "error");
  const char *text = json_string_value(json_object_get(error, "message"));
  if (!text) text = json_string_value(error);
  if (!text) text = json_string_value(json_object_get(root, "message"));
  if (!text) text = json_string_value(json_object_get(root, "detail"));
  size_t length = text ? strlen(text) : 0;
  bool cut = length > COMPLAINT_MAX;
  if (cut) length = COMPLAINT_MAX;
  while (cut && length > 0 && (text[length] & 0xc0) == 0x80) length--; /* not within a character of UTF-8 */
  for (size_t i = 0; i < length; i++) nas_str_add_n(out, (unsigned char)text[i] < 0x20 ? " " : text + i, 1);
  json_decref(root);
}

/* ---- the architecture ---- */

/* A number would be taken for an index, which is not what was asked for. */
static nas_status parse(const nas_space *space, const char *text, nas_arch *out, nas_err *err) {
  const nas_space_type *type = nas_space_type_of(space);
  if (!text[strspn(text, "0123456789")] && !(type->numeral && type->numeral(space, text)))
    return nas_fail(err, NAS_E_BAD_INPUT, "arch", "'%.40s' is not the text of an architecture", text);
  return nas_space_parse(space, text, out, err);
}

typedef struct finding {
  const nas_space *space;
  nas_arch arch;
  bool found, any; /* a valid one; any candidate at all */
  nas_err why;     /* of the last that is none */
} finding;

static void consider(finding *f, const char *text) {
  nas_arch arch;
  nas_err why = {0};
  f->any = true;
  if (parse(f->space, text, &arch, &why) == NAS_OK) {
    f->arch = arch;
    f->found = true;
  } else f->why = why;
}

static void consider_objects(finding *f, const char *text) {
  int tries = 0;
  for (const char *at = text; (at = strchr(at, '{')) && tries < OBJECTS_MAX; tries++) {
    json_error_t end;
    json_t *object = json_loadb(at, strlen(at), JSON_DISABLE_EOF_CHECK, &end);
    const char *arch = json_string_value(json_object_get(object, "arch"));
    if (arch) consider(f, arch);
    at += object && end.position > 0 ? (size_t)end.position : 1;
    json_decref(object);
  }
}

/* Lines may be quoted, bulleted or fenced; only those that are architectures count. */
static void consider_lines(finding *f, const char *text) {
  static const char around[] = " \t\r`'\"*-,.";
  char line[NAS_ARCH_TEXT_MAX];
  while (*text) {
    size_t n = strcspn(text, "\n");
    const char *begin = text, *end = text + n;
    text = end + (*end == '\n');
    while (begin < end && strchr(around, *begin)) begin++;
    while (end > begin && strchr(around, end[-1])) end--;
    nas_arch arch;
    if (begin == end || !nas_text_put(line, sizeof line, "%.*s", (int)(end - begin), begin)) continue;
    if (parse(f->space, line, &arch, NULL) != NAS_OK) continue;
    f->arch = arch;
    f->found = true;
  }
}

nas_status nas_llm_find_arch(const nas_space *space, const char *text, nas_arch *out, nas_err *err) {
  finding f = {.space = space};
  consider_objects(&f, text);
  if (!f.found) consider_lines(&f, text);
  *out = f.arch;
  if (f.found) return NAS_OK;
  if (!f.any) return nas_fail(err, NAS_E_BAD_INPUT, "answer", "there is no JSON object with a text \"arch\" in it");
  return nas_fail(err, NAS_E_BAD_INPUT, f.why.where, "%s", f.why.msg);
}
