/* Opening and closing the server: sockets, loops, workers. See server.h. */
#include "lib/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/http/loop.h"
#include "lib/http/stream_internal.h"
#include "lib/http/workers.h"

enum { LISTEN_BACKLOG = 4096, DESCRIPTORS_FOR_OTHERS = 256 };

static void options_complete(struct http_server_options *options);
static enum status server_listen(struct http_server *server, struct fault *fault);
static enum status server_start(struct http_server *server);

/* The whole of a file as text, zero-terminated. */
static enum status read_file(const char *path, char **text, struct fault *fault)
{
	enum { PEM_BYTES_MAX = 1 << 20 };
	FILE *file = fopen(path, "re");
	if (!file)
		return fault_set(fault, path, "cannot be opened: %s", strerror(errno));
	char *bytes = malloc(PEM_BYTES_MAX + 1);
	size_t size = bytes ? fread(bytes, 1, PEM_BYTES_MAX + 1, file) : 0;
	fclose(file);
	if (!bytes || size == 0 || size > PEM_BYTES_MAX) {
		free(bytes);
		return fault_set(fault, path, "is empty or larger than %d bytes", PEM_BYTES_MAX);
	}
	bytes[size] = '\0';
	*text = bytes;
	return STATUS_OK;
}

static enum status server_read_tls(struct http_server *server, struct fault *fault)
{
	const struct http_server_options *options = &server->options;
	if (!options->tls_certificate && !options->tls_key)
		return STATUS_OK;
	if (!options->tls_certificate || !options->tls_key)
		return fault_set(fault, "TLS", "needs both a certificate and a key");
	enum status status = read_file(options->tls_certificate, &server->tls_certificate, fault);
	return status == STATUS_OK ? read_file(options->tls_key, &server->tls_key, fault) : status;
}

enum status http_server_open(
	const struct http_server_options *options, struct http_server **result, struct fault *fault)
{
	struct http_server *server = calloc(1, sizeof *server);
	if (!server)
		return STATUS_UNAVAILABLE;
	server->options = *options;
	server->listen_fd = -1;
	atomic_init(&server->draining, false);
	pthread_mutex_init(&server->mutex, NULL);
	options_complete(&server->options);
	uint64_t random;
	random_bytes(&random, sizeof random);
	snprintf(
		server->id_prefix, sizeof server->id_prefix, "%016llx", (unsigned long long)random);
	enum status status = server_read_tls(server, fault);
	if (status == STATUS_OK)
		status = http_routes_new(
			options->routes, options->route_count, &server->routes, fault);
	if (status == STATUS_OK)
		status = server_listen(server, fault);
	if (status == STATUS_OK) {
		status = server_start(server);
		if (status != STATUS_OK)
			fault_set(fault, "server", "cannot start its threads");
	}
	if (status != STATUS_OK) {
		http_server_close(server);
		return status;
	}
	*result = server;
	return STATUS_OK;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

/* The order matters: no newcomers, then the answers that are being worked on, then the threads. The
 * workers stay until the loops have left, since a body that is still coming may need one. */
void http_server_close(struct http_server *server)
{
	if (!server)
		return;
	atomic_store(&server->draining, true);
	if (server->listen_fd >= 0 && server->loops) {
		/* Loop 0 may be accepting just now, so the descriptor stays until it has ended. */
		epoll_ctl(server->loops[0].epoll_fd, EPOLL_CTL_DEL, server->listen_fd, NULL);
		shutdown(server->listen_fd, SHUT_RDWR);
	}
	for (size_t i = 0; server->loops && i < server->options.loop_count; i++)
		http_loop_stop(&server->loops[i]);
	for (size_t i = 0; server->loops && i < server->options.loop_count; i++)
		http_loop_join(&server->loops[i]);
	lane_close(server->workers);
	for (size_t i = 0; server->loops && i < server->options.loop_count; i++)
		http_loop_close(&server->loops[i]);
	for (struct http_channel *channel = server->channels, *next; channel; channel = next) {
		next = http_channel_next(channel);
		http_channel_free(channel);
	}
	pthread_mutex_destroy(&server->mutex);
	http_metrics_free(server->metrics);
	free(server->loops);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	http_routes_free(server->routes);
	free(server->tls_certificate);
	free(server->tls_key);
	free(server);
}

static size_t or_default(size_t value, size_t fallback)
{
	return value ? value : fallback;
}

static int64_t ms_or_default(int64_t value, int64_t fallback)
{
	return value > 0 ? value : fallback;
}

/* Raise the soft limit of descriptors to the hard one, and keep some for files and databases. */
static size_t connections_possible(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 512;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > 2 * DESCRIPTORS_FOR_OTHERS
		? (size_t)limit.rlim_cur - DESCRIPTORS_FOR_OTHERS
		: (size_t)limit.rlim_cur / 2;
}

static void options_complete(struct http_server_options *options)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t possible = connections_possible();
	options->loop_count = or_default(options->loop_count, cores > 0 ? (size_t)cores : 1);
	options->worker_count = or_default(options->worker_count, 16);
	options->worker_queue_max = or_default(options->worker_queue_max, 1024);
	options->connections_max = or_default(options->connections_max, 10000);
	if (options->connections_max > possible)
		options->connections_max = possible;
	options->connection_pool_size =
		or_default(options->connection_pool_size, HTTP_CONNECTION_POOL_SIZE_MIN);
	assert(options->connection_pool_size >= HTTP_CONNECTION_POOL_SIZE_MIN);
	options->head_ms_max = ms_or_default(options->head_ms_max, 10000);
	options->body_ms_max = ms_or_default(options->body_ms_max, 30000);
	options->request_ms_max = ms_or_default(options->request_ms_max, 10000);
	options->reply_ms_max = ms_or_default(options->reply_ms_max, 30000);
	options->idle_ms_max = ms_or_default(options->idle_ms_max, 75000);
	options->stream_keep_alive_ms = ms_or_default(options->stream_keep_alive_ms, 15000);
	options->stream_stall_ms_max = ms_or_default(options->stream_stall_ms_max, 10000);
	options->drain_ms_max = ms_or_default(options->drain_ms_max, 10000);
}

static enum status server_listen(struct http_server *server, struct fault *fault)
{
	const char *host = server->options.address ? server->options.address : "127.0.0.1";
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(server->options.port)};
	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		return fault_set(fault, "address", "'%s' is not an IPv4 address", host);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	server->listen_fd = fd;
	/* After a restart, connections of the last process may still wait out their time; but no
	 * SO_REUSEPORT, so that a second process on this port is refused. */
	int on = 1;
	socklen_t size = sizeof address;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(fd, LISTEN_BACKLOG) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		return fault_set(fault, "port", "cannot listen on %s:%u: %s", host,
			(unsigned)server->options.port, strerror(errno));
	server->port = ntohs(address.sin_port);
	return STATUS_OK;
}

static bool needs_workers(const struct http_server_options *options)
{
	for (size_t i = 0; i < options->route_count; i++)
		if (options->routes[i].thread == HTTP_ON_WORKER)
			return true;
	return false;
}

static enum status server_start(struct http_server *server)
{
	struct http_server_options *options = &server->options;
	server->metrics = http_metrics_new(options);
	if (!server->metrics)
		return STATUS_UNAVAILABLE;
	if (needs_workers(options) && http_workers_open(options, &server->workers) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	server->loops = calloc(options->loop_count, sizeof *server->loops);
	if (!server->loops)
		return STATUS_UNAVAILABLE;
	bool good = true;
	/* All are made before any runs, since loop 0 deals connections to the others. */
	for (size_t i = 0; i < options->loop_count; i++)
		good = http_loop_open(&server->loops[i], server, i) == STATUS_OK && good;
	for (size_t i = 0; good && i < options->loop_count; i++)
		good = http_loop_start(&server->loops[i]) == STATUS_OK;
	return good ? STATUS_OK : STATUS_UNAVAILABLE;
}
