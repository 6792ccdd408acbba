/* One write and its replies, under a deadline. */
#include "lib/redis/redis_internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/base/log.h"

enum { RECEIVE_SIZE = 64 * 1024 };

/* An exchange on its way. */
struct progress {
	struct redis *redis;
	struct redis_exchange *exchange;
	size_t received_size;
	bool deaf; /* The other side takes nothing more; what it has said may still be there. */
};

static void lose(struct redis *redis, const char *why)
{
	redis_error_set(redis, REDIS_CONNECTION, "%s", why);
	log_warning("redis.lost", LOG_TEXT("message", redis->error.message));
	redis_drop(redis);
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void send_some(struct progress *progress)
{
	struct redis_exchange *exchange = progress->exchange;
	ssize_t size = send(progress->redis->fd, exchange->bytes.data + exchange->sent_size,
		exchange->bytes.size - exchange->sent_size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (size >= 0)
		exchange->sent_size += (size_t)size;
	else
		progress->deaf = !is_passing(errno);
}

/* Read what is there. NULL, or why the connection is lost. */
static const char *receive_some(struct progress *progress)
{
	char bytes[RECEIVE_SIZE];
	struct redis *redis = progress->redis;
	ssize_t size = recv(redis->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (size < 0)
		return is_passing(errno) ? NULL : "the connection was lost";
	if (size == 0)
		return "the server has closed the connection";
	progress->received_size += (size_t)size;
	if (progress->received_size > redis->reply_size_max)
		return "the reply is too large";
	if (redisReaderFeed(redis->reader, bytes, (size_t)size) != REDIS_OK)
		return "the reply cannot be read";
	return NULL;
}

/* Take the replies that have come whole. NULL, or why the connection is lost. */
static const char *take_replies(struct progress *progress)
{
	struct redis_exchange *exchange = progress->exchange;
	while (exchange->replied_count < exchange->reply_count) {
		void *reply = NULL;
		if (redisReaderGetReply(progress->redis->reader, &reply) != REDIS_OK)
			return "the reply is not one of Redis";
		if (reply == NULL)
			return NULL;
		exchange->replies[exchange->replied_count++] = reply;
	}
	return NULL;
}

/* Wait for the socket, then send and receive what it lets us. NULL, or why the connection is lost.
 */
static const char *step(struct progress *progress, int64_t deadline_ms)
{
	struct redis *redis = progress->redis;
	struct redis_exchange *exchange = progress->exchange;
	bool sending = exchange->sent_size < exchange->bytes.size && !progress->deaf;
	struct pollfd ready = {
		.fd = redis->fd, .events = (short)(sending ? POLLIN | POLLOUT : POLLIN)};
	int64_t left_ms = deadline_ms - clock_monotonic_ms(redis->clock);
	const char *trouble = NULL;
	if (left_ms <= 0)
		return "the deadline has passed";
	if (poll(&ready, 1, (int)(left_ms < REDIS_MS_MAX ? left_ms : REDIS_MS_MAX)) <= 0)
		return NULL;
	if (sending && (ready.revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
		send_some(progress);
	if ((ready.revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
		trouble = receive_some(progress);
		/* What was received before the end may still complete the last reply. */
		const char *malformed = take_replies(progress);
		trouble = trouble != NULL ? trouble : malformed;
	}
	return trouble;
}

bool redis_exchange(struct redis *redis, struct redis_exchange *exchange, int64_t deadline_ms)
{
	struct progress progress = {.redis = redis, .exchange = exchange};
	const char *trouble = NULL;
	exchange->sent_size = 0;
	exchange->replied_count = 0;
	/* Most requests fit into the socket's buffer, which saves a poll. */
	send_some(&progress);
	while (trouble == NULL && exchange->replied_count < exchange->reply_count)
		trouble = step(&progress, deadline_ms);
	if (exchange->replied_count < exchange->reply_count) {
		lose(redis, trouble);
		return false;
	}
	/* What nobody has asked for would be taken for the answer to the next request. */
	if (redis->reader->pos != redis->reader->len)
		redis_drop(redis);
	return true;
}
