/* The callbacks that MHD makes for each connection and request, and the deadlines of each phase.
 *
 * MHD calls on_request once when the headers are there, again for each piece of the body, and once
 * more when the body is complete. A reply is only made in that last call: made in the first, MHD
 * would close the connection. So what is refused early is remembered, a bounded excess of its body
 * is read and thrown away, and the refusal goes out at the end; a client that is cut off while it
 * sends sees a broken pipe instead of its 413. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/base/log.h"
#include "lib/http/stream_internal.h"
#include "lib/http/workers.h"

static enum MHD_Result head_arrived(struct http_exchange *exchange);
static void tell_mhd_of_the_end(struct http_connection *connection);
static enum MHD_Result body_arrived(struct http_exchange *exchange, const char *bytes, size_t size);
static enum MHD_Result request_arrived(struct http_exchange *exchange);

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

void *http_connection_on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
	struct http_loop *loop = context;
	struct http_connection *connection = connection_of(mhd);
	struct http_exchange *exchange = connection ? http_exchange_new(loop) : NULL;
	if (!exchange)
		return NULL;
	exchange->connection = connection;
	atomic_store(&exchange->abandoned, connection->gone);
	exchange->target = (struct slice){
		.data = arena_copy(&exchange->arena, slice_of(target)), .size = strlen(target)};
	if (!exchange->target.data) {
		http_exchange_free(exchange);
		return NULL;
	}
	connection->exchange = exchange;
	/* On a connection that was idle, the clock for the headers begins only now. */
	if (connection->phase == HTTP_PHASE_IDLE)
		http_connection_enter(connection, HTTP_PHASE_HEAD);
	return exchange;
}

enum MHD_Result http_connection_on_request(void *context, struct MHD_Connection *mhd,
	const char *url, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **request)
{
	(void)context, (void)mhd, (void)url, (void)version;
	struct http_exchange *exchange = *request;
	if (!exchange)
		return MHD_NO; /* Memory was short when the request began. */
	if (!exchange->head_seen) {
		exchange->head_seen = true;
		exchange->method_text = arena_copy(&exchange->arena, slice_of(method));
		return exchange->method_text ? head_arrived(exchange) : MHD_NO;
	}
	if (*upload_size > 0) {
		enum MHD_Result result = body_arrived(exchange, upload, *upload_size);
		*upload_size = 0;
		return result;
	}
	return request_arrived(exchange);
}

static bool expects_continue(const struct http_exchange *exchange)
{
	struct slice expect;
	return http_header(exchange, "Expect", &expect);
}

/* Send a refusal at once where reading the rest would be more than we are willing to read, or the
 * client waits to hear before it sends; else remember it until the body has been read. */
static enum MHD_Result refuse_early(struct http_exchange *exchange, int64_t length)
{
	if (exchange->close || expects_continue(exchange) || length > HTTP_DRAIN_BYTES_MAX)
		return http_reply_send(exchange);
	return MHD_YES;
}

static enum MHD_Result head_arrived(struct http_exchange *exchange)
{
	const struct http_server_options *options = &exchange->server->options;
	int64_t length = 0;
	exchange->deadline_ms = exchange->loop->now_ms + options->body_ms_max;
	http_connection_enter(exchange->connection, HTTP_PHASE_BODY);
	if (exchange->connection->refused) {
		exchange->close = true;
		http_reply_problem(exchange, &http_problem_unavailable,
			"The server has as many connections as it takes.");
		return http_reply_send(exchange);
	}
	if (!http_request_check_framing(exchange, &length) || !http_request_parse(exchange))
		return refuse_early(exchange, length);
	if (length > (int64_t)exchange->route->body_bytes_max) {
		http_reply_problem(exchange, &http_problem_too_large,
			"This resource takes %zu bytes at most.", exchange->route->body_bytes_max);
		return refuse_early(exchange, length);
	}
	return MHD_YES;
}

static enum MHD_Result body_arrived(struct http_exchange *exchange, const char *bytes, size_t size)
{
	exchange->body_bytes += size;
	if (exchange->status == 0) {
		exchange->body.size_max = exchange->route->body_bytes_max;
		buffer_add(&exchange->body, bytes, size);
		if (!exchange->body.failed)
			return MHD_YES;
		http_reply_problem(exchange, &http_problem_too_large,
			"This resource takes %zu bytes at most.", exchange->route->body_bytes_max);
		buffer_release(&exchange->body);
	}
	/* Refused already, and MHD takes no reply in the middle of a body. */
	if (exchange->body_bytes > exchange->body.size_max + HTTP_DRAIN_BYTES_MAX)
		return MHD_NO;
	return MHD_YES;
}

static void hand_to_worker(struct http_exchange *exchange)
{
	exchange->owner = HTTP_OWNED_BY_WORKER;
	http_connection_enter(exchange->connection, HTTP_PHASE_HANDLING);
	MHD_suspend_connection(exchange->connection->mhd);
	if (http_workers_submit(exchange->server->workers, exchange) == STATUS_OK)
		return;
	http_reply_problem(exchange, &http_problem_unavailable,
		"Too many requests are waiting; nothing was done.");
	http_complete(exchange);
}

/* The body is complete; or the connection has been resumed, with the reply made. */
static enum MHD_Result request_arrived(struct http_exchange *exchange)
{
	if (exchange->queued_reply)
		return MHD_YES;
	if (exchange->status != 0)
		return http_reply_send(exchange);
	if (exchange->deferred || exchange->owner != HTTP_OWNED_BY_LOOP)
		return http_reply_send(exchange); /* It came back without a reply. */
	exchange->deadline_ms = exchange->loop->now_ms + exchange->server->options.request_ms_max;
	if (exchange->route->thread == HTTP_ON_WORKER) {
		hand_to_worker(exchange);
		return MHD_YES;
	}
	exchange->route->handle(exchange);
	/* A deferred exchange may already be somebody else's. */
	if (exchange->connection->phase == HTTP_PHASE_HANDLING)
		return MHD_YES;
	return http_reply_send(exchange);
}

void http_connection_on_request_end(void *context, struct MHD_Connection *mhd, void **request,
	enum MHD_RequestTerminationCode code)
{
	struct http_exchange *exchange = *request;
	(void)context, (void)mhd, (void)code;
	if (!exchange)
		return;
	assert(exchange->owner == HTTP_OWNED_BY_LOOP);
	if (!exchange->stream)
		http_exchange_account(exchange);
	http_stream_free(exchange->stream);
	exchange->connection->exchange = NULL;
	http_connection_enter(exchange->connection, HTTP_PHASE_IDLE);
	tell_mhd_of_the_end(exchange->connection);
	http_exchange_free(exchange);
	*request = NULL;
}

/* ---- Connections and their deadlines ---- */

static void list_remove(struct http_connection *connection)
{
	struct http_connection_list *list = &connection->loop->phases[connection->phase];
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		list->first = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	else
		list->last = connection->previous;
}

static void list_append(struct http_connection *connection)
{
	struct http_connection_list *list = &connection->loop->phases[connection->phase];
	connection->previous = list->last;
	connection->next = NULL;
	if (list->last)
		list->last->next = connection;
	else
		list->first = connection;
	list->last = connection;
}

static int64_t phase_ms_max(const struct http_loop *loop, enum http_phase phase)
{
	const struct http_server_options *options = &loop->server->options;
	switch (phase) {
	case HTTP_PHASE_HEAD:
		return options->head_ms_max;
	case HTTP_PHASE_BODY:
		return options->body_ms_max;
	case HTTP_PHASE_REPLY:
		return options->reply_ms_max;
	case HTTP_PHASE_IDLE:
		return options->idle_ms_max;
	case HTTP_PHASE_STREAM_WAITING:
		return options->stream_keep_alive_ms;
	case HTTP_PHASE_STREAM_SENDING:
		return options->stream_stall_ms_max;
	default:
		return -1;
	}
}

void http_connection_enter(struct http_connection *connection, enum http_phase phase)
{
	list_remove(connection);
	connection->phase = phase;
	connection->deadline_ms = connection->loop->now_ms + phase_ms_max(connection->loop, phase);
	list_append(connection);
}

/* MHD reads until a read comes back short and then waits for the next event; but the end of the
 * stream, when it came together with the last bytes, is no event of its own, and MHD would wait for
 * ever. To shut down the reading side of such a socket takes nothing away, and makes the kernel
 * report the end once more: to MHD, and to us, so that it goes on until MHD has read all. */
static void tell_mhd_of_the_end(struct http_connection *connection)
{
	bool reading = connection->phase == HTTP_PHASE_HEAD ||
		connection->phase == HTTP_PHASE_BODY || connection->phase == HTTP_PHASE_IDLE;
	if (!connection->gone || !reading || connection->gone_told == HTTP_GONE_TOLD_MAX)
		return;
	connection->gone_told++;
	shutdown(connection->fd, SHUT_RD);
}

void http_connection_gone(struct http_connection *connection)
{
	/* This may be heard before the request is read that came with it, and only once. */
	connection->gone = true;
	if (connection->exchange)
		atomic_store(&connection->exchange->abandoned, true);
	if (connection->exchange && connection->exchange->stream)
		http_stream_end(connection->exchange->stream);
	tell_mhd_of_the_end(connection);
}

void http_connection_cut(struct http_connection *connection)
{
	if (connection->cut)
		return;
	connection->cut = true;
	/* What a reader did not take in time, the kernel would otherwise keep for minutes more. */
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	if (connection->phase == HTTP_PHASE_REPLY)
		setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	shutdown(connection->fd, SHUT_RDWR);
}

/* Before any byte of a reply has gone out, a late client can still be told why. */
static void connection_tell_late(const struct http_connection *connection)
{
	static const char body[] =
		"{\"type\":\"urn:onsale:problem:request-timeout\",\"status\":408,"
		"\"title\":\"The request came too slowly\"}";
	char late[512];
	int size = snprintf(late, sizeof late,
		"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
		"Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n%s",
		sizeof body - 1, body);
	if (send(connection->fd, late, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("http.late_client_not_told", LOG_INTEGER("fd", connection->fd));
}

/* Whether the connection was resumed by this, so that MHD has to run. */
static bool connection_expire(struct http_connection *connection)
{
	if (connection->phase == HTTP_PHASE_STREAM_WAITING) {
		http_stream_keep_alive(connection->exchange->stream);
		return true;
	}
	bool reading = connection->phase == HTTP_PHASE_HEAD || connection->phase == HTTP_PHASE_BODY;
	/* Under TLS only MHD can write. */
	if (!connection->cut && reading && !connection->loop->server->tls_key)
		connection_tell_late(connection);
	http_connection_cut(connection);
	return false;
}

int64_t http_connections_expire(struct http_loop *loop)
{
	int64_t next_ms = -1;
	bool resumed = false;
	for (enum http_phase phase = 0; phase < HTTP_PHASE_COUNT; phase++) {
		struct http_connection *connection = loop->phases[phase].first, *next;
		if (phase == HTTP_PHASE_HANDLING)
			continue;
		for (; connection && connection->deadline_ms <= loop->now_ms; connection = next) {
			next = connection->next;
			resumed = connection_expire(connection) || resumed;
		}
		if (!connection)
			continue;
		int64_t wait_ms = connection->deadline_ms - loop->now_ms;
		if (next_ms < 0 || wait_ms < next_ms)
			next_ms = wait_ms;
	}
	/* MHD_get_timeout does not count what was resumed since MHD last ran. */
	return resumed ? 0 : next_ms;
}

static void connection_begin(struct http_loop *loop, struct MHD_Connection *mhd, void **place)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_connection *connection = calloc(1, sizeof *connection);
	if (!info || !connection) {
		free(connection);
		return; /* Its requests will find no connection and be ended. */
	}
	*connection = (struct http_connection){
		.loop = loop,
		.mhd = mhd,
		.fd = info->connect_fd,
		.refused = loop->adopting_refused,
		.phase = HTTP_PHASE_HEAD,
		.deadline_ms = loop->now_ms + loop->server->options.head_ms_max,
	};
	list_append(connection);
	http_metrics_connections(loop->server, 1);
	/* Only to hear that the client has gone while its request is suspended; MHD, whose own set
	 * it is in as well, reads and writes. */
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = connection};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
		log_warning("http.cannot_watch_client", LOG_INTEGER("fd", connection->fd));
	*place = connection;
}

void http_connection_on_change(void *context, struct MHD_Connection *mhd, void **place,
	enum MHD_ConnectionNotificationCode code)
{
	struct http_loop *loop = context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_begin(loop, mhd, place);
		return;
	}
	struct http_connection *connection = *place;
	atomic_fetch_sub(&loop->connection_count, 1);
	if (!connection)
		return;
	/* MHD reports no end of a request whose headers never came. */
	if (connection->exchange)
		http_exchange_free(connection->exchange);
	http_metrics_connections(loop->server, -1);
	list_remove(connection);
	/* The socket may stay open a little longer than this record. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	free(connection);
	*place = NULL;
}
