/* The crowd that asks: joins of distinct people, or reads of their standing, over kept-alive
 * connections with several requests under way on each. A process of its own, one thread, so that it
 * takes as little of the cores as it can from those whom it measures.
 *
 *	reached NUMBER        joins acknowledged, once, for --mark
 *	result {…}            answers: good, refused, failed; seconds; latencies in ns; for joins
 *	                      also `largest` and `distinct` places and `disorder`
 *
 * Order: a join that is sent after another was acknowledged must get a larger place. The largest
 * acknowledged place is noted with each request as it is sent, and its answer is held against it;
 * one thread does both, so there is no doubt about what came first. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/program.h"
#include "lib/testkit/histogram.h"

enum {
	DEPTH_MAX = 16,
	REQUEST_SIZE_MAX = 1024,
	REPLY_SIZE_MAX = 4096,
	RECEIVE_SIZE = DEPTH_MAX * REPLY_SIZE_MAX,
	TARGETS_MAX = 100000,
	PLACES_MAX = 8000000,
	EVENTS_PER_ROUND = 256,
	SILENCE_MS_MAX = 30000, /* Nobody answers any more. */
};

struct connection {
	int fd;
	unsigned sent, received; /* Requests; those between are under way. */
	struct {
		int64_t sent_ns, floor;
	} under_way[DEPTH_MAX];
	size_t size; /* Of what was received and not used. */
	char bytes[RECEIVE_SIZE];
};

static int64_t port, connection_count, depth, count_max, seconds, first, mark, good_status;
static const char *join_path, *targets_path, *tokens_path;
static struct connection *connections;
static int epoll_fd;
static struct slice *targets;
static size_t target_count;
static FILE *tokens;

static uint64_t sent, answered, good, refused, failed, disorder, distinct;
static int64_t largest; /* Place that was acknowledged. */
static uint8_t seen[PLACES_MAX / 8 + 1];
static int64_t begin_ns, last_ns, end_ns;
static struct histogram latencies;

static int read_settings(int argc, char **argv);
static void read_targets(void);
static void connect_all(void);
static void ask(struct connection *connection);
static void run(void);
static void tell(void);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	read_targets();
	tokens = tokens_path ? fopen(tokens_path, "we") : NULL;
	histogram_init(&latencies);
	connect_all();
	run();
	if (tokens && fclose(tokens) != 0)
		return 1;
	tell();
	return 0;
}

static const struct config_setting table[] = {
	{.flag = "port",
		.kind = CONFIG_INTEGER,
		.value = &port,
		.required = true,
		.min = 1,
		.max = 65535,
		.help = "the server's port on 127.0.0.1"},
	{.flag = "join",
		.kind = CONFIG_TEXT,
		.value = &join_path,
		.help = "POST a userId to this path; each time another one"},
	{.flag = "read",
		.kind = CONFIG_TEXT,
		.value = &targets_path,
		.help = "GET the paths of this file, in turn"},
	{.flag = "good",
		.kind = CONFIG_INTEGER,
		.value = &good_status,
		.fallback = "201",
		.min = 200,
		.max = 599,
		.help = "the status of a good answer"},
	{.flag = "first",
		.kind = CONFIG_INTEGER,
		.value = &first,
		.fallback = "0",
		.max = INT64_MAX,
		.help = "number of the first person"},
	{.flag = "count",
		.kind = CONFIG_INTEGER,
		.value = &count_max,
		.fallback = "0",
		.max = PLACES_MAX,
		.help = "requests; 0: as many as the time allows"},
	{.flag = "seconds",
		.kind = CONFIG_INTEGER,
		.value = &seconds,
		.fallback = "3600",
		.min = 1,
		.max = 3600,
		.help = "how long to ask"},
	{.flag = "mark",
		.kind = CONFIG_INTEGER,
		.value = &mark,
		.fallback = "0",
		.max = PLACES_MAX,
		.help = "tell when so many joins have been acknowledged"},
	{.flag = "connections",
		.kind = CONFIG_INTEGER,
		.value = &connection_count,
		.fallback = "256",
		.min = 1,
		.max = 10000,
		.help = "kept-alive connections"},
	{.flag = "depth",
		.kind = CONFIG_INTEGER,
		.value = &depth,
		.fallback = "4",
		.min = 1,
		.max = DEPTH_MAX,
		.help = "requests under way on each"},
	{.flag = "tokens",
		.kind = CONFIG_TEXT,
		.value = &tokens_path,
		.help = "the file that gets the path of each joined person's place"},
};

static int read_settings(int argc, char **argv)
{
	static const struct config_program program = {.name = "waiting_room_load",
		.summary = "Joins a waiting room, or reads how it stands, as fast as it is "
			   "answered.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "waiting_room_load: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

/* ---- Asking ---- */

static void read_targets(void)
{
	if (!join_path == !targets_path)
		fail("either --join or --read");
	if (join_path)
		return;
	static char line[REQUEST_SIZE_MAX];
	FILE *file = fopen(targets_path, "re");
	targets = calloc(TARGETS_MAX, sizeof *targets);
	if (!file || !targets)
		fail("%s cannot be read", targets_path);
	while (target_count < TARGETS_MAX && fgets(line, sizeof line, file)) {
		char *path = strndup(line, strcspn(line, "\n"));
		if (!path)
			fail("memory is short");
		targets[target_count++] = slice_of(path);
	}
	fclose(file);
	if (target_count == 0)
		fail("%s is empty", targets_path);
}

static void connect_all(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	connections = calloc((size_t)connection_count, sizeof *connections);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!connections || epoll_fd < 0)
		fail("memory or descriptors are short");
	for (int64_t i = 0; i < connection_count; i++) {
		struct connection *connection = &connections[i];
		int on = 1;
		connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connection->fd < 0 ||
			connect(connection->fd, (struct sockaddr *)&to, sizeof to) != 0)
			fail("cannot connect: %s", strerror(errno));
		setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
			fail("epoll_ctl: %s", strerror(errno));
	}
}

static size_t write_request(char to[REQUEST_SIZE_MAX])
{
	int size;
	if (targets_path) {
		size = snprintf(to, REQUEST_SIZE_MAX, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
			targets[sent % target_count].data);
	} else {
		char body[64];
		int64_t number = first + (int64_t)sent;
		int body_size = snprintf(
			body, sizeof body, "{\"userId\":\"person-%lld\"}", (long long)number);
		size = snprintf(to, REQUEST_SIZE_MAX,
			"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
			"Content-Length: %d\r\n\r\n%s",
			join_path, body_size, body);
	}
	if (size >= REQUEST_SIZE_MAX)
		fail("a request is too long");
	return (size_t)size;
}

static bool may_ask(int64_t now_ns)
{
	return now_ns < end_ns && (count_max == 0 || sent < (uint64_t)count_max);
}

/* Fill the connection up to its depth. */
static void ask(struct connection *connection)
{
	static char bytes[DEPTH_MAX * REQUEST_SIZE_MAX];
	size_t size = 0;
	int64_t now_ns = clock_monotonic_ns(clock_system());
	while (connection->sent - connection->received < (unsigned)depth && may_ask(now_ns)) {
		size += write_request(bytes + size);
		connection->under_way[connection->sent % DEPTH_MAX].sent_ns = now_ns;
		connection->under_way[connection->sent % DEPTH_MAX].floor = largest;
		connection->sent++;
		sent++;
	}
	/* What is under way on a connection fits into the socket's buffer. */
	if (size > 0 && send(connection->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
		fail("cannot send: %s", strerror(errno));
}

/* ---- Answers ---- */

static int64_t number_behind(const char *bytes, size_t size, const char *label)
{
	const char *at = memmem(bytes, size, label, strlen(label));
	return at ? strtoll(at + strlen(label), NULL, 10) : 0;
}

static void keep_token(const char *body, size_t size)
{
	static const char label[] = "\"placeToken\":\"";
	const char *at = memmem(body, size, label, sizeof label - 1);
	const char *from = at ? at + sizeof label - 1 : NULL;
	const char *end = from ? memchr(from, '"', (size_t)(body + size - from)) : NULL;
	if (!end)
		fail("a join's answer has no placeToken");
	fprintf(tokens, "/waiting-room/%.*s\n", (int)(end - from), from);
}

static void judge_join(const char *body, size_t size, int64_t floor)
{
	int64_t place = number_behind(body, size, "\"place\":");
	if (tokens)
		keep_token(body, size);
	if (place <= floor || place >= PLACES_MAX)
		disorder++;
	if (place > 0 && place < PLACES_MAX && !(seen[place / 8] & 1 << place % 8)) {
		seen[place / 8] |= (uint8_t)(1 << place % 8);
		distinct++;
	}
	largest = place > largest ? place : largest;
	if (mark > 0 && good == (uint64_t)mark) {
		printf("reached %lld\n", (long long)mark);
		fflush(stdout);
	}
}

static void judge(struct connection *connection, const char *bytes, size_t head, size_t size)
{
	size_t slot = connection->received++ % DEPTH_MAX;
	long status = strtol(bytes + strlen("HTTP/1.1 "), NULL, 10);
	last_ns = clock_monotonic_ns(clock_system());
	histogram_record(&latencies, last_ns - connection->under_way[slot].sent_ns);
	answered++;
	if (status != good_status) {
		refused += status == 409 || status == 429 || status == 503;
		failed += !(status == 409 || status == 429 || status == 503);
		return;
	}
	good++;
	if (join_path && size > head)
		judge_join(bytes + head, size - head, connection->under_way[slot].floor);
}

/* Use the whole answers among what has come. */
static void take_answers(struct connection *connection)
{
	size_t at = 0;
	for (;;) {
		const char *bytes = connection->bytes + at;
		size_t left = connection->size - at;
		const char *end = memmem(bytes, left, "\r\n\r\n", 4);
		if (!end)
			break;
		size_t head = (size_t)(end - bytes) + 4;
		size_t size = head + (size_t)number_behind(bytes, head, "Content-Length:");
		if (size > left)
			break;
		judge(connection, bytes, head, size);
		at += size;
	}
	memmove(connection->bytes, connection->bytes + at, connection->size - at);
	connection->size -= at;
}

static void receive(struct connection *connection)
{
	/* One byte is left for the zero at which numbers end. */
	ssize_t got = recv(connection->fd, connection->bytes + connection->size,
		sizeof connection->bytes - connection->size - 1, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		fail("the server has closed a connection");
	connection->size += (size_t)got;
	connection->bytes[connection->size] = '\0';
	take_answers(connection);
	ask(connection);
}

static void run(void)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	begin_ns = clock_monotonic_ns(clock_system());
	end_ns = begin_ns + seconds * 1000000000;
	for (int64_t i = 0; i < connection_count; i++)
		ask(&connections[i]);
	while (answered < sent) {
		int ready = epoll_wait(epoll_fd, events, EVENTS_PER_ROUND, SILENCE_MS_MAX);
		if (ready == 0)
			fail("no answer for %d s", SILENCE_MS_MAX / 1000);
		for (int i = 0; i < ready; i++)
			receive(events[i].data.ptr);
	}
}

static void tell(void)
{
	printf("result {\"good\":%llu,\"refused\":%llu,\"failed\":%llu,\"seconds\":%.6f,"
	       "\"p50\":%lld,\"p99\":%lld,\"largest\":%lld,\"distinct\":%llu,"
	       "\"disorder\":%llu}\n",
		(unsigned long long)good, (unsigned long long)refused, (unsigned long long)failed,
		(double)(last_ns - begin_ns) / 1e9,
		(long long)histogram_percentile_ns(&latencies, 50),
		(long long)histogram_percentile_ns(&latencies, 99), (long long)largest,
		(unsigned long long)distinct, (unsigned long long)disorder);
	fflush(stdout);
}
