/* Redis, thin, typed and blocking: one connection per object, one thread per object.
 *
 *	static const struct redis_script join = {.name = "join", .source = lua_join};
 *
 *	struct redis_reply *reply;
 *	enum status status = redis_evaluate(redis, &join, 1,
 *		REDIS_ARGUMENTS(redis_slice(tail_key), redis_slice(person), redis_integer(limit)),
 *		&reply);
 *	if (status == STATUS_OK)
 *		place = redis_get_integer(redis_get_item(reply, 0));
 *	redis_reply_free(reply);
 *
 * DESIGN. Of hiredis (0.14 and later) only the parser of replies is used. The socket is our own,
 * because its blocking calls know a time-out per read and no deadline, tell nobody how much of a
 * request has left, and raise SIGPIPE. A call sends all its requests in one write and reads while
 * it writes. Past the deadline the connection is closed, since a late reply would otherwise be
 * taken for that of the next request. The next call connects again.
 *
 * What a call answers (lib/base/status.h):
 *   STATUS_OK           the server has answered;
 *   STATUS_UNAVAILABLE  nothing was applied: no connection, a lost one before a request that writes
 *                       was sent whole, or a server that cannot serve it now;
 *   STATUS_UNKNOWN      the connection was lost, or the deadline passed, after a request that
 *                       writes was sent whole. It may have been applied, and a server that hangs
 *                       may even apply it later;
 *   STATUS_REFUSED      the server has found fault with the command or the script, or the request
 *                       is too large and was not sent. A script that fails half-way keeps what it
 *                       has written: let it check first, and write last.
 * redis_error says more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
	REDIS_REQUESTS_MAX = 1024,         /* In one pipeline. */
	REDIS_ARGUMENTS_MAX = 1 << 20,     /* Of one request; what Redis accepts. */
	REDIS_SCRIPTS_MAX = 32,            /* Different ones on one object. */
	REDIS_REQUEST_SIZE_MAX = 64 << 20, /* All requests of one call, in bytes. */
	REDIS_REPLY_SIZE_DEFAULT = 64 << 20,
	REDIS_CONNECT_MS_DEFAULT = 10000,
	REDIS_CALL_MS_DEFAULT = 10000,
	REDIS_ATTEMPT_MS_DEFAULT = 1000,
	REDIS_MS_MIN = 10, /* Shorter deadlines would fail by chance. */
	REDIS_MS_MAX = 3600000,
};

struct redis;

/* Zero means the default, for each of them but the URL. Times lie between REDIS_MS_MIN and
 * REDIS_MS_MAX. The texts are copied. */
struct redis_options {
	const char *url;         /* As redis_check_url takes it. */
	const char *client_name; /* As CLIENT LIST shows it, without spaces. */
	struct clock *clock;     /* Whose monotonic time the deadlines are in. */
	int64_t connect_ms_max;  /* For connecting, all attempts together. */
	int64_t call_ms_max;     /* For one call; longer than a command blocks, as XREAD may. */
	size_t reply_size_max;   /* All replies of one call, in bytes; what is larger is lost. */
	bool fail_fast; /* For who must not wait for a server that is away: a call makes one attempt
			   to connect; when it fails, calls fail at once for a moment, so that also
			   a server which hangs takes up but a tenth of the caller's time. */
	int64_t attempt_ms_max; /* With fail_fast, for that attempt: beyond a second it may take up
				   more. redis_connect and others wait longer for each attempt. */
};

/* Whether this is redis://[user][:password@]host[:port][/database], with everything that is special
 * in a URL percent-encoded, an IPv6 address in brackets, port 6379 and database 0 unless given.
 * STATUS_REFUSED otherwise; the fault, which may be NULL, holds no part of the URL. */
__attribute__((warn_unused_result)) enum status redis_check_url(
	const char *url, struct fault *fault);

/* A new object that is not connected yet; any call connects it. NULL when memory is short. */
__attribute__((warn_unused_result)) struct redis *redis_open(const struct redis_options *options);

/* Connect now, trying again with growing pauses until connect_ms_max has passed: also while the
 * server still loads its data. STATUS_REFUSED: what a retry cannot mend (a malformed URL, a wrong
 * password, a database that does not exist). STATUS_UNAVAILABLE: nobody answered in time. Any other
 * call that finds no connection answers STATUS_UNAVAILABLE in both cases, since its own data are
 * not at fault. The fault's words never hold the password; `fault` may be NULL. Does nothing when
 * connected. Host names are resolved by the system's resolver, which knows no deadline: give an
 * address where that matters. */
__attribute__((warn_unused_result)) enum status redis_connect(
	struct redis *redis, struct fault *fault);

/* Disconnect and free. Accepts NULL. */
void redis_close(struct redis *redis);

/* Requests. */

enum redis_effect {
	REDIS_WRITES,
	REDIS_READS, /* Changes nothing, so that a lost answer is UNAVAILABLE and never UNKNOWN. */
};

/* The words of the command's name with single spaces: "SET", "XGROUP CREATE". */
struct redis_command {
	const char *name;
	enum redis_effect effect;
};

/* A script runs alone on the server, and by its own rules of replication also with TIME in it. Each
 * connection sends its source once and from then on the SHA1 of it; a server that has forgotten it
 * is sent the source again. The struct and its texts live as long as the object. */
struct redis_script {
	const char *name;   /* For logs. */
	const char *source; /* Lua 5.1, from a file by onsale_embed. */
	enum redis_effect effect;
};

/* One argument, made by the functions below. A slice is borrowed until the call returns, and may
 * hold any bytes. */
struct redis_argument {
	enum { REDIS_ARGUMENT_SLICE, REDIS_ARGUMENT_INTEGER } kind;
	union {
		struct slice slice;
		int64_t integer;
	} value;
};

/* How the arguments of one call are written: two arguments, the array and its count. */
#define REDIS_ARGUMENTS(...) \
	((const struct redis_argument[]){__VA_ARGS__}), \
		(sizeof((const struct redis_argument[]){__VA_ARGS__}) / \
			sizeof(struct redis_argument))
#define REDIS_NO_ARGUMENTS NULL, 0

static inline struct redis_argument redis_slice(struct slice value)
{
	return (struct redis_argument){.kind = REDIS_ARGUMENT_SLICE, .value = {.slice = value}};
}

static inline struct redis_argument redis_text(const char *value)
{
	return redis_slice(slice_of(value));
}

/* As decimal digits, which is what Redis and Lua take for a number. */
static inline struct redis_argument redis_integer(int64_t value)
{
	return (struct redis_argument){.kind = REDIS_ARGUMENT_INTEGER, .value = {.integer = value}};
}

/* Replies. */

struct redis_reply; /* A reply, or an item of one. */

enum redis_kind { REDIS_NIL, REDIS_INTEGER, REDIS_TEXT, REDIS_ARRAY, REDIS_ERROR };

/* Free a whole reply; slices and items taken from it end here. Accepts NULL. An item is never freed
 * by itself. */
void redis_reply_free(struct redis_reply *reply);

enum redis_kind redis_reply_kind(const struct redis_reply *reply);

/* Getters. The reply has the kind that the getter names, unless the getter says otherwise, and the
 * item exists: anything else is a bug. Who cannot know asks redis_reply_kind first. */
int64_t redis_get_integer(const struct redis_reply *reply);

/* REDIS_TEXT, with any bytes in it, or the words of a REDIS_ERROR, the first of which is its code;
 * REDIS_NIL gives a slice whose `data` is NULL. Borrowed from the reply, and followed by a zero
 * byte. */
struct slice redis_get_slice(const struct redis_reply *reply);

/* How many items a REDIS_ARRAY has; 0 for REDIS_NIL. */
size_t redis_get_count(const struct redis_reply *reply);

/* The item, counted from 0. Borrowed from the reply. Never NULL. */
const struct redis_reply *redis_get_item(const struct redis_reply *reply, size_t index);

/* What a reply of a pipeline says of its own request: STATUS_OK, or by the code of a REDIS_ERROR
 * STATUS_UNAVAILABLE or STATUS_REFUSED. */
__attribute__((warn_unused_result)) enum status redis_reply_status(const struct redis_reply *reply);

/* Calls. */

/* Run one command. After STATUS_OK *reply is no REDIS_ERROR and belongs to the caller; otherwise it
 * is NULL. `reply` may be NULL when nobody wants it. */
__attribute__((warn_unused_result)) enum status redis_execute(struct redis *redis,
	const struct redis_command *command, const struct redis_argument arguments[],
	size_t argument_count, struct redis_reply **reply);

/* Run a script: of the arguments, the first `key_count` are its KEYS and the others its ARGV. The
 * rest is as with redis_execute. An error that the script returns (redis.error_reply) is
 * STATUS_REFUSED unless its code is one of REDIS_BUSY or REDIS_ELSEWHERE; so a script does not
 * return such a code when it has written anything. */
__attribute__((warn_unused_result)) enum status redis_evaluate(struct redis *redis,
	const struct redis_script *script, size_t key_count,
	const struct redis_argument arguments[], size_t argument_count, struct redis_reply **reply);

/* A command or a script; the other is NULL. */
struct redis_request {
	const struct redis_command *command;
	const struct redis_script *script;
	size_t key_count; /* Of a script. */
	const struct redis_argument *arguments;
	size_t argument_count;
};

/* Send `count` requests, 1 to REDIS_REQUESTS_MAX, in one write. Redis applies them in order, but
 * other clients' may come between. STATUS_OK: each has its reply, which belongs to the caller and
 * may be a REDIS_ERROR while its neighbours' are none. Otherwise all replies are NULL, and the
 * status holds for all: UNKNOWN means that any part of them may have been applied. A script that
 * the server has been made to forget (SCRIPT FLUSH) is applied after its neighbours. */
__attribute__((warn_unused_result)) enum status redis_pipeline(struct redis *redis,
	const struct redis_request requests[], size_t count, struct redis_reply *replies[]);

/* Errors. */

/* By the first word of the error reply. */
enum redis_class {
	REDIS_NO_ERROR,
	REDIS_CONNECTION, /* A lost socket, our deadline, a reply too large or none at all:
			   * UNAVAILABLE or UNKNOWN. */
	REDIS_BUSY,       /* LOADING, BUSY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, MISCONF, OOM,
			   * NOREPLICAS, READONLY, too many clients: UNAVAILABLE. */
	REDIS_ELSEWHERE,  /* MOVED, ASK: another node has the key. UNAVAILABLE. */
	REDIS_DENIED,     /* NOAUTH, WRONGPASS, NOPERM, DENIED: REFUSED. */
	REDIS_BUG,        /* ERR, WRONGTYPE, CROSSSLOT, EXECABORT, or found here before sending:
			   * REFUSED. Logged, since nobody else understands it. */
	REDIS_DATA,       /* Any other, such as BUSYGROUP or a script's own: REFUSED. */
};

struct redis_error {
	enum redis_class class;
	char code[32];     /* The first word; empty when the server said nothing. */
	char message[240]; /* The whole line, for logs and not for answers. */
};

/* What became of the last call on this object; valid until the next. Never NULL. After a pipeline
 * it says nothing of single replies. */
const struct redis_error *redis_error(const struct redis *redis);

/* Whether the last call failed with an error reply of this code. */
bool redis_failed_with(const struct redis *redis, const char *code);

/* Keys. */

enum { REDIS_SLOTS = 16384, REDIS_KEY_SIZE_MAX = 256 };

/* "prefix:{eventId}:name", zero-terminated in the caller's memory. The braces make Redis Cluster
 * keep all keys of an event in one slot, so that a script may use them together. The event id has
 * no braces, and prefix and name neither; that all fits is the caller's business (an assert). */
struct slice redis_key(
	char key[REDIS_KEY_SIZE_MAX], const char *prefix, struct slice event_id, const char *name);

/* The slot of a key: CRC16 of the key, or of what is between the first '{' and the next '}' unless
 * that is empty, modulo REDIS_SLOTS (Redis Cluster specification, "Key distribution model"). */
unsigned redis_slot(struct slice key);
