/* A crowd that keeps streams open: connects, asks for the stream, and tells on standard output when
 * all of it has received an event.
 *
 *	ready STREAMS
 *	delivered NUMBER NANOSECONDS BYTES	every reader has the NUMBERth event, the last of
 *						them at that monotonic time; BYTES came meanwhile
 *
 * Events are told apart by a '!', which each has once at its end, so that it does not matter how
 * the server frames them. Readers that are stalled stop reading once their stream has begun; their
 * receive buffer is as small as the system allows. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/program.h"

enum {
	STREAMS_MAX = 100000,
	BURST = 512, /* Connections opened before their replies are waited for. */
	EVENTS_PER_ROUND = 256,
	/* Per source address, so that the ports of one never run out. */
	STREAMS_PER_ADDRESS = 10000,
};

struct reader {
	int fd;
	uint32_t events; /* Received whole. */
	bool begun;
	bool stalled;
};

static int64_t port, stream_count, stalled_count;
static struct reader *readers;
static int epoll_fd;
static size_t begun_count;    /* Whose reply has begun. */
static size_t complete_count; /* Who have event number `number`. */
static uint32_t number = 1;
static uint64_t bytes;

static int read_settings(int argc, char **argv);
static void open_stream(size_t index);
static void read_ready(void);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	readers = calloc((size_t)stream_count, sizeof *readers);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!readers || epoll_fd < 0) {
		perror("stream_client");
		return 1;
	}
	for (size_t i = 0; i < (size_t)stream_count; i++) {
		open_stream(i);
		while ((i + 1 == (size_t)stream_count || i % BURST == 0) && begun_count <= i)
			read_ready();
	}
	printf("ready %zu\n", begun_count);
	fflush(stdout);
	for (;;)
		read_ready();
}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "port",
			.kind = CONFIG_INTEGER,
			.value = &port,
			.required = true,
			.min = 1,
			.max = 65535,
			.help = "the server's port on 127.0.0.1"},
		{.flag = "streams",
			.kind = CONFIG_INTEGER,
			.value = &stream_count,
			.fallback = "15000",
			.min = 1,
			.max = STREAMS_MAX,
			.help = "streams to keep open"},
		{.flag = "stalled",
			.kind = CONFIG_INTEGER,
			.value = &stalled_count,
			.fallback = "0",
			.max = STREAMS_MAX / 2,
			.help = "of these, spread evenly, read nothing"},
	};
	static const struct config_program program = {.name = "stream_client",
		.summary = "Keeps streams open and tells when events have arrived.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

static void fail(const char *what)
{
	fprintf(stderr, "stream_client: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Whether the stream is one of the stalled: one of each group of streams, by turns the first and
 * the second, since a server deals streams out to its loops in turn. */
static bool is_stalled(size_t index)
{
	size_t count = (size_t)stream_count, stalled = (size_t)stalled_count;
	if (stalled == 0)
		return false;
	size_t group = index * stalled / count;
	size_t group_first = (group * count + stalled - 1) / stalled;
	return index == group_first + group % 2;
}

static void open_stream(size_t index)
{
	static const char request[] = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct reader *reader = &readers[index];
	*reader = (struct reader){
		.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .stalled = is_stalled(index)};
	if (reader->fd < 0)
		fail("socket");
	int on = 1, least = 1;
	struct linger reset = {.l_onoff = 1};
	setsockopt(reader->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	/* Ended by a reset: thousands of ports would else wait out their time in the next round. */
	setsockopt(reader->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (reader->stalled)
		setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
	struct sockaddr_in from = {.sin_family = AF_INET,
		.sin_addr.s_addr =
			htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index / STREAMS_PER_ADDRESS))};
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	if (bind(reader->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
		connect(reader->fd, (struct sockaddr *)&to, sizeof to) != 0)
		fail("connect");
	if (send(reader->fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
		fail("send");
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, reader->fd, &event) != 0)
		fail("epoll_ctl");
}

static void count_event(struct reader *reader)
{
	if (++reader->events != number) {
		errno = EPROTO;
		fail("an event came twice");
	}
	if (++complete_count < (size_t)(stream_count - stalled_count))
		return;
	printf("delivered %u %lld %llu\n", number, (long long)clock_monotonic_ns(clock_system()),
		(unsigned long long)bytes);
	fflush(stdout);
	number++;
	complete_count = 0;
	bytes = 0;
}

static void read_stream(struct reader *reader)
{
	static char received[64 << 10];
	ssize_t got = recv(reader->fd, received, sizeof received, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		fail("the server ended a stream");
	if (!reader->begun) {
		reader->begun = true;
		begun_count++;
		if (memcmp(received, "HTTP/1.1 200", 12) != 0) {
			errno = EPROTO;
			fail("the server refused a stream");
		}
		if (reader->stalled)
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, reader->fd, NULL);
		return;
	}
	bytes += (uint64_t)got;
	const char *end = received + got;
	for (const char *at = received; (at = memchr(at, '!', (size_t)(end - at))); at++)
		count_event(reader);
}

static void read_ready(void)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int count = epoll_wait(epoll_fd, events, EVENTS_PER_ROUND, -1);
	for (int i = 0; i < count; i++)
		read_stream(events[i].data.ptr);
}
