/* The crowd that asks: joins of distinct people, or the requests of a file, over kept-alive
 * connections. A process of its own, one thread, so that it takes as little of the cores as it can
 * from those whom it measures.
 *
 *	reached NUMBER        joins acknowledged, once, for --mark
 *	result {…}            answers: good, refused, failed; dropped; seconds; latencies of the
 *good ones in ns; for joins also `largest` and `distinct` places and `disorder`
 *
 * A closed loop by default: each connection has so many requests under way, and the next is sent
 * when one is answered, so that who asks slows down with who answers. With --rate an open loop: a
 * Poisson process says when each request is due, however long the others take, and its latency
 * counts from then on; what is due and finds no connection free waits for one, and is dropped when
 * the time is over.
 *
 * Order: a join that is sent after another was acknowledged must get a larger place. The largest
 * acknowledged place is noted with each request as it is sent, and its answer is held against it;
 * one thread does both, so there is no doubt about what came first. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
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
#include "lib/testkit/random.h"

enum {
	DEPTH_MAX = 16,
	REQUEST_SIZE_MAX = 1024,
	REPLY_SIZE_MAX = 4096,
	RECEIVE_SIZE = DEPTH_MAX * REPLY_SIZE_MAX,
	FILE_BYTES_MAX = 1 << 28,
	REQUESTS_MAX = 4000000, /* Of an open loop. */
	PLACES_MAX = 8000000,
	EVENTS_PER_ROUND = 256,
	SILENCE_MS_MAX = 30000, /* Nobody answers any more. */
};

struct connection {
	int fd;
	unsigned sent, received; /* Requests; those between are under way. */
	struct {
		int64_t due_ns, floor;
		uint64_t number;
	} under_way[DEPTH_MAX];
	size_t size; /* Of what was received and not used. */
	char bytes[RECEIVE_SIZE];
};

static int64_t port, connection_count, depth, count_max, seconds, first, mark, good_status, rate,
	seed, warm_ms;
static bool again, places;
static const char *join_path, *ask_path, *keep_path, *member;
static struct connection *connections, **idle;
static size_t idle_count;
static int epoll_fd;
static struct slice *lines; /* Of the file, without their ends. */
static size_t line_count;
static int64_t *due_ns; /* Of an open loop, from its begin. */
static size_t due_count;
static FILE *kept;

static uint64_t sent, answered, good, refused, failed, disorder, distinct;
static int64_t largest; /* Place that was acknowledged. */
static uint8_t seen[PLACES_MAX / 8 + 1];
static int64_t begin_ns, last_ns, end_ns;
static struct histogram latencies;

static int read_settings(int argc, char **argv);
static void read_file(void);
static void plan_arrivals(void);
static void connect_all(void);
static bool ask(struct connection *connection);
static void run(void);
static void tell(void);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	read_file();
	plan_arrivals();
	kept = keep_path ? fopen(keep_path, "we") : NULL;
	histogram_init(&latencies);
	connect_all();
	run();
	if (kept && fclose(kept) != 0)
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
	{.flag = "ask",
		.kind = CONFIG_TEXT,
		.value = &ask_path,
		.help = "the requests of this file, each once: METHOD, PATH, bearer token, "
			"Idempotency-Key and JSON body, with tabs between them; the last three may "
			"be empty"},
	{.flag = "again",
		.kind = CONFIG_SWITCH,
		.value = &again,
		.fallback = "false",
		.help = "begin the file anew at its end"},
	{.flag = "places",
		.kind = CONFIG_SWITCH,
		.value = &places,
		.fallback = "false",
		.help = "the requests of the file are joins"},
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
	{.flag = "rate",
		.kind = CONFIG_INTEGER,
		.value = &rate,
		.fallback = "0",
		.max = 1000000,
		.help = "requests per second of an open loop; 0: a closed loop"},
	{.flag = "seed",
		.kind = CONFIG_INTEGER,
		.value = &seed,
		.fallback = "1",
		.max = INT64_MAX,
		.help = "of the moments at which those are due"},
	{.flag = "warm-up",
		.kind = CONFIG_DURATION,
		.value = &warm_ms,
		.fallback = "0ms",
		.max = 3600000,
		.help = "the latencies of requests that were due so early are left out"},
	{.flag = "keep",
		.kind = CONFIG_TEXT,
		.value = &keep_path,
		.help = "the file that gets, of each good answer, the number of its request, from "
			"0, "
			"a tab and the text --member of its body"},
	{.flag = "member",
		.kind = CONFIG_TEXT,
		.value = &member,
		.fallback = "placeToken",
		.help = "what is kept"},
};

static int read_settings(int argc, char **argv)
{
	static const struct config_program program = {.name = "http_load",
		.summary = "Joins a waiting room, or asks what a file says, as fast as it is "
			   "answered or at a rate.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "http_load: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

/* ---- Asking ---- */

static void read_file(void)
{
	if (!join_path == !ask_path)
		fail("either --join or --ask");
	if (join_path) {
		places = true;
		return;
	}
	FILE *file = fopen(ask_path, "re");
	char *bytes = malloc(FILE_BYTES_MAX); /* Only what is used is there. */
	size_t size = file && bytes ? fread(bytes, 1, FILE_BYTES_MAX, file) : 0;
	if (!file || fclose(file) != 0 || size == 0 || size == FILE_BYTES_MAX)
		fail("%s cannot be read, is empty or too large", ask_path);
	for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(bytes + size - at))); at++)
		line_count++;
	lines = calloc(line_count + 1, sizeof *lines);
	if (!lines || bytes[size - 1] != '\n')
		fail("memory is short, or the last line has no end");
	struct slice rest = {bytes, size - 1};
	for (size_t i = 0; i < line_count; i++)
		slice_split(&rest, '\n', &lines[i]);
}

/* When each request of an open loop is due: the times between two are exponential. */
static void plan_arrivals(void)
{
	struct random random;
	if (rate == 0)
		return;
	if (depth != 1)
		fail("in an open loop a connection has one request under way: --depth=1");
	due_ns = calloc(REQUESTS_MAX, sizeof *due_ns);
	if (!due_ns)
		fail("memory is short");
	random_init(&random, (uint64_t)seed);
	for (double at_ns = 0; due_count < REQUESTS_MAX; due_count++) {
		at_ns -= log(1 - random_real(&random)) * 1e9 / (double)rate;
		if (at_ns >= (double)seconds * 1e9)
			break;
		due_ns[due_count] = (int64_t)at_ns;
	}
}

static void connect_all(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	connections = calloc((size_t)connection_count, sizeof *connections);
	idle = calloc((size_t)connection_count, sizeof *idle);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!connections || !idle || epoll_fd < 0)
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

static size_t write_join(char to[REQUEST_SIZE_MAX])
{
	char body[64];
	int64_t number = first + (int64_t)sent;
	int body_size =
		snprintf(body, sizeof body, "{\"userId\":\"person-%lld\"}", (long long)number);
	return (size_t)snprintf(to, REQUEST_SIZE_MAX,
		"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: %d\r\n\r\n%s",
		join_path, body_size, body);
}

/* A header, unless there is none. */
static size_t write_header(char *to, size_t size, const char *name, struct slice value)
{
	return value.size == 0
		? 0
		: (size_t)snprintf(to, size, "%s%.*s\r\n", name, (int)value.size, value.data);
}

static size_t write_line(char to[REQUEST_SIZE_MAX])
{
	struct slice line = lines[sent % line_count], method, path, bearer, key, body = {0};
	if (!slice_split(&line, '\t', &method) || !slice_split(&line, '\t', &path) ||
		!slice_split(&line, '\t', &bearer) || !slice_split(&line, '\t', &key) || !line.data)
		fail("line %llu has not five fields", (unsigned long long)(sent % line_count) + 1);
	body = line;
	size_t size =
		(size_t)snprintf(to, REQUEST_SIZE_MAX, "%.*s %.*s HTTP/1.1\r\nHost: localhost\r\n",
			(int)method.size, method.data, (int)path.size, path.data);
	if (method.size + path.size + bearer.size + key.size + body.size + 200 > REQUEST_SIZE_MAX)
		fail("a request is too long");
	size += write_header(to + size, REQUEST_SIZE_MAX - size, "Authorization: Bearer ", bearer);
	size += write_header(to + size, REQUEST_SIZE_MAX - size, "Idempotency-Key: ", key);
	if (body.size > 0)
		size += (size_t)snprintf(to + size, REQUEST_SIZE_MAX - size,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n", body.size);
	return size +
		(size_t)snprintf(to + size, REQUEST_SIZE_MAX - size, "\r\n%.*s", (int)body.size,
			body.size > 0 ? body.data : "");
}

static bool may_ask(int64_t now_ns)
{
	if (now_ns >= end_ns || (count_max > 0 && sent >= (uint64_t)count_max) ||
		(ask_path && !again && sent >= line_count))
		return false;
	return rate == 0 || (sent < due_count && begin_ns + due_ns[sent] <= now_ns);
}

/* Fill the connection up to its depth. False: nothing is under way on it. */
static bool ask(struct connection *connection)
{
	static char bytes[DEPTH_MAX * REQUEST_SIZE_MAX];
	size_t size = 0;
	int64_t now_ns = clock_monotonic_ns(clock_system());
	while (connection->sent - connection->received < (unsigned)depth && may_ask(now_ns)) {
		size_t slot = connection->sent++ % DEPTH_MAX;
		size += join_path ? write_join(bytes + size) : write_line(bytes + size);
		connection->under_way[slot].due_ns = rate == 0 ? now_ns : begin_ns + due_ns[sent];
		connection->under_way[slot].floor = largest;
		connection->under_way[slot].number = sent;
		sent++;
	}
	/* What is under way on a connection fits into the socket's buffer. */
	if (size > 0 && send(connection->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
		fail("cannot send: %s", strerror(errno));
	return connection->sent > connection->received;
}

/* ---- Answers ---- */

static int64_t number_behind(const char *bytes, size_t size, const char *label)
{
	const char *at = memmem(bytes, size, label, strlen(label));
	return at ? strtoll(at + strlen(label), NULL, 10) : 0;
}

/* The text that follows a member's name; PostgreSQL puts spaces around the colon. */
static void keep_member(const char *body, size_t size, uint64_t number)
{
	char label[64];
	const char *end = body + size;
	snprintf(label, sizeof label, "\"%s\"", member);
	const char *at = memmem(body, size, label, strlen(label));
	const char *from = at ? at + strlen(label) : end;
	while (from < end && (*from == ' ' || *from == ':'))
		from++;
	if (from >= end || *from++ != '"' || !memchr(from, '"', (size_t)(end - from)))
		fail("an answer has no %s", member);
	fprintf(kept, "%llu\t%.*s\n", (unsigned long long)number,
		(int)((const char *)memchr(from, '"', (size_t)(end - from)) - from), from);
}

static void judge_join(const char *body, size_t size, int64_t floor)
{
	int64_t place = number_behind(body, size, "\"place\":");
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
	answered++;
	if (status != good_status) {
		refused += status == 409 || status == 429 || status == 503;
		failed += !(status == 409 || status == 429 || status == 503);
		return;
	}
	good++;
	if (connection->under_way[slot].due_ns >= begin_ns + warm_ms * 1000000)
		histogram_record(&latencies, last_ns - connection->under_way[slot].due_ns);
	if (kept)
		keep_member(bytes + head, size - head, connection->under_way[slot].number);
	if (places && size > head)
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
	if (!ask(connection))
		idle[idle_count++] = connection;
}

/* Send what is due by now. */
static void ask_idle(void)
{
	while (idle_count > 0 && ask(idle[idle_count - 1]))
		idle_count--;
}

/* Whether something will be due. */
static bool is_waited_for(void)
{
	return rate > 0 && clock_monotonic_ns(clock_system()) < end_ns && sent < due_count &&
		(count_max == 0 || sent < (uint64_t)count_max) &&
		(!ask_path || again || sent < line_count);
}

/* How long to wait for answers before the next request is due, or the time is over. */
static int64_t pause_ns(void)
{
	if (!is_waited_for() || idle_count == 0)
		return SILENCE_MS_MAX * INT64_C(1000000);
	int64_t left_ns = begin_ns + due_ns[sent] - clock_monotonic_ns(clock_system());
	return left_ns > 0 ? left_ns : 0;
}

static void run(void)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	begin_ns = clock_monotonic_ns(clock_system());
	end_ns = begin_ns + seconds * 1000000000;
	for (int64_t i = connection_count; i-- > 0;)
		if (!ask(&connections[i]))
			idle[idle_count++] = &connections[i];
	while (answered < sent || is_waited_for()) {
		int64_t wait_ns = pause_ns();
		struct timespec wait = {
			.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
		int ready = epoll_pwait2(epoll_fd, events, EVENTS_PER_ROUND, &wait, NULL);
		if (ready == 0 && wait_ns >= SILENCE_MS_MAX * INT64_C(1000000))
			fail("no answer for %d s", SILENCE_MS_MAX / 1000);
		for (int i = 0; i < ready; i++)
			receive(events[i].data.ptr);
		if (rate > 0)
			ask_idle();
	}
}

static void tell(void)
{
	printf("result {\"good\":%llu,\"refused\":%llu,\"failed\":%llu,\"dropped\":%llu,"
	       "\"seconds\":%.6f,\"p50\":%lld,\"p99\":%lld,\"largest\":%lld,\"distinct\":%llu,"
	       "\"disorder\":%llu}\n",
		(unsigned long long)good, (unsigned long long)refused, (unsigned long long)failed,
		(unsigned long long)(rate > 0 && due_count > sent ? due_count - sent : 0),
		(double)(last_ns - begin_ns) / 1e9,
		(long long)histogram_percentile_ns(&latencies, 50),
		(long long)histogram_percentile_ns(&latencies, 99), (long long)largest,
		(unsigned long long)distinct, (unsigned long long)disorder);
	fflush(stdout);
}
