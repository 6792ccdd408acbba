/* Channels, and the messages and notices that they hand to the loops. See stream.h. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/id.h"
#include "lib/http/stream_internal.h"

enum { BACKLOG_DEFAULT = 256, RETRY_MS_DEFAULT = 2000 };

/* ---- Messages ---- */

struct http_message *http_message_new(struct slice bytes)
{
	struct http_message *message = malloc(sizeof *message + bytes.size);
	if (!message)
		return NULL;
	atomic_init(&message->references, 1);
	message->size = bytes.size;
	memcpy(message->bytes, bytes.data, bytes.size);
	return message;
}

struct http_message *http_message_hold(struct http_message *message)
{
	if (message)
		atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
	return message;
}

void http_message_drop(struct http_message *message)
{
	if (message && atomic_fetch_sub(&message->references, 1) == 1)
		free(message);
}

static void notice_free(struct http_notice *notice)
{
	http_message_drop(notice->message);
	free(notice);
}

static bool event_format(struct buffer *buffer, const char *type, struct slice data)
{
	if (strpbrk(type, "\r\n"))
		return false;
	buffer_add_text(buffer, "event: ");
	buffer_add_text(buffer, type);
	struct slice line;
	while (slice_split(&data, '\n', &line)) {
		/* A carriage return would end the line as well. */
		if (memchr(line.data, '\r', line.size))
			return false;
		buffer_add_text(buffer, "\ndata: ");
		buffer_add(buffer, line.data, line.size);
	}
	buffer_add_text(buffer, "\n\n");
	return !buffer->failed;
}

struct slice http_event_format(struct http_exchange *exchange, const char *type, struct slice data)
{
	struct buffer buffer;
	struct slice event = {0};
	buffer_init(&buffer, HTTP_EVENT_BYTES_MAX);
	if (event_format(&buffer, type, data)) {
		const char *copy = arena_copy(&exchange->arena, buffer_slice(&buffer));
		event = (struct slice){.data = copy, .size = copy ? buffer.size : 0};
	}
	buffer_release(&buffer);
	return event;
}

/* ---- Channels ---- */

struct http_channel *http_channel_open(
	struct http_server *server, const struct http_channel_options *options)
{
	size_t loops = server->options.loop_count;
	struct http_channel *channel =
		calloc(1, sizeof *channel + loops * sizeof(struct channel_side));
	if (!channel)
		return NULL;
	channel->server = server;
	channel->options = *options;
	if (channel->options.backlog == 0)
		channel->options.backlog = BACKLOG_DEFAULT;
	if (channel->options.retry_ms == 0)
		channel->options.retry_ms = RETRY_MS_DEFAULT;
	assert(channel->options.backlog <= HTTP_CHANNEL_BACKLOG_MAX);
	uint64_t epoch;
	random_bytes(&epoch, sizeof epoch);
	snprintf(channel->epoch, sizeof channel->epoch, "%016llx", (unsigned long long)epoch);
	random_bytes(channel->hash_key, sizeof channel->hash_key);
	pthread_mutex_init(&channel->mutex, NULL);
	bool good = true;
	for (size_t i = 0; i < loops; i++) {
		channel->sides[i].channel = channel;
		channel->sides[i].ring =
			calloc(channel->options.backlog, sizeof *channel->sides[i].ring);
		good = good && channel->sides[i].ring;
	}
	if (!good) {
		http_channel_free(channel);
		return NULL;
	}
	pthread_mutex_lock(&server->mutex);
	channel->next = server->channels;
	server->channels = channel;
	pthread_mutex_unlock(&server->mutex);
	return channel;
}

void http_channel_free(struct http_channel *channel)
{
	for (size_t i = 0; i < channel->server->options.loop_count; i++) {
		struct channel_side *side = &channel->sides[i];
		for (size_t j = 0; side->ring && j < channel->options.backlog; j++)
			http_message_drop(side->ring[j]);
		free(side->ring);
		http_keys_free(&side->keys);
	}
	pthread_mutex_destroy(&channel->mutex);
	free(channel);
}

struct http_channel *http_channel_next(struct http_channel *channel)
{
	return channel->next;
}

size_t http_channel_stream_count(const struct http_channel *channel)
{
	return atomic_load(&channel->stream_count);
}

/* Give every loop a notice like this one, with this key. All or none, so that the loops' numbers
 * stay the same. */
static enum status channel_notify(
	struct http_channel *channel, const struct http_notice *like, struct slice key)
{
	size_t loops = channel->server->options.loop_count, made = 0;
	struct http_notice *notices = NULL;
	for (; made < loops; made++) {
		struct http_notice *notice = malloc(sizeof *notice + key.size);
		if (!notice)
			break;
		*notice = *like;
		notice->next = notices;
		notice->channel = channel;
		notice->key_size = key.size;
		if (key.size > 0)
			memcpy(notice->key, key.data, key.size);
		http_message_hold(notice->message);
		notices = notice;
	}
	bool all = made == loops;
	for (size_t i = 0; notices; i++) {
		struct http_notice *notice = notices;
		notices = notice->next;
		if (all)
			http_loop_notify(&channel->server->loops[i], notice);
		else
			notice_free(notice);
	}
	return all ? STATUS_OK : STATUS_UNAVAILABLE;
}

enum status http_channel_publish(struct http_channel *channel, const char *type, struct slice data)
{
	struct buffer buffer;
	buffer_init(&buffer, HTTP_EVENT_BYTES_MAX);
	pthread_mutex_lock(&channel->mutex);
	buffer_add_format(
		&buffer, "id: %s-%llu\n", channel->epoch, (unsigned long long)channel->published);
	enum status status = STATUS_REFUSED;
	if (event_format(&buffer, type, data)) {
		struct http_message *message = http_message_new(buffer_slice(&buffer));
		status = STATUS_UNAVAILABLE;
		const struct http_notice notice = {.kind = HTTP_NOTICE_MESSAGE, .message = message};
		if (message)
			status = channel_notify(channel, &notice, (struct slice){0});
		channel->published += status == STATUS_OK;
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not count references. */
		http_message_drop(message);
	}
	pthread_mutex_unlock(&channel->mutex);
	buffer_release(&buffer);
	return status;
}

/* Without a number: a keyed event is no part of what a returning client can go on behind. */
static enum status channel_send(struct http_channel *channel, enum http_notice_kind kind,
	struct slice key, const char *type, struct slice data)
{
	struct buffer buffer;
	struct http_notice notice = {.kind = kind};
	if (key.size == 0 || key.size > HTTP_STREAM_KEY_SIZE_MAX)
		return STATUS_REFUSED;
	buffer_init(&buffer, HTTP_EVENT_BYTES_MAX);
	bool good = !type || event_format(&buffer, type, data);
	if (good && type)
		notice.message = http_message_new(buffer_slice(&buffer));
	buffer_release(&buffer);
	if (!good)
		return STATUS_REFUSED;
	if (type && !notice.message)
		return STATUS_UNAVAILABLE;
	enum status status = channel_notify(channel, &notice, key);
	http_message_drop(notice.message);
	return status;
}

enum status http_channel_send(
	struct http_channel *channel, struct slice key, const char *type, struct slice data)
{
	assert(type);
	return channel_send(channel, HTTP_NOTICE_KEYED, key, type, data);
}

enum status http_channel_finish(
	struct http_channel *channel, struct slice key, const char *type, struct slice data)
{
	return channel_send(channel, HTTP_NOTICE_LAST, key, type, data);
}

enum status http_channel_visit_keys(
	struct http_channel *channel, const struct http_key_visit *visit)
{
	const struct http_notice notice = {.kind = HTTP_NOTICE_VISIT, .visit = *visit};
	return channel_notify(channel, &notice, (struct slice){0});
}

/* ---- A loop's side ---- */

static void side_take_message(struct channel_side *side, struct http_message *message)
{
	struct http_message **place = &side->ring[side->head++ % side->channel->options.backlog];
	http_message_drop(*place);
	*place = http_message_hold(message);
	while (side->waiting.first)
		http_stream_wake(side->waiting.first);
}

void http_channel_deliver(struct http_loop *loop, struct http_notice *notice)
{
	struct channel_side *side = &notice->channel->sides[loop->index];
	switch (notice->kind) {
	case HTTP_NOTICE_MESSAGE:
		side_take_message(side, notice->message);
		break;
	case HTTP_NOTICE_KEYED:
	case HTTP_NOTICE_LAST:
		http_keyed_deliver(side, notice);
		break;
	case HTTP_NOTICE_VISIT:
		http_keyed_visit(side, &notice->visit);
		break;
	}
	notice_free(notice);
}
