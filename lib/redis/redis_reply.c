/* Reading replies. A struct redis_reply is hiredis's redisReply under a name of ours, so that
 * nobody outside has to know which. */
#include "lib/redis/redis_internal.h"

#include <assert.h>

static const redisReply *inside(const struct redis_reply *reply)
{
	assert(reply != NULL);
	return (const redisReply *)reply;
}

void redis_reply_free(struct redis_reply *reply)
{
	if (reply != NULL)
		freeReplyObject(reply);
}

void redis_replies_free(struct redis_reply *replies[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		redis_reply_free(replies[i]);
		replies[i] = NULL;
	}
}

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
	switch (inside(reply)->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return REDIS_TEXT;
	case REDIS_REPLY_INTEGER:
		return REDIS_INTEGER;
	case REDIS_REPLY_ARRAY:
		return REDIS_ARRAY;
	case REDIS_REPLY_ERROR:
		return REDIS_ERROR;
	default: /* The second version of the protocol has no others, and we never ask for 3. */
		return REDIS_NIL;
	}
}

int64_t redis_get_integer(const struct redis_reply *reply)
{
	assert(redis_reply_kind(reply) == REDIS_INTEGER);
	return inside(reply)->integer;
}

struct slice redis_get_slice(const struct redis_reply *reply)
{
	enum redis_kind kind = redis_reply_kind(reply);
	assert(kind == REDIS_TEXT || kind == REDIS_ERROR || kind == REDIS_NIL);
	if (kind == REDIS_NIL)
		return (struct slice){.data = NULL};
	return (struct slice){.data = inside(reply)->str, .size = (size_t)inside(reply)->len};
}

size_t redis_get_count(const struct redis_reply *reply)
{
	enum redis_kind kind = redis_reply_kind(reply);
	assert(kind == REDIS_ARRAY || kind == REDIS_NIL);
	return kind == REDIS_NIL ? 0 : inside(reply)->elements;
}

const struct redis_reply *redis_get_item(const struct redis_reply *reply, size_t index)
{
	assert(index < redis_get_count(reply));
	return (const struct redis_reply *)inside(reply)->element[index];
}
