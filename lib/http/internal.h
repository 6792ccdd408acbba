/* What the files of lib/http share and nobody else sees.
 *
 * Who owns what: a loop owns its connections and their exchanges. While a worker or a deferring
 * handler has an exchange, the loop keeps its hands off everything in it but `abandoned`. */
#pragma once

#include <assert.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <time.h>

#include "lib/base/buffer.h"
#include "lib/base/clock.h"
#include "lib/batch/lane.h"
#include "lib/http/routes.h"
#include "lib/http/server.h"

enum {
	HTTP_REFUSAL_CONNECTIONS = 128, /* Taken beyond the limit, only to answer 503. */
	HTTP_QUERY_PARAMETERS_MAX = 16,
	HTTP_EXCHANGE_BYTES_MAX = 64 << 20, /* Of arena memory for one request. */
	HTTP_DRAIN_BYTES_MAX = 1 << 20,     /* Of a body that is refused, read all the same. */
	HTTP_POOL_EXCHANGES_MAX = 1024,     /* Kept for reuse by each loop. */
	HTTP_REQUEST_ID_SIZE = 33,
	HTTP_GONE_TOLD_MAX = 1024, /* At a pool's size each, more than a socket's buffer holds. */
};

enum http_owner { HTTP_OWNED_BY_LOOP, HTTP_OWNED_BY_WORKER, HTTP_OWNED_BY_HANDLER };

/* What a connection is doing. Each phase has one time-out, so each phase's list of connections is
 * in the order of their deadlines and only its head need be looked at. */
enum http_phase {
	HTTP_PHASE_HEAD,
	HTTP_PHASE_BODY,
	HTTP_PHASE_HANDLING, /* No deadline here: the request's own is checked by whoever has it. */
	HTTP_PHASE_REPLY,
	HTTP_PHASE_IDLE,
	HTTP_PHASE_STREAM_WAITING, /* Its deadline is that of the next keep-alive. */
	HTTP_PHASE_STREAM_SENDING,
	HTTP_PHASE_COUNT,
};

struct http_notice;
struct http_prepared;
struct http_stream;
struct http_channel;

struct http_connection {
	struct http_loop *loop;
	struct MHD_Connection *mhd;
	struct http_exchange *exchange; /* The request in progress; NULL between requests. */
	struct http_connection *previous, *next; /* In the list of its phase. */
	int64_t deadline_ms;
	enum http_phase phase;
	int fd;
	bool refused; /* Taken beyond the limit. */
	bool gone;    /* The client has closed its side. */
	unsigned gone_told;
	bool cut; /* Shut down by us; MHD will notice. */
};

struct http_pair {
	struct slice name, value;
};

struct http_reply_head {
	const char *name;
	const char *value;
};

struct http_exchange {
	struct http_server *server;
	struct http_loop *loop;
	struct http_connection *connection;
	struct http_exchange *next; /* Among a loop's completions, or in its pool. */
	struct lane_item item;      /* In the workers' queue. */
	struct arena arena;

	/* The request. */
	enum http_method method;
	bool head_only;
	struct slice target; /* As it came. */
	struct slice path;
	struct slice parameters[HTTP_PARAMETERS_MAX]; /* Decoded. */
	struct http_pair *query; /* In the arena; NULL where the target has none. */
	size_t query_count;
	const struct http_route *route; /* NULL where none matched. */
	const char *method_text;
	struct slice traceparent; /* As it came; empty when it did not. */
	char request_id[HTTP_REQUEST_ID_SIZE];
	int64_t received_ns;
	int64_t deadline_ms;

	/* Its body. */
	struct buffer body;
	size_t body_bytes; /* Received, also those that were thrown away. */
	json_t *json;

	/* Where it is. */
	enum http_owner owner;
	atomic_bool abandoned;
	bool head_seen;
	bool deferred;
	bool queued_reply;
	size_t worker;

	/* The reply. */
	unsigned status;
	const char *content_type;
	struct slice reply;
	json_t *reply_json_owned;
	char *reply_text_owned;
	struct http_reply_head *heads; /* In the arena; NULL before the first. */
	size_t head_count;
	bool close;                     /* Close the connection after this reply. */
	bool nothing;                   /* Close it instead of a reply. */
	struct http_prepared *prepared; /* Whose bytes the reply borrows. */
	struct http_stream *stream;     /* The reply is a stream of events. */
	uint64_t stream_bytes;
};

struct http_connection_list {
	struct http_connection *first, *last;
};

/* What the requests of a round have for one lane. */
struct http_outbox {
	struct lane *lane;
	void (*refuse)(struct lane_item *item);
	struct lane_item *first, *last;
	size_t count;
};

enum {
	HTTP_OUTBOXES = 4,          /* Lanes that a round writes to; one more is served at once. */
	HTTP_OUTBOX_ITEMS_MAX = 64, /* So that the lane does not idle while a long round goes on. */
};

enum http_flush { HTTP_FLUSH_WHEN_DUE, HTTP_FLUSH_NOW };

struct http_access_log {
	int fd; /* 0: none. */
	bool is_file;
	struct buffer lines;
	int64_t time_ms; /* What `time` says; formatted once per millisecond. */
	char time[TIME_TEXT_SIZE];
	int64_t flushed_ms;
	uint64_t dropped;
};

struct http_loop {
	struct http_server *server;
	struct MHD_Daemon *mhd;
	pthread_t thread;
	size_t index;
	int epoll_fd;
	int wake_fd;
	int spare_fd; /* Given up to accept and refuse one when descriptors run out. Loop 0 only. */
	int64_t accept_again_ms; /* When the listening socket is looked at again; 0: it is now. */
	bool started;
	int64_t now_ms; /* Monotonic, taken once per round. */
	uint64_t request_count;
	struct http_connection_list phases[HTTP_PHASE_COUNT];
	struct http_exchange *pool;
	size_t pool_size;
	struct http_access_log log;
	struct http_outbox outboxes[HTTP_OUTBOXES]; /* Empty between rounds. */
	bool adopting_refused; /* What the connection that MHD is just taking over is to be. */
	atomic_size_t connection_count;

	/* The mailbox: what other threads hand over, under its mutex. */
	pthread_mutex_t mutex;
	struct http_exchange *completed_first, *completed_last;
	struct http_notice *notice_first, *notice_last;
	int *adopted_fds;
	size_t adopted_count, adopted_capacity;

	atomic_bool stopping;
	int64_t stopped_ms; /* When the loop first saw that it is to stop; 0 before. */
};

struct http_metrics;

struct http_server {
	struct http_server_options options;
	struct http_routes *routes;
	struct lane *workers; /* NULL: no route needs them. */
	struct http_metrics *metrics;
	struct http_loop *loops;
	int listen_fd;
	uint16_t port;
	char id_prefix[17];
	char *tls_certificate, *tls_key; /* What the files hold; NULL: no TLS. */
	atomic_bool draining;
	pthread_mutex_t mutex; /* Of the list of channels. */
	struct http_channel *channels;
};

/* request.c: fill in path, route, parameters and query from the target; false: a reply was made. */
bool http_request_parse(struct http_exchange *exchange);

/* reply.c: hand the finished reply to MHD. Returns what MHD's handler must return. */
enum MHD_Result http_reply_send(struct http_exchange *exchange);

/* Whether the headers, as far as MHD shows them, leave no doubt where the body ends. If not, a
 * reply was made. `length` becomes the declared length, or −1 when the body is chunked. */
bool http_request_check_framing(struct http_exchange *exchange, int64_t *length);

/* connection.c: the callbacks that MHD is started with, and the deadlines. */
void *http_connection_on_target(void *context, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_connection_on_request(void *context, struct MHD_Connection *mhd,
	const char *url, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **exchange);
void http_connection_on_request_end(void *context, struct MHD_Connection *mhd, void **exchange,
	enum MHD_RequestTerminationCode code);
void http_connection_on_change(void *context, struct MHD_Connection *mhd, void **connection,
	enum MHD_ConnectionNotificationCode code);

/* Move a connection to a phase, which starts that phase's time-out. */
void http_connection_enter(struct http_connection *connection, enum http_phase phase);

/* Cut off whoever is past the deadline. Returns the ms until the next one, −1 when none is set. */
int64_t http_connections_expire(struct http_loop *loop);

/* The client has closed its side, or the connection is broken. */
void http_connection_gone(struct http_connection *connection);

/* End an idle or unfinished connection: MHD sees the end of its socket. */
void http_connection_cut(struct http_connection *connection);

/* loop.c: wake the loop with a chain of exchanges that are done, all of them its own. Any thread.
 */
void http_loop_complete(
	struct http_loop *loop, struct http_exchange *first, struct http_exchange *last);

/* handover.c: submit what this round's requests have for the lanes. The loop's thread. */
void http_loop_hand_over(struct http_loop *loop);

/* exchange.c */
struct http_exchange *http_exchange_new(struct http_loop *loop);
void http_exchange_free(struct http_exchange *exchange);
/* Log and count it; when its reply has been sent, or when its stream begins. */
void http_exchange_account(const struct http_exchange *exchange);

/* server_metrics.c */
struct http_metrics *http_metrics_new(const struct http_server_options *options);
void http_metrics_free(struct http_metrics *metrics);
/* Count an exchange whose reply was queued. */
void http_metrics_record(const struct http_exchange *exchange);
void http_metrics_connections(const struct http_server *server, int64_t difference);
void http_metrics_streams(const struct http_server *server, int64_t difference);

/* As HTTP writes it. */
const char *http_method_name(enum http_method method);

/* access_log.c */
void http_access_log_open(struct http_access_log *log, int fd);
void http_access_log_add(struct http_access_log *log, const struct http_exchange *exchange);
/* Write out when it is time. Returns the ms until it should be called again, −1 when empty. */
int64_t http_access_log_flush(struct http_access_log *log, int64_t now_ms, enum http_flush flush);
void http_access_log_close(struct http_access_log *log);

static inline int64_t http_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
