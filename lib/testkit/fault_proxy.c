/* The proxy's thread, and how it is told what to do. */
#include "lib/testkit/fault_proxy_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"

enum {
	POLL_FIXED = 2, /* The control socket and the listener come first. */
	LOOK_MS = 5,
	IDLE_MS = 60000,
};

/* --- The test's side --- */

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static int64_t give_order(struct fault_proxy *proxy, const struct order *order)
{
	int64_t answer;
	ssize_t size = send(proxy->order_fds[0], order, sizeof *order, MSG_NOSIGNAL);
	assert(size == (ssize_t)sizeof *order);
	do
		size = recv(proxy->order_fds[0], &answer, sizeof answer, 0);
	while (size < 0 && errno == EINTR);
	assert(size == (ssize_t)sizeof answer);
	return answer;
}

static int64_t give_simple_order(struct fault_proxy *proxy, enum order_kind kind)
{
	return give_order(proxy, &(struct order){.kind = kind});
}

static void give_pattern(struct fault_proxy *proxy, enum order_kind kind, struct slice pattern)
{
	struct order order = {.kind = kind, .pattern_size = pattern.size};
	assert(pattern.size >= 1 && pattern.size <= sizeof order.pattern);
	memcpy(order.pattern, pattern.data, pattern.size);
	(void)give_order(proxy, &order);
}

void fault_proxy_pass(struct fault_proxy *proxy)
{
	(void)give_simple_order(proxy, ORDER_PASS);
}

void fault_proxy_cut(struct fault_proxy *proxy)
{
	(void)give_simple_order(proxy, ORDER_CUT);
}

void fault_proxy_refuse(struct fault_proxy *proxy)
{
	(void)give_simple_order(proxy, ORDER_REFUSE);
}

void fault_proxy_stall(struct fault_proxy *proxy)
{
	(void)give_simple_order(proxy, ORDER_STALL);
}

void fault_proxy_delay(struct fault_proxy *proxy, int64_t ms)
{
	(void)give_order(proxy, &(struct order){.kind = ORDER_DELAY, .ms = ms});
}

void fault_proxy_lose_reply(struct fault_proxy *proxy, struct slice request)
{
	give_pattern(proxy, ORDER_LOSE_REPLY, request);
}

void fault_proxy_lose_next_reply(struct fault_proxy *proxy)
{
	(void)give_simple_order(proxy, ORDER_LOSE_NEXT_REPLY);
}

void fault_proxy_lose_request(struct fault_proxy *proxy, struct slice request)
{
	give_pattern(proxy, ORDER_LOSE_REQUEST, request);
}

int64_t fault_proxy_lost_count(struct fault_proxy *proxy)
{
	return give_simple_order(proxy, ORDER_COUNT_LOST);
}

int64_t fault_proxy_connection_count(struct fault_proxy *proxy)
{
	return give_simple_order(proxy, ORDER_COUNT_CONNECTIONS);
}

bool fault_proxy_wait_lost(struct fault_proxy *proxy, int64_t count, int64_t timeout_ms)
{
	for (int64_t end_ms = now_ms() + timeout_ms; now_ms() < end_ms;
		(void)poll(NULL, 0, LOOK_MS))
		if (fault_proxy_lost_count(proxy) >= count)
			return true;
	return fault_proxy_lost_count(proxy) >= count;
}

const char *fault_proxy_url(const struct fault_proxy *proxy)
{
	return proxy->url;
}

uint16_t fault_proxy_port(const struct fault_proxy *proxy)
{
	return proxy->port;
}

/* --- The thread --- */

/* End a connection and put the last one in its place. */
static void end_connection(struct fault_proxy *proxy, size_t index)
{
	fault_connection_free(proxy->connections[index]);
	proxy->connections[index] = proxy->connections[--proxy->connection_count];
}

static int connect_service(uint16_t port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

/* Take one connection. A client whose service is not there is reset. */
static void take_connection(struct fault_proxy *proxy)
{
	int client_fd = accept4(proxy->listener_fd, NULL, NULL, SOCK_CLOEXEC);
	if (client_fd < 0)
		return;
	proxy->taken_count++;
	int service_fd = connect_service(proxy->service_port);
	struct connection *connection =
		service_fd < 0 ? NULL : fault_connection_new(client_fd, service_fd);
	if (connection == NULL) {
		fault_reset(service_fd);
		fault_reset(client_fd);
		return;
	}
	proxy->connections[proxy->connection_count++] = connection;
}

/* A socket on the proxy's port, which is any when it has none yet. */
static int bind_socket(struct fault_proxy *proxy)
{
	int on = 1;
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(proxy->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* Two sockets may have the port as long as one of them does not listen. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
		(void)close(fd);
		return -1;
	}
	if (proxy->port == 0) /* Afterwards the test may be reading it. */
		proxy->port = ntohs(address.sin_port);
	return fd;
}

static bool start_listening(struct fault_proxy *proxy)
{
	if (proxy->listener_fd < 0)
		proxy->listener_fd = bind_socket(proxy);
	return proxy->listener_fd >= 0 && listen(proxy->listener_fd, SOMAXCONN) == 0;
}

static void stop_listening(struct fault_proxy *proxy)
{
	if (proxy->listener_fd >= 0)
		(void)close(proxy->listener_fd);
	proxy->listener_fd = -1;
}

static void cut_all(struct fault_proxy *proxy)
{
	while (proxy->connection_count > 0)
		end_connection(proxy, 0);
}

static void pass_all(struct fault_proxy *proxy)
{
	proxy->stalled = proxy->lose_next = false;
	proxy->delay_ms = 0;
	proxy->lose.kind = ORDER_PASS;
	for (size_t i = 0; i < proxy->connection_count; i++)
		proxy->connections[i]->armed = false;
	bool listening = start_listening(proxy);
	assert(listening);
}

/* What was said before the order does not count. */
static void expect_pattern(struct fault_proxy *proxy, const struct order *order)
{
	proxy->lose = *order;
	for (size_t i = 0; i < proxy->connection_count; i++)
		fault_connection_forget(proxy->connections[i]);
}

/* Carry out an order. False when it is the last. */
static bool obey(struct fault_proxy *proxy, const struct order *order, int64_t *answer)
{
	*answer = 0;
	switch (order->kind) {
	case ORDER_PASS:
		pass_all(proxy);
		break;
	case ORDER_CUT:
		cut_all(proxy);
		break;
	case ORDER_REFUSE:
		stop_listening(proxy);
		break;
	case ORDER_STALL:
		proxy->stalled = true;
		break;
	case ORDER_DELAY:
		proxy->delay_ms = order->ms;
		break;
	case ORDER_LOSE_REPLY:
	case ORDER_LOSE_REQUEST:
		expect_pattern(proxy, order);
		break;
	case ORDER_LOSE_NEXT_REPLY:
		proxy->lose_next = true;
		break;
	case ORDER_COUNT_LOST:
		*answer = proxy->lost_count;
		break;
	case ORDER_COUNT_CONNECTIONS:
		*answer = proxy->taken_count;
		break;
	case ORDER_END:
		return false;
	}
	return true;
}

/* Wait for anything, for no longer than a delayed piece has to. */
static void wait_for_work(struct fault_proxy *proxy, struct pollfd fds[])
{
	int64_t wake_ms = now_ms() + IDLE_MS;
	bool full = proxy->connection_count == FAULT_PROXY_CONNECTIONS_MAX;
	fds[0] = (struct pollfd){.fd = proxy->order_fds[1], .events = POLLIN};
	fds[1] = (struct pollfd){.fd = full ? -1 : proxy->listener_fd, .events = POLLIN};
	for (size_t i = 0; i < proxy->connection_count; i++)
		fault_connection_wait(
			proxy, proxy->connections[i], fds + POLL_FIXED + 2 * i, &wake_ms);
	int64_t left_ms = wake_ms - now_ms();
	(void)poll(fds, POLL_FIXED + 2 * proxy->connection_count, left_ms > 0 ? (int)left_ms : 0);
}

/* Take an order, if there is one. False when it was the last. */
static bool take_order(struct fault_proxy *proxy)
{
	struct order order;
	int64_t answer;
	ssize_t size = recv(proxy->order_fds[1], &order, sizeof order, MSG_DONTWAIT);
	if (size != (ssize_t)sizeof order)
		return true;
	bool more = obey(proxy, &order, &answer);
	size = send(proxy->order_fds[1], &answer, sizeof answer, MSG_NOSIGNAL);
	assert(size == (ssize_t)sizeof answer);
	return more;
}

static void *run(void *context)
{
	struct pollfd fds[POLL_FIXED + 2 * FAULT_PROXY_CONNECTIONS_MAX];
	struct fault_proxy *proxy = context;
	do {
		wait_for_work(proxy, fds);
		/* Backwards, so that the one that takes the place of an ended one was served. */
		for (size_t i = proxy->connection_count; i > 0; i--)
			if (!fault_connection_serve(proxy, proxy->connections[i - 1],
				    fds + POLL_FIXED + 2 * (i - 1)))
				end_connection(proxy, i - 1);
		if (fds[1].revents != 0)
			take_connection(proxy);
	} while (take_order(proxy));
	cut_all(proxy);
	return NULL;
}

/* --- Opening and closing --- */

/* Where the service's address begins in the URL, behind any user and password. NULL when there is
 * none; *port_text is set to what follows the colon. */
static const char *find_address(const char *url, const char **port_text)
{
	static const char *const hosts[] = {"127.0.0.1:", "localhost:"};
	const char *at = strrchr(url, '@');
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		const char *found = strstr(at != NULL ? at : url, hosts[i]);
		if (found != NULL) {
			*port_text = found + strlen(hosts[i]);
			return found;
		}
	}
	return NULL;
}

/* Read the service's port, and write the URL with ours in its place. */
static bool change_url(struct fault_proxy *proxy, const char *url)
{
	const char *port_text = NULL;
	const char *address = find_address(url, &port_text);
	int64_t port;
	if (address == NULL)
		return false;
	size_t digits = strspn(port_text, "0123456789");
	if (!slice_to_integer(
		    (struct slice){.data = port_text, .size = digits}, 1, UINT16_MAX, &port))
		return false;
	proxy->service_port = (uint16_t)port;
	int size = snprintf(proxy->url, sizeof proxy->url, "%.*s127.0.0.1:%u%s",
		(int)(address - url), url, proxy->port, port_text + digits);
	return size > 0 && (size_t)size < sizeof proxy->url;
}

static void free_proxy(struct fault_proxy *proxy)
{
	stop_listening(proxy);
	if (proxy->placeholder_fd >= 0)
		(void)close(proxy->placeholder_fd);
	for (int i = 0; i < 2; i++)
		if (proxy->order_fds[i] >= 0)
			(void)close(proxy->order_fds[i]);
	free(proxy);
}

struct fault_proxy *fault_proxy_open(const char *url)
{
	struct fault_proxy *proxy = calloc(1, sizeof *proxy);
	if (proxy == NULL)
		return NULL;
	proxy->placeholder_fd = proxy->listener_fd = -1;
	proxy->order_fds[0] = proxy->order_fds[1] = -1;
	proxy->placeholder_fd = bind_socket(proxy);
	if (proxy->placeholder_fd < 0 || !start_listening(proxy) || !change_url(proxy, url) ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, proxy->order_fds) != 0 ||
		pthread_create(&proxy->thread, NULL, run, proxy) != 0) {
		free_proxy(proxy);
		return NULL;
	}
	return proxy;
}

void fault_proxy_close(struct fault_proxy *proxy)
{
	if (proxy == NULL)
		return;
	(void)give_simple_order(proxy, ORDER_END);
	(void)pthread_join(proxy->thread, NULL);
	free_proxy(proxy);
}
