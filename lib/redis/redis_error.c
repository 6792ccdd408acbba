/* Error replies into classes, classes into statuses. */
#include "lib/redis/redis_internal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *prefix; /* The first row that the words begin with decides. */
	enum redis_class class;
} classes[] = {
	{"LOADING ", REDIS_BUSY},
	{"BUSY ", REDIS_BUSY},
	{"MASTERDOWN ", REDIS_BUSY},
	{"CLUSTERDOWN ", REDIS_BUSY},
	{"TRYAGAIN ", REDIS_BUSY},
	{"MISCONF ", REDIS_BUSY},
	{"OOM ", REDIS_BUSY},
	{"NOREPLICAS ", REDIS_BUSY},
	{"READONLY ", REDIS_BUSY},
	{"ERR max number of clients", REDIS_BUSY},
	{"MOVED ", REDIS_ELSEWHERE},
	{"ASK ", REDIS_ELSEWHERE},
	{"NOAUTH ", REDIS_DENIED},
	{"WRONGPASS ", REDIS_DENIED},
	{"NOPERM ", REDIS_DENIED},
	{"DENIED ", REDIS_DENIED},
	{"ERR ", REDIS_BUG},
	{"WRONGTYPE ", REDIS_BUG},
	{"CROSSSLOT ", REDIS_BUG},
	{"EXECABORT ", REDIS_BUG},
};

static const enum status statuses[] = {
	[REDIS_NO_ERROR] = STATUS_OK,
	[REDIS_CONNECTION] = STATUS_UNAVAILABLE,
	[REDIS_BUSY] = STATUS_UNAVAILABLE,
	[REDIS_ELSEWHERE] = STATUS_UNAVAILABLE,
	[REDIS_DENIED] = STATUS_REFUSED,
	[REDIS_BUG] = STATUS_REFUSED,
	[REDIS_DATA] = STATUS_REFUSED,
};

enum redis_class redis_classify(struct slice words)
{
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (slice_starts_with(words, classes[i].prefix))
			return classes[i].class;
	return REDIS_DATA;
}

enum status redis_reply_status(const struct redis_reply *reply)
{
	if (redis_reply_kind(reply) != REDIS_ERROR)
		return STATUS_OK;
	return statuses[redis_classify(redis_get_slice(reply))];
}

void redis_error_clear(struct redis *redis)
{
	redis->error = (struct redis_error){.class = REDIS_NO_ERROR};
}

void redis_error_set(struct redis *redis, enum redis_class class, const char *format, ...)
{
	va_list arguments;
	redis_error_clear(redis);
	redis->error.class = class;
	va_start(arguments, format);
	(void)vsnprintf(redis->error.message, sizeof redis->error.message, format, arguments);
	va_end(arguments);
}

enum status redis_error_take(struct redis *redis, const struct redis_reply *reply)
{
	struct slice words = redis_get_slice(reply);
	redis_error_set(redis, redis_classify(words), "%.*s", SLICE_PRINT(words));
	size_t size = strcspn(redis->error.message, " ");
	(void)snprintf(redis->error.code, sizeof redis->error.code, "%.*s", (int)size,
		redis->error.message);
	return statuses[redis->error.class];
}

const struct redis_error *redis_error(const struct redis *redis)
{
	return &redis->error;
}

bool redis_failed_with(const struct redis *redis, const char *code)
{
	return redis->error.class != REDIS_NO_ERROR && strcmp(redis->error.code, code) == 0;
}
