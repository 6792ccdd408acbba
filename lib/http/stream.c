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
	BACKLOG_DEFAULT = 256,
	RETRY_MS_DEFAULT = 2000,
	/* What the kernel keeps for a reader that takes nothing. Left to itself it would take up to
	 * 4 MB for each (tcp_wmem), and a reader would be conflated only long after it stalled. */
	SEND_BUFFER_SIZE = 32 << 10,
};

struct http_stream {
	struct http_exchange *exchange;
	struct channel_side *side;
	struct http_stream *previous, *next; /* Among the side's waiting or sending ones. */
	struct http_message *first;          /* Sent before anything else. */
	struct http_message *current;        /* What is being sent. */
	size_t sent;                         /* Of the current message. */
	uint64_t position;                   /* The number of the next message. */
	int64_t began_ns;
	struct MHD_Response *response; /* While it still has headers. Borrowed from MHD. */
	bool waiting;                  /* Suspended, with nothing to send. */
	bool keep_alive_due;
	bool ending;
};

struct stream_list {
	struct http_stream *first;
};

/* One loop's view of the channel; only that loop touches it. */
struct channel_side {
	struct http_channel *channel;
	struct http_message **ring; /* Message number n stands at n % backlog. */
	uint64_t head;              /* The number of the next message. */
	struct stream_list waiting, sending;
};

struct http_channel {
	struct http_server *server;
	struct http_channel *next; /* Of the server's channels. */
	struct http_channel_options options;
	char epoch[17];
	pthread_mutex_t mutex; /* Numbers and order of publications. */
	uint64_t published;
	atomic_size_t stream_count;
	struct channel_side sides[]; /* One per loop. */
};

static bool event_format(struct buffer *buffer, const char *type, struct slice data);
static struct http_message *stream_next(struct http_stream *stream);

/* ---- Messages ---- */

static struct http_message *message_new(struct slice bytes)
{
	struct http_message *message = malloc(sizeof *message + bytes.size);
	if (!message)
		return NULL;
	atomic_init(&message->references, 1);
	message->size = bytes.size;
	memcpy(message->bytes, bytes.data, bytes.size);
	return message;
}

static struct http_message *message_hold(struct http_message *message)
{
	atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
	return message;
}

static void message_drop(struct http_message *message)
{
	if (message && atomic_fetch_sub(&message->references, 1) == 1)
		free(message);
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
			message_drop(side->ring[j]);
		free(side->ring);
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

/* Give every loop a notice. All or none, so that the loops' numbers stay the same. */
static enum status channel_send(struct http_channel *channel, struct http_message *message)
{
	size_t loops = channel->server->options.loop_count, made = 0;
	struct http_notice *notices = NULL;
	for (; made < loops; made++) {
		struct http_notice *notice = malloc(sizeof *notice);
		if (!notice)
			break;
		*notice = (struct http_notice){
			.next = notices, .channel = channel, .message = message_hold(message)};
		notices = notice;
	}
	bool all = made == loops;
	for (size_t i = 0; notices; i++) {
		struct http_notice *notice = notices;
		notices = notice->next;
		if (all) {
			http_loop_notify(&channel->server->loops[i], notice);
		} else {
			message_drop(notice->message);
			free(notice);
		}
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
		struct http_message *message = message_new(buffer_slice(&buffer));
		status = message ? channel_send(channel, message) : STATUS_UNAVAILABLE;
		channel->published += status == STATUS_OK;
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not count references. */
		message_drop(message);
	}
	pthread_mutex_unlock(&channel->mutex);
	buffer_release(&buffer);
	return status;
}

/* ---- A loop's side ---- */

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

static void stream_wake(struct http_stream *stream)
{
	if (!stream->waiting)
		return;
	stream->waiting = false;
	list_remove(&stream->side->waiting, stream);
	list_add(&stream->side->sending, stream);
	http_connection_enter(stream->exchange->connection, HTTP_PHASE_STREAM_SENDING);
	MHD_resume_connection(stream->exchange->connection->mhd);
}

void http_channel_deliver(struct http_loop *loop, struct http_notice *notice)
{
	struct http_channel *channel = notice->channel;
	struct channel_side *side = &channel->sides[loop->index];
	struct http_message **place = &side->ring[side->head++ % channel->options.backlog];
	message_drop(*place);
	*place = notice->message;
	free(notice);
	while (side->waiting.first)
		stream_wake(side->waiting.first);
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
	return message_new(
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
	message_drop(reset);
	buffer_add(&buffer, own.data, own.size);
	struct http_message *first =
		buffer.failed || (missed && !reset) ? NULL : message_new(buffer_slice(&buffer));
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

void http_stream_begin(
	struct http_exchange *exchange, struct http_channel *channel, struct slice first)
{
	struct channel_side *side = &channel->sides[exchange->loop->index];
	struct http_stream *stream = calloc(1, sizeof *stream);
	struct slice last_event_id;
	assert(exchange->owner == HTTP_OWNED_BY_LOOP && exchange->method == HTTP_GET);
	if (!stream) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	*stream = (struct http_stream){.exchange = exchange,
		.side = side,
		.position = side->head,
		.began_ns = http_now_ns()};
	bool missed = http_header(exchange, "Last-Event-ID", &last_event_id) &&
		!resume_position(side, last_event_id, &stream->position);
	if (missed)
		stream->position = side->head;
	if (channel->options.delivery == HTTP_DELIVER_LATEST && stream->position == side->head &&
		side->head > 0)
		stream->position = side->head - 1;
	stream->first = first_message(side, missed, first);
	if (!stream->first) {
		free(stream);
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
	if (stream->position < side->head)
		return message_hold(side->ring[stream->position++ % backlog]);
	if (!stream->keep_alive_due)
		return NULL;
	stream->keep_alive_due = false;
	return message_new(slice_of(comment));
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
		stream->sent += part;
		size += part;
		if (stream->sent == stream->current->size) {
			message_drop(stream->current);
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
	stream_wake(stream);
}

void http_stream_end(struct http_stream *stream)
{
	stream->ending = true;
	stream_wake(stream);
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
	message_drop(stream->first);
	message_drop(stream->current);
	free(stream);
}
