/* See guard_unguarded.h. A script is weakened by cutting the comparison out of its text, so the
 * rest stays what it is in the guard. */
#include "tech-locking-and-transactions/redis-guard/guard_unguarded.h"

#include <assert.h>
#include <stdlib.h>

#include "tech-locking-and-transactions/redis-guard/redis_guard_internal.h"

enum { SCRIPTS_MAX = 8 };

static const char from[] = "string.sub(value, 1, 36) == hold";
static const char to[] = "true";

static enum guard_compare compares;
static struct weakened {
	const struct redis_script *original;
	struct redis_script script;
} weakened[SCRIPTS_MAX];
static size_t weakened_count;

void guard_compare_set(enum guard_compare compare)
{
	compares = compare;
}

static char *cut(const char *source)
{
	char *text = malloc(strlen(source) + 1), *end = text;
	assert(text);
	for (const char *found; (found = strstr(source, from)); source = found + strlen(from)) {
		memcpy(end, source, (size_t)(found - source));
		end += found - source;
		memcpy(end, to, strlen(to));
		end += strlen(to);
	}
	memcpy(end, source, strlen(source) + 1);
	return text;
}

const struct redis_script *guard_weaken(const struct redis_script *script)
{
	if (compares == GUARD_COMPARES || !strstr(script->source, from))
		return script;
	for (size_t i = 0; i < weakened_count; i++)
		if (weakened[i].original == script)
			return &weakened[i].script;
	assert(weakened_count < SCRIPTS_MAX);
	struct weakened *made = &weakened[weakened_count++];
	*made = (struct weakened){script, *script};
	made->script.source = cut(script->source);
	return &made->script;
}
