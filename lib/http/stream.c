/* See stream.h. Everything but publishing runs on the loop that owns the stream. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/http/stream_internal.h"

enum {
	/* What the kernel keeps for a reader that takes nothing. Left to itself it would take up to
	 * 4 MB for each (tcp_wmem), and a reader would be conflated only long after it stalled. */
	SEND_BUFFER_SIZE = 32 << 10,
};

static struct http_message *stream_next(struct http_stream *stream);

/* ---- Lists and ring ---- */

static void list_add(struct stream_list *list, struct http_stream *stream)
{
	stream->previous = NULL;
	stream->next = list->first;
	if (list->first)
		list->first->previous = stream;
	list->first = stream;
}

static void list_remove(struct stream_list *list, struct http_stream *stream)
{
	if (stream->previous)
		stream->previous->next = stream->next;
	else
		list->first = stream->next;
	if (stream->next)
		stream->next->previous = stream->previous;
}

void http_stream_wake(struct http_stream *stream)
{
	if (!stream->waiting)
		return;
	stream->waiting = false;
	list_remove(&stream->side->waiting, stream);
	list_add(&stream->side->sending, stream);
	http_connection_enter(stream->exchange->connection, HTTP_PHASE_STREAM_SENDING);
	MHD_resume_connection(stream->exchange->connection->mhd);
}

/* The oldest message that the ring still has. */
static uint64_t side_tail(const struct channel_side *side)
{
	size_t backlog = side->channel->options.backlog;
	return side->head > backlog ? side->head - backlog : 0;
}

/* ---- Streams ---- */

/* The number behind Last-Event-ID; false when it is not of this channel's life. */
static bool resume_position(
	const struct channel_side *side, struct slice last_event_id, uint64_t *position)
{
	struct slice epoch;
	int64_t number;
	if (!slice_split(&last_event_id, '-', &epoch) || !slice_is(epoch, side->channel->epoch) ||
		!last_event_id.data || !slice_to_integer(last_event_id, 0, INT64_MAX - 1, &number))
		return false;
	*position = (uint64_t)number + 1;
	return *position >= side_tail(side) && *position <= side->head;
}

static struct http_message *reset_message(const struct channel_side *side)
{
	char text[96];
	int size = snprintf(text, sizeof text, "id: %s-%llu\nevent: reset\ndata: {}\n\n",
		side->channel->epoch, (unsigned long long)(side->head - 1));
	/* Before the first message there is no id to give; the next one will have it. */
	const char *begin = side->head > 0 ? text : strchr(text, '\n') + 1;
	return http_message_new(
		(struct slice){.data = begin, .size = (size_t)size - (size_t)(begin - text)});
}

/* What goes out first: the time after which to reconnect, spread so that not all come at once; a
 * reset where the client has missed something; the handler's own event. */
static struct http_message *first_message(
	const struct channel_side *side, bool missed, struct slice own)
{
	struct buffer buffer;
	uint32_t random;
	random_bytes(&random, sizeof random);
	int64_t retry_ms = side->channel->options.retry_ms;
	buffer_init(&buffer, 2 * HTTP_EVENT_BYTES_MAX);
	retry_ms += (int64_t)(random % (uint64_t)(retry_ms + 1));
	buffer_add_format(&buffer, "retry: %lld\n\n", (long long)retry_ms);
	struct http_message *reset = missed ? reset_message(side) : NULL;
	if (reset)
		buffer_add(&buffer, reset->bytes, reset->size);
	http_message_drop(reset);
	buffer_add(&buffer, own.data, own.size);
	struct http_message *first = buffer.failed || (missed && !reset)
		? NULL
		: http_message_new(buffer_slice(&buffer));
	buffer_release(&buffer);
	return first;
}

/* A peer that vanishes without a FIN acknowledges nothing; the kernel then ends the connection. */
static void watch_peer(const struct http_exchange *exchange)
{
	unsigned ms = (unsigned)exchange->server->options.stream_stall_ms_max;
	int size = SEND_BUFFER_SIZE;
	setsockopt(exchange->connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
	setsockopt(exchange->connection->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static const struct http_problem too_many_streams = {
	429, "too-many-streams", "This is followed by as many streams as may be"};

/* Where the stream goes on, and whether its client has missed something. */
static bool stream_place(struct http_stream *stream)
{
	struct channel_side *side = stream->side;
	struct slice last_event_id;
	bool returns = http_header(stream->exchange, "Last-Event-ID", &last_event_id);
	bool resumes = returns && resume_position(side, last_event_id, &stream->position);
	bool latest = side->channel->options.delivery == HTTP_DELIVER_LATEST;
	/* Who has the latest needs it no second time. */
	if (!resumes)
		stream->position = latest && side->head > 0 ? side->head - 1 : side->head;
	return returns && !resumes;
}

/* Make the stream and what goes out first. NULL when memory is short. */
static struct http_stream *stream_new(struct http_exchange *exchange, struct channel_side *side,
	struct slice key, struct slice first)
{
	struct http_stream *stream = calloc(1, sizeof *stream);
	if (!stream)
		return NULL;
	*stream =
		(struct http_stream){.exchange = exchange, .side = side, .began_ns = http_now_ns()};
	bool missed = stream_place(stream);
	stream->first = first_message(side, missed, first);
	if (stream->first && (key.size == 0 || http_keyed_begin(stream, key)))
		return stream;
	http_message_drop(stream->first);
	free(stream);
	return NULL;
}

static void stream_begin(struct http_exchange *exchange, struct http_channel *channel,
	struct slice key, struct slice first)
{
	struct channel_side *side = &channel->sides[exchange->loop->index];
	assert(exchange->owner == HTTP_OWNED_BY_LOOP && exchange->method == HTTP_GET);
	struct http_stream *stream = stream_new(exchange, side, key, first);
	if (!stream) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	atomic_fetch_add(&channel->stream_count, 1);
	http_metrics_streams(channel->server, 1);
	list_add(&side->sending, stream);
	http_reply_empty(exchange, 200);
	exchange->stream = stream;
	watch_peer(exchange);
}

void http_stream_begin(
	struct http_exchange *exchange, struct http_channel *channel, struct slice first)
{
	stream_begin(exchange, channel, (struct slice){0}, first);
}

void http_stream_begin_keyed(struct http_exchange *exchange, struct http_channel *channel,
	struct slice key, struct slice first)
{
	const struct channel_side *side = &channel->sides[exchange->loop->index];
	if (key.size == 0 || key.size > HTTP_STREAM_KEY_SIZE_MAX)
		http_reply_problem(exchange, &http_problem_bad_request,
			"What is followed has a name of 1 to %d bytes.", HTTP_STREAM_KEY_SIZE_MAX);
	else if (http_keys_count(side, key) >= HTTP_STREAMS_PER_KEY_MAX)
		http_reply_problem(exchange, &too_many_streams, NULL);
	else
		stream_begin(exchange, channel, key, first);
}

/* The next message, with a reference for the stream; NULL when there is none. */
static struct http_message *stream_next(struct http_stream *stream)
{
	static const char comment[] = ": keep-alive\n\n";
	struct channel_side *side = stream->side;
	struct http_message *message = stream->first;
	if (message) {
		stream->first = NULL;
		return message;
	}
	size_t backlog = side->channel->options.backlog;
	uint64_t behind = side->head - stream->position;
	if (side->channel->options.delivery == HTTP_DELIVER_LATEST && behind > 1) {
		stream->position = side->head - 1;
	} else if (behind > backlog) {
		stream->position = side->head;
		return reset_message(side);
	}
	message = http_keyed_next(stream);
	if (message || stream->ending)
		return message;
	if (stream->position < side->head)
		return http_message_hold(side->ring[stream->position++ % backlog]);
	if (!stream->keep_alive_due)
		return NULL;
	stream->keep_alive_due = false;
	return http_message_new(slice_of(comment));
}

static enum MHD_Result take_header(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct http_reply_head *head = context;
	(void)kind;
	*head = (struct http_reply_head){.name = name, .value = value};
	return MHD_NO;
}

/* MHD asks for the first bytes of the body when it has written the head into the connection's
 * memory. It would keep the headers for as long as the stream lives, which is half a kilobyte. */
static void forget_headers(struct http_stream *stream)
{
	struct http_reply_head head;
	while (stream->response &&
		MHD_get_response_headers(stream->response, take_header, &head) > 0)
		if (MHD_del_response_header(stream->response, head.name, head.value) != MHD_YES)
			break;
	stream->response = NULL;
}

/* MHD asks for bytes whenever the socket takes some. */
static ssize_t stream_read(void *context, uint64_t offset, char *to, size_t size_max)
{
	struct http_stream *stream = context;
	size_t size = 0;
	(void)offset;
	forget_headers(stream);
	while (size < size_max && !stream->ending) {
		if (!stream->current) {
			stream->current = stream_next(stream);
			stream->sent = 0;
		}
		if (!stream->current)
			break;
		size_t left = stream->current->size - stream->sent;
		size_t part = left < size_max - size ? left : size_max - size;
		memcpy(to + size, stream->current->bytes + stream->sent, part);
		stream->sent += (uint32_t)part;
		size += part;
		if (stream->sent == stream->current->size) {
			http_message_drop(stream->current);
			stream->current = NULL;
		}
	}
	if (size == 0 && stream->ending)
		return MHD_CONTENT_READER_END_OF_STREAM;
	struct http_connection *connection = stream->exchange->connection;
	http_connection_enter(
		connection, size > 0 ? HTTP_PHASE_STREAM_SENDING : HTTP_PHASE_STREAM_WAITING);
	if (size == 0) {
		stream->waiting = true;
		list_remove(&stream->side->sending, stream);
		list_add(&stream->side->waiting, stream);
		MHD_suspend_connection(connection->mhd);
	}
	stream->exchange->stream_bytes += size;
	return (ssize_t)size;
}

struct MHD_Response *http_stream_response(struct http_exchange *exchange)
{
	/* With chunked coding MHD reads straight into the connection's memory; this block is not
	 * used, so it may be as small as it gets. */
	enum { BLOCK_SIZE = 1 };
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_SIZE, stream_read, exchange->stream, NULL);
	exchange->stream->response = response;
	if (response) {
		MHD_add_response_header(response, "Content-Type", "text/event-stream");
		MHD_add_response_header(response, "X-Accel-Buffering", "no");
	}
	return response;
}

void http_stream_keep_alive(struct http_stream *stream)
{
	stream->keep_alive_due = true;
	http_stream_wake(stream);
}

void http_stream_end(struct http_stream *stream)
{
	stream->ending = true;
	http_stream_wake(stream);
}

void http_stream_free(struct http_stream *stream)
{
	if (!stream)
		return;
	log_debug("http.stream_ended", LOG_TEXT("requestId", stream->exchange->request_id),
		LOG_INTEGER("bytes", stream->exchange->stream_bytes),
		LOG_INTEGER("ms", (http_now_ns() - stream->began_ns) / 1000000));
	atomic_fetch_sub(&stream->side->channel->stream_count, 1);
	http_metrics_streams(stream->exchange->server, -1);
	list_remove(stream->waiting ? &stream->side->waiting : &stream->side->sending, stream);
	http_keyed_end(stream);
	http_message_drop(stream->first);
	http_message_drop(stream->current);
	free(stream);
}
