/* Calls: send the requests, and find out what became of them. */
#include "lib/redis/redis_internal.h"

#include <assert.h>

#include "lib/base/log.h"

static enum redis_effect effect_of(const struct redis_request *request)
{
	return request->script != NULL ? request->script->effect : request->command->effect;
}

static const char *name_of(const struct redis_request *request)
{
	return request->script != NULL ? request->script->name : request->command->name;
}

static void log_bug(const struct redis *redis, const struct redis_request *request)
{
	if (redis->error.class == REDIS_BUG)
		log_error("redis.bug", LOG_TEXT("request", name_of(request)),
			LOG_TEXT("message", redis->error.message));
}

/* Encode the requests into redis->bytes. *write_size becomes the size up to the end of the first
 * that writes, before which nothing can have been applied. False when they are too large. */
static bool encode(struct redis *redis, const struct redis_request requests[], size_t count,
	size_t *write_size)
{
	*write_size = SIZE_MAX;
	buffer_reset(&redis->bytes);
	for (size_t i = 0; i < count && !redis->bytes.failed; i++) {
		redis_encode(redis, &requests[i]);
		if (*write_size == SIZE_MAX && effect_of(&requests[i]) == REDIS_WRITES)
			*write_size = redis->bytes.size;
	}
	return !redis->bytes.failed;
}

/* Send them as they are, and collect a reply each; all are NULL unless the status is STATUS_OK. */
static enum status run(struct redis *redis, const struct redis_request requests[], size_t count,
	struct redis_reply *replies[], int64_t deadline_ms)
{
	size_t write_size;
	enum status status = redis_ready(redis, deadline_ms);
	if (status != STATUS_OK)
		return status;
	if (!encode(redis, requests, count, &write_size)) {
		/* Some of it may count as sent. */
		redis_forget_scripts(redis);
		redis_error_set(redis, REDIS_BUG, "the request is too large");
		log_bug(redis, &requests[0]);
		return STATUS_REFUSED;
	}
	struct redis_exchange exchange = {
		.bytes = buffer_slice(&redis->bytes), .replies = replies, .reply_count = count};
	if (redis_exchange(redis, &exchange, deadline_ms))
		return STATUS_OK;
	redis_replies_free(replies, count);
	return exchange.sent_size >= write_size ? STATUS_UNKNOWN : STATUS_UNAVAILABLE;
}

static bool is_forgotten(const struct redis_request *request, const struct redis_reply *reply)
{
	return request->script != NULL && redis_reply_kind(reply) == REDIS_ERROR &&
		slice_starts_with(redis_get_slice(reply), "NOSCRIPT ");
}

/* Run again, by its source, what the server did not know by its SHA1 and so has not applied. */
static enum status run_forgotten(struct redis *redis, const struct redis_request *request,
	struct redis_reply **reply, int64_t deadline_ms)
{
	redis_replies_free(reply, 1);
	redis_forget_script(redis, request->script);
	return run(redis, request, 1, reply, deadline_ms);
}

enum status redis_pipeline(struct redis *redis, const struct redis_request requests[], size_t count,
	struct redis_reply *replies[])
{
	int64_t deadline_ms = redis_deadline(redis);
	assert(count >= 1 && count <= REDIS_REQUESTS_MAX);
	memset(replies, 0, count * sizeof replies[0]);
	redis_error_clear(redis);
	enum status status = run(redis, requests, count, replies, deadline_ms);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		if (is_forgotten(&requests[i], replies[i]))
			status = run_forgotten(redis, &requests[i], &replies[i], deadline_ms);
	if (status == STATUS_OK)
		return STATUS_OK;
	/* Where only one script's second run has failed, its neighbours are applied. */
	for (size_t i = 0; i < count && status != STATUS_UNKNOWN; i++)
		if (replies[i] != NULL && effect_of(&requests[i]) == REDIS_WRITES)
			status = STATUS_UNKNOWN;
	redis_replies_free(replies, count);
	return status;
}

static enum status call(
	struct redis *redis, const struct redis_request *request, struct redis_reply **reply)
{
	struct redis_reply *only = NULL;
	if (reply != NULL)
		*reply = NULL;
	enum status status = redis_pipeline(redis, request, 1, &only);
	if (status == STATUS_OK && redis_reply_kind(only) == REDIS_ERROR) {
		status = redis_error_take(redis, only);
		log_bug(redis, request);
	}
	if (status == STATUS_OK && reply != NULL)
		*reply = only;
	else
		redis_reply_free(only);
	return status;
}

enum status redis_execute(struct redis *redis, const struct redis_command *command,
	const struct redis_argument arguments[], size_t argument_count, struct redis_reply **reply)
{
	assert(command != NULL);
	struct redis_request request = {
		.command = command, .arguments = arguments, .argument_count = argument_count};
	return call(redis, &request, reply);
}

enum status redis_evaluate(struct redis *redis, const struct redis_script *script, size_t key_count,
	const struct redis_argument arguments[], size_t argument_count, struct redis_reply **reply)
{
	assert(script != NULL);
	struct redis_request request = {.script = script,
		.key_count = key_count,
		.arguments = arguments,
		.argument_count = argument_count};
	return call(redis, &request, reply);
}
