/* The least that can hold streams open: accept, read the request, send a header, keep the socket in
 * an epoll set. A publication is one send() per socket and nothing else. What lib/http costs is
 * measured against it.
 *
 * It speaks just enough HTTP for the benches' own client. Loops are threads, as in lib/http; the
 * first one accepts and deals the streams out in turn. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/program.h"

enum {
	LOOPS_MAX = 64,
	STREAMS_MAX = 100000,
	EVENTS_PER_ROUND = 128,
	REQUEST_BYTES_MAX = 128 << 10,
	LISTEN_BACKLOG = 4096,
};

struct loop {
	int epoll_fd, wake_fd;
	int *streams; /* Only grows: the program serves one crowd of clients and ends. */
	size_t stream_count;
	pthread_mutex_t mutex; /* Of the two above, which the first loop adds to. */
};

static int64_t loop_count, send_buffer;
static struct loop loops[LOOPS_MAX];
static int listen_fd;
/* What is being published. The next publication comes when the bench has seen this one arrive. */
static char message[REQUEST_BYTES_MAX];
static size_t message_size;

static int read_settings(int argc, char **argv);
static void open_loops(void);
static uint16_t open_port(void);
static void *loop_run(void *context);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	signal(SIGPIPE, SIG_IGN);
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	open_loops();
	uint16_t port = open_port();
	for (int64_t i = 1; i < loop_count; i++) {
		pthread_t thread;
		int failed = pthread_create(&thread, NULL, loop_run, &loops[i]);
		assert(!failed);
	}
	printf("ready %u\n", (unsigned)port);
	fflush(stdout);
	loop_run(&loops[0]);
	return 0;
}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "loops",
			.kind = CONFIG_INTEGER,
			.value = &loop_count,
			.fallback = "2",
			.min = 1,
			.max = LOOPS_MAX,
			.help = "threads, each with an epoll set"},
		{.flag = "send-buffer",
			.kind = CONFIG_SIZE,
			.value = &send_buffer,
			.fallback = "0",
			.max = 4 << 20,
			.help = "SO_SNDBUF of each stream; 0 leaves the system's"},
	};
	static const struct config_program program = {.name = "bare_server",
		.summary = "Accepts streams, keeps them in epoll, sends to all: the floor.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

static void watch(const struct loop *loop, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	int failed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	assert(!failed);
}

static void open_loops(void)
{
	for (int64_t i = 0; i < loop_count; i++) {
		struct loop *loop = &loops[i];
		loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		loop->streams = calloc(STREAMS_MAX, sizeof *loop->streams);
		pthread_mutex_init(&loop->mutex, NULL);
		assert(loop->epoll_fd >= 0 && loop->wake_fd >= 0 && loop->streams);
		watch(loop, loop->wake_fd);
	}
}

static uint16_t open_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listen_fd < 0 || bind(listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(listen_fd, LISTEN_BACKLOG) != 0 ||
		getsockname(listen_fd, (struct sockaddr *)&address, &size) != 0) {
		perror("bare_server: listen");
		exit(1);
	}
	watch(&loops[0], listen_fd);
	return ntohs(address.sin_port);
}

static void accept_all(void)
{
	static size_t turn;
	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		int on = 1, bytes = (int)send_buffer;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (bytes > 0)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
		watch(&loops[turn++ % (size_t)loop_count], fd);
	}
}

static void keep_stream(struct loop *loop, int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	pthread_mutex_lock(&loop->mutex);
	if (loop->stream_count < STREAMS_MAX)
		loop->streams[loop->stream_count++] = fd;
	pthread_mutex_unlock(&loop->mutex);
	if (send(fd, head, sizeof head - 1, MSG_NOSIGNAL) < 0)
		close(fd);
}

/* The whole request has come in one segment or comes at once: the bench's publisher is no stranger.
 */
static void publish(int fd, const char *request, size_t size)
{
	static const char done[] = "HTTP/1.1 204 No Content\r\n\r\n";
	const char *body = memmem(request, size, "\r\n\r\n", 4);
	const char *length = memmem(request, size, "Content-Length: ", 16);
	if (!body || !length)
		return;
	body += 4;
	message_size = strtoul(length + 16, NULL, 10);
	assert(message_size <= sizeof message);
	size_t have = size - (size_t)(body - request);
	memcpy(message, body, have);
	while (have < message_size) {
		ssize_t got = recv(fd, message + have, message_size - have, 0);
		if (got > 0)
			have += (size_t)got;
		else if (got == 0 || errno != EAGAIN)
			return;
	}
	uint64_t one = 1;
	for (int64_t i = 0; i < loop_count; i++)
		if (write(loops[i].wake_fd, &one, sizeof one) < 0)
			perror("bare_server: wake");
	if (send(fd, done, sizeof done - 1, MSG_NOSIGNAL) < 0)
		perror("bare_server: reply");
}

static void serve(struct loop *loop, int fd)
{
	static _Thread_local char request[REQUEST_BYTES_MAX];
	ssize_t got = recv(fd, request, sizeof request - 1, 0);
	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			close(fd);
		return;
	}
	request[got] = '\0';
	if (memcmp(request, "POST ", 5) == 0)
		publish(fd, request, (size_t)got);
	else
		keep_stream(loop, fd);
}

/* The loop that is measured. A reader whose buffer is full misses the message. */
static void broadcast(struct loop *loop)
{
	uint64_t wakes;
	size_t refused = 0;
	if (read(loop->wake_fd, &wakes, sizeof wakes) < 0)
		return;
	for (size_t i = 0; i < loop->stream_count; i++)
		if (send(loop->streams[i], message, message_size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			refused++;
	printf("sent %zu refused %zu\n", loop->stream_count - refused, refused);
	fflush(stdout);
}

static void *loop_run(void *context)
{
	struct loop *loop = context;
	struct epoll_event events[EVENTS_PER_ROUND];
	for (;;) {
		int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_ROUND, -1);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			if (fd == listen_fd)
				accept_all();
			else if (fd == loop->wake_fd)
				broadcast(loop);
			else
				serve(loop, fd);
		}
	}
	return NULL;
}
