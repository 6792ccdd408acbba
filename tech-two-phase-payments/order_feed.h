/* Streams of orders (Server-Sent Events): who follows an order is told its state, and each change.
 *
 * DESIGN. One lane is the only one that sends, so that what a stream is told is in order and comes
 * once: it remembers the last version that it told of each order that is followed, and older ones
 * are dropped. It hears of changes from this process's own threads at once (order_feed_changed);
 * those that another process has made it finds by reading the followed orders, some times a second,
 * and then only the last of several. When nobody follows, it does nothing.
 *
 * When a stream begins, the lane reads the order's state and sends it, so that nothing is missed
 * between the two. It is sent to all streams of the order, so those that were there before are told
 * the state once more. Events are of the type "order":
 *	{"orderId", "status", "version", "reason"?, "nextActionUrl"?}
 * and one of the type "error" for an order that there is not (404), or when more orders are
 * followed than may be (503). A stream ends after the event that ends the order's story (paid,
 * canceled, expired or refunded) and after an error. Who comes back is told the state again, so it
 * resumes wherever it was cut off. */
#pragma once

#include "lib/base/id.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/http/stream.h"
#include "lib/metrics/metrics.h"

enum {
	ORDER_FEED_EVENT_SIZE_MAX = 4096, /* The URL of a next action is the most of it. */
	ORDER_FEED_FOLLOWED_MAX = 16384,  /* Orders that are followed through one process. */
	ORDER_FEED_QUEUE_MAX = 8192,      /* Notices that wait for the lane. */
	ORDER_FEED_POLL_MS = 250,
};

struct order_feed;

/* Zero means the default, which stands above. */
struct order_feed_options {
	const char *database_url;
	int64_t database_ms; /* For one call to it. */
	struct http_channel *channel;
	struct metrics *metrics;        /* NULL: none. */
	size_t followed_max, queue_max; /* Up to the defaults. */
	int64_t poll_ms;
};

/* Opens its lane and its connection. UNAVAILABLE when memory or threads are short. */
__attribute__((warn_unused_result)) enum status order_feed_open(
	const struct order_feed_options *options, struct order_feed **feed);

/* Tell no more, and touch the channel no more but in order_feed_changed. The loops may still ask
 * for the feed, so: stop the feed, close the server, close the feed. */
void order_feed_stop(struct order_feed *feed);

/* Free it. NULL is allowed. */
void order_feed_close(struct order_feed *feed);

/* Metrics, before metrics_freeze(). */
void order_feed_register_metrics(struct metrics *metrics);

/* Reply to GET …/stream for this order; on the loop. 503 when the lane has too much to do, since
 * a stream that it does not know of might wait for long. */
void order_feed_follow(struct order_feed *feed, struct http_exchange *exchange, struct id order_id);

/* The order has come to this version, by a commit of this process, and its story goes on. `event`
 * is copied. A hint: where there is no room it is found by reading. Any thread. */
void order_feed_changed(
	struct order_feed *feed, struct id order_id, int64_t version, struct slice event);

/* The order may have come to the end of its story, by a commit of this process: the feed reads it,
 * and tells. After what order_feed_changed has said of it before. Likewise a hint. Any thread. */
void order_feed_ended(struct order_feed *feed, struct id order_id);
