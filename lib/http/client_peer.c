/* See client_peer.h. */
#include "lib/http/client_peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/slice.h"

enum { PEER_WAIT_MS = 40000, PEER_PAUSE_MS_MAX = 64 };

static void *run_connection(void *data)
{
	struct peer_connection *connection = data;
	struct peer *peer = connection->peer;
	peer->serve(connection);
	pthread_mutex_lock(&peer->mutex);
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	pthread_mutex_unlock(&peer->mutex);
	return NULL;
}

static void *accept_all(void *data)
{
	struct peer *peer = data;
	while (!atomic_load(&peer->ending)) {
		int fd = accept4(peer->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			break;
		size_t index = atomic_load(&peer->connections);
		assert(index < PEER_CONNECTIONS_MAX);
		struct peer_connection *connection = calloc(1, sizeof *connection);
		assert(connection);
		connection->peer = peer;
		connection->fd = fd;
		connection->number = index + 1;
		peer->all[index] = connection;
		/* Counted first: a test may look as soon as it has its answer. */
		atomic_store(&peer->connections, index + 1);
		assert(pthread_create(&connection->thread, NULL, run_connection, connection) == 0);
	}
	return NULL;
}

/* A socket with that port, 0: with any. Several may be bound to one, of which one may listen. */
static int bind_port(struct sockaddr_in *address)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof *address;
	assert(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert(bind(fd, (struct sockaddr *)address, size) == 0);
	assert(getsockname(fd, (struct sockaddr *)address, &size) == 0);
	return fd;
}

void peer_open(struct peer *peer, void (*serve)(struct peer_connection *connection))
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	*peer = (struct peer){.serve = serve, .mutex = PTHREAD_MUTEX_INITIALIZER};
	peer->held_fd = bind_port(&address);
	peer->listen_fd = bind_port(&address);
	assert(listen(peer->listen_fd, PEER_CONNECTIONS_MAX) == 0);
	peer->port = ntohs(address.sin_port);
	assert(pthread_create(&peer->thread, NULL, accept_all, peer) == 0);
}

void peer_stop(struct peer *peer)
{
	atomic_store(&peer->ending, true);
	shutdown(peer->listen_fd, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	close(peer->listen_fd);
	size_t count = atomic_exchange(&peer->connections, 0);
	pthread_mutex_lock(&peer->mutex);
	for (size_t i = 0; i < count; i++)
		if (peer->all[i]->fd >= 0)
			shutdown(peer->all[i]->fd, SHUT_RDWR);
	pthread_mutex_unlock(&peer->mutex);
	for (size_t i = 0; i < count; i++) {
		pthread_join(peer->all[i]->thread, NULL);
		free(peer->all[i]);
	}
}

void peer_close(struct peer *peer)
{
	if (!peer->serve)
		return;
	if (!atomic_load(&peer->ending))
		peer_stop(peer);
	close(peer->held_fd);
	peer->serve = NULL;
}

bool peer_receive_head(struct peer_connection *connection)
{
	size_t size = 0;
	while (size + 1 < PEER_REQUEST_SIZE) {
		/* Byte by byte, so that nothing behind the head is taken. */
		if (recv(connection->fd, connection->request + size, 1, 0) != 1)
			return false;
		connection->request[++size] = '\0';
		if (size < 4 || memcmp(connection->request + size - 4, "\r\n\r\n", 4) != 0)
			continue;
		atomic_fetch_add(&connection->peer->requests, 1);
		pthread_mutex_lock(&connection->peer->mutex);
		memcpy(connection->peer->last_request, connection->request, size + 1);
		pthread_mutex_unlock(&connection->peer->mutex);
		return true;
	}
	return false;
}

bool peer_receive_bytes(struct peer_connection *connection, size_t size)
{
	char bytes[4096];
	connection->body_size = 0;
	while (connection->body_size < size) {
		size_t left = size - connection->body_size;
		ssize_t got =
			recv(connection->fd, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
		if (got <= 0)
			return false;
		connection->body_size += (size_t)got;
	}
	return true;
}

bool peer_receive(struct peer_connection *connection)
{
	if (!peer_receive_head(connection))
		return false;
	const char *length = strcasestr(connection->request, "\r\nContent-Length: ");
	size_t size = length ? strtoul(length + 18, NULL, 10) : 0;
	return peer_receive_bytes(connection, size);
}

bool peer_send(struct peer_connection *connection, const char *text)
{
	size_t size = strlen(text);
	while (size > 0) {
		ssize_t sent = send(connection->fd, text, size, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		text += sent;
		size -= (size_t)sent;
	}
	return true;
}

void peer_reset(struct peer_connection *connection)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	pthread_mutex_lock(&connection->peer->mutex);
	close(connection->fd);
	connection->fd = -1;
	pthread_mutex_unlock(&connection->peer->mutex);
}

void peer_wait_gone(struct peer_connection *connection)
{
	while (peer_receive_bytes(connection, SIZE_MAX))
		continue;
}

void peer_wait_requests(struct peer *peer, size_t count)
{
	/* Hundreds of connections may wait here at once, and must not keep the others from coming.
	 */
	int pause_ms = 1, waited_ms = 0;
	for (; waited_ms < PEER_WAIT_MS && atomic_load(&peer->requests) != count;
		waited_ms += pause_ms) {
		(void)poll(NULL, 0, pause_ms);
		pause_ms = pause_ms < PEER_PAUSE_MS_MAX ? 2 * pause_ms : PEER_PAUSE_MS_MAX;
	}
	assert(atomic_load(&peer->requests) == count);
}

static bool connection_has_ended(struct peer *peer, size_t number)
{
	bool ended = false;
	pthread_mutex_lock(&peer->mutex);
	if (atomic_load(&peer->connections) >= number)
		ended = peer->all[number - 1]->fd < 0;
	pthread_mutex_unlock(&peer->mutex);
	return ended;
}

void peer_wait_ended(struct peer *peer, size_t number)
{
	for (size_t i = 0; i < PEER_WAIT_MS && !connection_has_ended(peer, number); i++)
		(void)poll(NULL, 0, 1);
	assert(connection_has_ended(peer, number));
}

void peer_serve_ok(struct peer_connection *connection)
{
	while (peer_receive(connection))
		if (!peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
			break;
}
