/* What the files of lib/redis share; nobody else includes it. */
#pragma once

#include <hiredis/hiredis.h>

#include "lib/base/buffer.h"
#include "lib/redis/redis.h"

enum {
	REDIS_HOST_SIZE_MAX = 255,
	REDIS_SECRET_SIZE_MAX = 511, /* User name and password, each. */
	REDIS_DATABASE_MAX = 1 << 20,
	REDIS_SHA1_SIZE = 41, /* In hexadecimal, with its zero byte. */
};

struct redis_url {
	char host[REDIS_HOST_SIZE_MAX + 1];
	char port[6];
	char user[REDIS_SECRET_SIZE_MAX + 1];     /* Empty: the default user. */
	char password[REDIS_SECRET_SIZE_MAX + 1]; /* Empty: none. */
	int64_t database;
};

/* A script as one object knows it. */
struct redis_known_script {
	const struct redis_script *script;
	char sha1[REDIS_SHA1_SIZE];
	bool sent; /* On this connection. */
};

struct redis {
	int fd; /* -1 while there is no connection. */
	redisReader *reader;
	struct redis_url url;
	bool malformed; /* The URL is. */
	char *client_name;
	struct clock *clock;
	int64_t connect_ms_max;
	bool fail_fast;
	int64_t attempt_ms_max; /* With fail_fast, for one attempt to connect. */
	int64_t retry_ms;       /* With fail_fast: no attempt to connect before. */
	int64_t call_ms_max;
	size_t reply_size_max;
	struct redis_error error;
	struct buffer bytes; /* Where the requests of one call are encoded. */
	struct redis_known_script scripts[REDIS_SCRIPTS_MAX];
	size_t script_count;
};

/* One write and its replies. */
struct redis_exchange {
	struct slice bytes;
	struct redis_reply **replies; /* Room for reply_count; those that came are filled in. */
	size_t reply_count;
	size_t replied_count; /* Out: how many came. */
	size_t sent_size;     /* Out: how many bytes the system has taken. */
};

/* redis_url.c: STATUS_REFUSED with the fault filled in for anything but a URL of ours. */
enum status redis_url_parse(const char *text, struct redis_url *url, struct fault *fault);

/* redis_request.c */

/* Add one request to redis->bytes. A script is added by its SHA1 if this connection has sent its
 * source, and counts as sent from then on. */
void redis_encode(struct redis *redis, const struct redis_request *request);

/* Have the script sent as source again. */
void redis_forget_script(struct redis *redis, const struct redis_script *script);

/* None is known to the server any more. */
void redis_forget_scripts(struct redis *redis);

/* redis_connection.c */

/* The moment in monotonic milliseconds at which a call that begins now must be over. */
int64_t redis_deadline(const struct redis *redis);

/* Have a connection that looks alive, connecting if there is none. STATUS_UNAVAILABLE with
 * redis->error set otherwise. */
enum status redis_ready(struct redis *redis, int64_t deadline_ms);

/* Close the connection. */
void redis_drop(struct redis *redis);

/* redis_exchange.c: send, and collect all replies. False when the connection was lost or the
 * deadline has passed; the connection is closed then, and redis->error set. The replies that came
 * are the caller's in both cases. */
bool redis_exchange(struct redis *redis, struct redis_exchange *exchange, int64_t deadline_ms);

/* Free them and set them to NULL. */
void redis_replies_free(struct redis_reply *replies[], size_t count);

/* redis_error.c */
void redis_error_clear(struct redis *redis);

/* Set an error of our own making. */
__attribute__((format(printf, 3, 4))) void redis_error_set(
	struct redis *redis, enum redis_class class, const char *format, ...);

/* Set the error that a REDIS_ERROR carries, and return its status. */
enum status redis_error_take(struct redis *redis, const struct redis_reply *reply);

/* The class of an error reply's words. */
enum redis_class redis_classify(struct slice words);
