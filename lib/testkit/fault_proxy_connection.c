/* One connection of the fault proxy: bytes in both directions, and what is lost of them. */
#include "lib/testkit/fault_proxy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void fault_reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	(void)close(fd);
}

struct connection *fault_connection_new(int client_fd, int service_fd)
{
	struct connection *connection = calloc(1, sizeof *connection);
	if (connection == NULL)
		return NULL;
	connection->client_fd = client_fd;
	connection->service_fd = service_fd;
	return connection;
}

void fault_connection_free(struct connection *connection)
{
	if (connection->request.closed && connection->reply.closed) {
		(void)close(connection->client_fd);
		(void)close(connection->service_fd);
	} else {
		fault_reset(connection->client_fd);
		fault_reset(connection->service_fd);
	}
	free(connection);
}

static bool is_empty(const struct flow *flow)
{
	return flow->sent_size == flow->chunk_size;
}

static struct slice chunk_of(const struct flow *flow)
{
	return (struct slice){
		.data = flow->bytes + FAULT_PROXY_TAIL_SIZE_MAX, .size = flow->chunk_size};
}

/* Read the next piece. False when the connection is broken. */
static bool fill(struct flow *flow, int fd, int64_t due_ms)
{
	char *start = flow->bytes + FAULT_PROXY_TAIL_SIZE_MAX;
	size_t seen_size = flow->tail_size + flow->chunk_size;
	size_t tail_size =
		seen_size < FAULT_PROXY_TAIL_SIZE_MAX ? seen_size : FAULT_PROXY_TAIL_SIZE_MAX;
	memmove(start - tail_size, start + flow->chunk_size - tail_size, tail_size);
	flow->tail_size = tail_size;
	flow->chunk_size = flow->sent_size = 0;
	ssize_t size = recv(fd, start, FAULT_PROXY_CHUNK_SIZE, MSG_DONTWAIT);
	if (size < 0)
		return errno == EAGAIN || errno == EINTR;
	flow->ended = size == 0;
	flow->chunk_size = (size_t)size;
	flow->due_ms = due_ms;
	return true;
}

/* Pass on what is due, and the end after it. False when the connection is broken. */
static bool drain(struct flow *flow, int fd)
{
	struct slice chunk = chunk_of(flow);
	if (!is_empty(flow)) {
		ssize_t size = send(fd, chunk.data + flow->sent_size, chunk.size - flow->sent_size,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (size < 0)
			return errno == EAGAIN || errno == EINTR;
		flow->sent_size += (size_t)size;
	}
	if (is_empty(flow) && flow->ended && !flow->closed) {
		(void)shutdown(fd, SHUT_WR);
		flow->closed = true;
	}
	return true;
}

/* --- Faults --- */

/* Whether the newest piece completes the pattern that is waited for. */
static bool completes_pattern(const struct fault_proxy *proxy, const struct flow *flow)
{
	const struct order *lose = &proxy->lose;
	return lose->kind != ORDER_PASS && flow->chunk_size > 0 &&
		memmem(flow->bytes + FAULT_PROXY_TAIL_SIZE_MAX - flow->tail_size,
			flow->tail_size + flow->chunk_size, lose->pattern,
			lose->pattern_size) != NULL;
}

/* The service has begun to answer, so it has done what it was asked. Its answer goes nowhere; it is
 * let finish, while the client finds its connection reset. */
static void lose_reply(struct fault_proxy *proxy, struct connection *connection)
{
	proxy->lost_count++;
	proxy->lose_next = false;
	connection->armed = false;
	fault_reset(connection->client_fd);
	connection->client_fd = -1;
	(void)shutdown(connection->service_fd, SHUT_WR);
}

/* Read from the service. False when the connection is over. */
static bool take_reply(struct fault_proxy *proxy, struct connection *connection)
{
	struct flow *reply = &connection->reply;
	if (!fill(reply, connection->service_fd, now_ms() + proxy->delay_ms))
		return false;
	if (connection->client_fd < 0) {
		reply->sent_size = reply->chunk_size;
		return !reply->ended;
	}
	if (reply->chunk_size > 0 && (connection->armed || proxy->lose_next)) {
		lose_reply(proxy, connection);
		reply->sent_size = reply->chunk_size;
	}
	return true;
}

/* Read from the client. False when the connection is over. */
static bool take_request(struct fault_proxy *proxy, struct connection *connection)
{
	struct flow *request = &connection->request;
	if (!fill(request, connection->client_fd, 0))
		return false;
	if (!completes_pattern(proxy, request))
		return true;
	connection->armed = proxy->lose.kind == ORDER_LOSE_REPLY;
	proxy->lost_count += connection->armed ? 0 : 1;
	proxy->lose.kind = ORDER_PASS;
	return connection->armed;
}

/* What one direction waits for: to read when nothing is under way, to write when it is due. */
static void add_events(const struct fault_proxy *proxy, const struct flow *flow,
	struct pollfd *from, struct pollfd *to, int64_t *wake_ms)
{
	if (proxy->stalled)
		return;
	if (is_empty(flow) && !flow->ended)
		from->events |= POLLIN;
	else if (!is_empty(flow) && flow->due_ms > now_ms())
		*wake_ms = flow->due_ms < *wake_ms ? flow->due_ms : *wake_ms;
	else if (!is_empty(flow) || !flow->closed)
		to->events |= POLLOUT;
}

/* A socket from which nothing is wanted is not looked at, else its end would be reported for ever.
 */
void fault_connection_wait(const struct fault_proxy *proxy, const struct connection *connection,
	struct pollfd pair[2], int64_t *wake_ms)
{
	pair[0] = (struct pollfd){.fd = connection->client_fd};
	pair[1] = (struct pollfd){.fd = connection->service_fd};
	if (connection->client_fd >= 0)
		add_events(proxy, &connection->request, &pair[0], &pair[1], wake_ms);
	add_events(proxy, &connection->reply, &pair[1], &pair[0], wake_ms);
	for (int i = 0; i < 2; i++)
		if (pair[i].events == 0)
			pair[i].fd = -1;
}

/* What the service has said is taken before what the client asks, so that it cannot be the answer
 * to that. */
bool fault_connection_serve(
	struct fault_proxy *proxy, struct connection *connection, const struct pollfd pair[2])
{
	bool client_readable = (pair[0].events & POLLIN) != 0 && pair[0].revents != 0;
	bool service_readable = (pair[1].events & POLLIN) != 0 && pair[1].revents != 0;
	bool client_writable = (pair[0].events & POLLOUT) != 0 && pair[0].revents != 0;
	bool service_writable = (pair[1].events & POLLOUT) != 0 && pair[1].revents != 0;
	if (service_readable && !take_reply(proxy, connection))
		return false;
	if (connection->client_fd < 0)
		return true;
	if (client_writable && !drain(&connection->reply, connection->client_fd))
		return false;
	if (client_readable && !take_request(proxy, connection))
		return false;
	if (service_writable && !drain(&connection->request, connection->service_fd))
		return false;
	return !connection->reply.closed || !connection->request.closed;
}

void fault_connection_forget(struct connection *connection)
{
	struct flow *request = &connection->request;
	request->tail_size = 0;
	if (is_empty(request))
		request->chunk_size = request->sent_size = 0;
}
