/* The crowd that watches: keeps a stream open for each of many people, and tells when the last of
 * them has been told how far the room has got.
 *
 *	ready STREAMS
 *	served NUMBER NANOSECONDS	every stream has been told `serving` NUMBER or more, the
 *					last of them at that monotonic time
 *
 * Messages are conflated by the server, so a number may be skipped; what is told is always of the
 * largest number that anybody has seen. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/program.h"

enum {
	STREAMS_MAX = 50000,
	BURST = 256, /* Streams opened before their replies are waited for. */
	LINE_SIZE = 1024,
	EVENTS_PER_ROUND = 256,
	STREAMS_PER_ADDRESS = 10000, /* So that the ports of one address never run out. */
};

static const char label[] = "event: position\ndata: ";
static const char number_label[] = "\"serving\":";

struct watcher {
	int fd;
	bool begun;
	int64_t serving;
	size_t kept_size; /* Of a line that has not come whole. */
	char kept[LINE_SIZE];
};

static int64_t port, stream_count;
static const char *targets_path;
static struct watcher *watchers;
static int epoll_fd;
static size_t begun_count, told_count;
static int64_t awaited; /* The largest number that anybody was told. */

static int read_settings(int argc, char **argv);
static void open_stream(size_t index, const char *token);
static void read_ready(void);

static void fail(const char *what)
{
	fprintf(stderr, "waiting_room_crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	char line[LINE_SIZE];
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	FILE *targets = fopen(targets_path, "re");
	watchers = calloc((size_t)stream_count, sizeof *watchers);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!targets || !watchers || epoll_fd < 0)
		fail(targets_path);
	for (size_t i = 0; i < (size_t)stream_count; i++) {
		const char *token = fgets(line, sizeof line, targets) ? strchr(line, '\t') : NULL;
		if (!token)
			fail("too few people");
		line[strcspn(line, "\n")] = '\0';
		open_stream(i, token + 1);
		while ((i + 1 == (size_t)stream_count || i % BURST == 0) && begun_count <= i)
			read_ready();
	}
	fclose(targets);
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
		{.flag = "people",
			.kind = CONFIG_TEXT,
			.value = &targets_path,
			.required = true,
			.help = "the file that http_load --keep has written of their joins"},
	};
	static const struct config_program program = {.name = "waiting_room_crowd",
		.summary = "Keeps a stream open for each of many people.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

static void open_stream(size_t index, const char *token)
{
	char request[LINE_SIZE + 64];
	struct watcher *watcher = &watchers[index];
	watcher->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (watcher->fd < 0)
		fail("socket");
	int on = 1;
	struct linger reset = {.l_onoff = 1};
	setsockopt(watcher->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	/* Ended by a reset: thousands of ports would else wait out their time in the next round. */
	setsockopt(watcher->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	struct sockaddr_in from = {.sin_family = AF_INET,
		.sin_addr.s_addr =
			htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index / STREAMS_PER_ADDRESS))};
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	if (bind(watcher->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
		connect(watcher->fd, (struct sockaddr *)&to, sizeof to) != 0)
		fail("connect");
	int size = snprintf(request, sizeof request,
		"GET /waiting-room/%s/stream HTTP/1.1\r\nHost: localhost\r\n\r\n", token);
	if (send(watcher->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
		fail("send");
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watcher};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watcher->fd, &event) != 0)
		fail("epoll_ctl");
}

/* ---- Reading ---- */

static void count_watcher(struct watcher *watcher, int64_t serving)
{
	if (serving > awaited) {
		awaited = serving;
		told_count = 0;
		for (size_t i = 0; i < (size_t)stream_count; i++)
			told_count += watchers[i].serving >= serving;
	}
	bool counts = serving >= awaited && watcher->serving < awaited;
	watcher->serving = serving;
	if (!counts || ++told_count < (size_t)stream_count)
		return;
	printf("served %lld %lld\n", (long long)awaited,
		(long long)clock_monotonic_ns(clock_system()));
	fflush(stdout);
}

/* The messages among the bytes. A message is taken when its number has come with what follows. */
static void read_messages(struct watcher *watcher, char *bytes, size_t size)
{
	const char *at = bytes, *end = bytes + size;
	for (;;) {
		const char *message = memmem(at, (size_t)(end - at), label, sizeof label - 1);
		const char *line_end =
			message ? memmem(message, (size_t)(end - message), "\n\n", 2) : NULL;
		if (!line_end)
			break;
		const char *number = memmem(message, (size_t)(line_end - message), number_label,
			sizeof number_label - 1);
		if (number)
			count_watcher(watcher, strtoll(number + sizeof number_label - 1, NULL, 10));
		at = line_end;
	}
	size_t left = (size_t)(end - at);
	if (left > LINE_SIZE) { /* The beginning of a message is shorter than that. */
		at = end - LINE_SIZE;
		left = LINE_SIZE;
	}
	memcpy(watcher->kept, at, left);
	watcher->kept_size = left;
}

static void read_stream(struct watcher *watcher)
{
	static char bytes[LINE_SIZE + (64 << 10) + 1];
	memcpy(bytes, watcher->kept, watcher->kept_size);
	ssize_t got = recv(watcher->fd, bytes + watcher->kept_size, 64 << 10, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		fail("the server ended a stream");
	size_t size = watcher->kept_size + (size_t)got;
	bytes[size] = '\0';
	if (!watcher->begun) {
		watcher->begun = true;
		begun_count++;
		if (memcmp(bytes, "HTTP/1.1 200", 12) != 0) {
			errno = EPROTO;
			fail("the server refused a stream");
		}
	}
	read_messages(watcher, bytes, size);
}

static void read_ready(void)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int count = epoll_wait(epoll_fd, events, EVENTS_PER_ROUND, -1);
	for (int i = 0; i < count; i++)
		read_stream(events[i].data.ptr);
}
