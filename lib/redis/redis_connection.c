/* The connection: making it, greeting the server, noticing that it has gone. */
#include "lib/redis/redis_internal.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/id.h"
#include "lib/base/log.h"

enum {
	CONNECT_PAUSE_MS = 20,
	CONNECT_PAUSE_MS_MAX = 1000,
	ATTEMPT_MS_MIN = 1000, /* One attempt may take a third of the time for all, or this. */
	/* With fail_fast, after a failed attempt: so many times what it took, within these. */
	QUIET_FACTOR = 9,
	QUIET_MS_MIN = 100,
	QUIET_MS_MAX = 9000,
	KEEP_ALIVE_S = 10,
	GREETING_MAX = 4,
};

static int64_t now_ms(const struct redis *redis)
{
	return clock_monotonic_ms(redis->clock);
}

int64_t redis_deadline(const struct redis *redis)
{
	return now_ms(redis) + redis->call_ms_max;
}

static int64_t ms_or_default(int64_t ms, int64_t fallback)
{
	if (ms == 0)
		return fallback;
	assert(ms >= REDIS_MS_MIN && ms <= REDIS_MS_MAX);
	return ms;
}

struct redis *redis_open(const struct redis_options *options)
{
	assert(options->url != NULL);
	const char *name = options->client_name != NULL ? options->client_name : "onsale";
	assert(strpbrk(name, " \r\n") == NULL);
	struct redis *redis = calloc(1, sizeof *redis);
	if (redis == NULL)
		return NULL;
	redis->fd = -1;
	buffer_init(&redis->bytes, REDIS_REQUEST_SIZE_MAX);
	redis->clock = options->clock != NULL ? options->clock : clock_system();
	redis->connect_ms_max = ms_or_default(options->connect_ms_max, REDIS_CONNECT_MS_DEFAULT);
	redis->fail_fast = options->fail_fast;
	redis->attempt_ms_max = ms_or_default(options->attempt_ms_max, REDIS_ATTEMPT_MS_DEFAULT);
	redis->call_ms_max = ms_or_default(options->call_ms_max, REDIS_CALL_MS_DEFAULT);
	redis->reply_size_max =
		options->reply_size_max > 0 ? options->reply_size_max : REDIS_REPLY_SIZE_DEFAULT;
	redis->malformed = redis_url_parse(options->url, &redis->url, NULL) != STATUS_OK;
	redis->client_name = strdup(name);
	if (redis->client_name == NULL) {
		redis_close(redis);
		return NULL;
	}
	return redis;
}

void redis_close(struct redis *redis)
{
	if (redis == NULL)
		return;
	redis_drop(redis);
	buffer_release(&redis->bytes);
	free(redis->client_name);
	free(redis);
}

void redis_drop(struct redis *redis)
{
	if (redis->fd >= 0)
		(void)close(redis->fd);
	redis->fd = -1;
	if (redis->reader != NULL)
		redisReaderFree(redis->reader);
	redis->reader = NULL;
	redis_forget_scripts(redis);
}

/* --- The socket --- */

static int wait_ms(const struct redis *redis, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - now_ms(redis);
	return left_ms <= 0 ? 0 : (int)(left_ms < REDIS_MS_MAX ? left_ms : REDIS_MS_MAX);
}

/* Whether the connection that was begun has come about; else errno says why not. */
static bool finish_connect(const struct redis *redis, int fd, int64_t deadline_ms)
{
	int error = 0, count;
	socklen_t size = sizeof error;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	do
		count = poll(&ready, 1, wait_ms(redis, deadline_ms));
	while (count < 0 && errno == EINTR);
	if (count == 0) {
		errno = ETIMEDOUT;
		return false;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return false;
	errno = error;
	return error == 0;
}

/* One address. -1 with errno set when it fails. */
static int connect_address(
	const struct redis *redis, const struct addrinfo *address, int64_t deadline_ms)
{
	int on = 1, idle_s = KEEP_ALIVE_S, error;
	unsigned unanswered_ms = (unsigned)redis->call_ms_max;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 ||
		(errno == EINPROGRESS && finish_connect(redis, fd, deadline_ms)))
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

/* The addresses of the host in their order, until one answers. */
static enum status open_socket(struct redis *redis, int64_t deadline_ms)
{
	struct addrinfo *addresses = NULL;
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	int error = getaddrinfo(redis->url.host, redis->url.port, &hints, &addresses);
	if (error != 0) {
		redis_error_set(redis, REDIS_CONNECTION, "cannot resolve %s: %s", redis->url.host,
			gai_strerror(error));
		return STATUS_UNAVAILABLE;
	}
	for (const struct addrinfo *a = addresses; a != NULL && redis->fd < 0; a = a->ai_next)
		redis->fd = connect_address(redis, a, deadline_ms);
	if (redis->fd < 0)
		redis_error_set(redis, REDIS_CONNECTION, "cannot connect to %s:%s: %s",
			redis->url.host, redis->url.port, strerror(errno));
	freeaddrinfo(addresses);
	return redis->fd < 0 ? STATUS_UNAVAILABLE : STATUS_OK;
}

/* --- The greeting --- */

/* Encode what comes first on a connection, and return how many requests that are. The PING at its
 * end is refused while the server loads its data, which the others are not. */
static size_t encode_greeting(struct redis *redis)
{
	static const struct redis_command auth = {"AUTH", REDIS_READS},
					  select = {"SELECT", REDIS_READS},
					  name = {"CLIENT SETNAME", REDIS_READS},
					  ping = {"PING", REDIS_READS};
	const struct redis_argument secrets[] = {
		redis_text(redis->url.user), redis_text(redis->url.password)};
	const struct redis_argument database = redis_integer(redis->url.database);
	const struct redis_argument client = redis_text(redis->client_name);
	size_t skipped = redis->url.user[0] == '\0' ? 1 : 0, count = 2;
	buffer_reset(&redis->bytes);
	if (redis->url.password[0] != '\0') {
		redis_encode(redis,
			&(struct redis_request){.command = &auth,
				.arguments = secrets + skipped,
				.argument_count = 2 - skipped});
		count++;
	}
	if (redis->url.database != 0) {
		redis_encode(redis,
			&(struct redis_request){
				.command = &select, .arguments = &database, .argument_count = 1});
		count++;
	}
	redis_encode(redis,
		&(struct redis_request){
			.command = &name, .arguments = &client, .argument_count = 1});
	redis_encode(redis, &(struct redis_request){.command = &ping});
	return count;
}

/* A client that looks for a server that has gone may even get a connection to itself (TCP's
 * simultaneous open), and hear its own requests. */
static bool is_pong(const struct redis_reply *reply)
{
	return redis_reply_kind(reply) == REDIS_TEXT && slice_is(redis_get_slice(reply), "PONG");
}

/* Say who we are, and choose the database. The first error decides, also when it was the server's
 * last word. A server that does not let clients have names is none the worse for it. */
static enum status greet(struct redis *redis, int64_t deadline_ms)
{
	struct redis_reply *replies[GREETING_MAX] = {NULL};
	size_t count = encode_greeting(redis);
	struct redis_exchange exchange = {
		.bytes = buffer_slice(&redis->bytes), .replies = replies, .reply_count = count};
	if (redis->bytes.failed) {
		redis_error_set(redis, REDIS_CONNECTION, "out of memory");
		return STATUS_UNAVAILABLE;
	}
	enum status status =
		redis_exchange(redis, &exchange, deadline_ms) ? STATUS_OK : STATUS_UNAVAILABLE;
	for (size_t i = 0; i < exchange.replied_count; i++) {
		if (redis_reply_kind(replies[i]) != REDIS_ERROR ||
			(i + 2 == count && exchange.replied_count == count))
			continue;
		status = redis_error_take(redis, replies[i]);
		break;
	}
	if (status == STATUS_OK && !is_pong(replies[count - 1])) {
		redis_error_set(redis, REDIS_CONNECTION, "what answers there is not Redis");
		status = STATUS_UNAVAILABLE;
	}
	redis_replies_free(replies, count);
	return status;
}

/* One attempt. STATUS_REFUSED if another would not help. */
static enum status attempt(struct redis *redis, int64_t deadline_ms)
{
	enum status status = open_socket(redis, deadline_ms);
	if (status != STATUS_OK)
		return status;
	redis->reader = redisReaderCreate();
	if (redis->reader != NULL) {
		status = greet(redis, deadline_ms);
	} else {
		redis_error_set(redis, REDIS_CONNECTION, "out of memory");
		status = STATUS_UNAVAILABLE;
	}
	if (status == STATUS_OK && redis->fd < 0) /* It was dropped for what it said unasked. */
		status = STATUS_UNAVAILABLE;
	if (status != STATUS_OK) {
		redis->error.class = REDIS_CONNECTION;
		redis_drop(redis);
	}
	return status;
}

/* Wait a random part of a pause that doubles with each attempt, but not past the deadline. Spreads
 * those who would all come back at the same moment. */
static void pause_before(const struct redis *redis, int count, int64_t deadline_ms)
{
	uint16_t chance;
	int64_t ms = CONNECT_PAUSE_MS;
	for (; count > 1 && ms < CONNECT_PAUSE_MS_MAX; count--)
		ms *= 2;
	ms = ms < CONNECT_PAUSE_MS_MAX ? ms : CONNECT_PAUSE_MS_MAX;
	random_bytes(&chance, sizeof chance);
	ms = ms / 2 + ms * chance / UINT16_MAX / 2;
	int64_t left_ms = deadline_ms - now_ms(redis);
	ms = ms < left_ms ? ms : left_ms;
	if (ms > 0)
		(void)poll(NULL, 0, (int)ms);
}

/* How long nobody tries after a failed attempt: several times what it took, so that a server which
 * does not even refuse takes up only a small part of the caller's time. */
static int64_t quiet_ms(int64_t took_ms)
{
	int64_t ms = took_ms * QUIET_FACTOR;
	ms = ms > QUIET_MS_MIN ? ms : QUIET_MS_MIN;
	return ms < QUIET_MS_MAX ? ms : QUIET_MS_MAX;
}

/* For one attempt of who may wait. */
static int64_t patient_ms(const struct redis *redis)
{
	int64_t ms = redis->connect_ms_max / 3;
	return ms > ATTEMPT_MS_MIN ? ms : ATTEMPT_MS_MIN;
}

/* Attempts with pauses between them, until the deadline. */
static enum status connect_until(struct redis *redis, int64_t attempt_ms, int64_t deadline_ms)
{
	enum status status = STATUS_UNAVAILABLE;
	if (redis->malformed) {
		redis_error_set(redis, REDIS_CONNECTION, "the URL is malformed");
		return STATUS_REFUSED;
	}
	int64_t start_ms = now_ms(redis);
	if (start_ms < redis->retry_ms) {
		redis_error_set(redis, REDIS_CONNECTION, "nobody answered a moment ago");
		return STATUS_UNAVAILABLE;
	}
	for (int count = 0; status == STATUS_UNAVAILABLE && (count == 0 || !redis->fail_fast);
		count++) {
		if (count > 0)
			pause_before(redis, count, deadline_ms);
		if (count > 0 && now_ms(redis) >= deadline_ms)
			break; /* The error is that of the last attempt. */
		int64_t end_ms = now_ms(redis) + attempt_ms;
		status = attempt(redis, end_ms < deadline_ms ? end_ms : deadline_ms);
	}
	if (status != STATUS_OK && redis->fail_fast)
		redis->retry_ms = now_ms(redis) + quiet_ms(now_ms(redis) - start_ms);
	if (status == STATUS_OK)
		redis_error_clear(redis);
	else
		log_warning("redis.unreachable", LOG_TEXT("message", redis->error.message));
	return status;
}

/* Whether an idle connection still seems to have a server at its other end: it has nothing to say
 * to us now, so whatever can be read is its end, or a word that belongs to no request. */
static bool looks_alive(const struct redis *redis)
{
	struct pollfd ready = {.fd = redis->fd, .events = POLLIN};
	return redis->fd >= 0 && poll(&ready, 1, 0) == 0;
}

enum status redis_ready(struct redis *redis, int64_t deadline_ms)
{
	if (looks_alive(redis))
		return STATUS_OK;
	if (redis->fd >= 0)
		log_warning(
			"redis.lost", LOG_TEXT("message", "the server has closed the connection"));
	redis_drop(redis);
	int64_t connect_ms = now_ms(redis) + redis->connect_ms_max;
	int64_t attempt_ms = redis->fail_fast ? redis->attempt_ms_max : patient_ms(redis);
	enum status status = connect_until(
		redis, attempt_ms, connect_ms < deadline_ms ? connect_ms : deadline_ms);
	return status == STATUS_OK ? STATUS_OK : STATUS_UNAVAILABLE;
}

enum status redis_connect(struct redis *redis, struct fault *fault)
{
	if (looks_alive(redis))
		return STATUS_OK;
	redis_drop(redis);
	enum status status =
		connect_until(redis, patient_ms(redis), now_ms(redis) + redis->connect_ms_max);
	if (status != STATUS_OK)
		(void)fault_set(fault, "the connection to Redis", "%s", redis->error.message);
	return status;
}
