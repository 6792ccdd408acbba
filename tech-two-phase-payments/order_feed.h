/* Streams of orders (Server-Sent Events): who follows an order is told its state, and each change.
 * Where the orders are kept is the front's, who gives the statement that reads them.
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
 * and one of the type "error" for an order that there is not or that is another's (404), or when
 * more orders are followed than may be (503). A stream ends after the event that ends the order's
 *story (paid, canceled, expired or refunded) and after an error. Who comes back is told the state
 *again, so it resumes wherever it was cut off.
 *
 * OWNERS. A stream's key in the channel is the order's key together with the person for whom it was
 * begun, and what is sent goes to the key with the order's owner. So whoever is somebody else has a
 * key to which nothing of the order is ever sent. */
#pragma once

#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/http/stream.h"
#include "lib/metrics/metrics.h"
#include "tech-two-phase-payments/order_payments.h"

enum {
	ORDER_KEY_SIZE_MAX = 73, /* Of an order's key: two UUIDs and what separates them. No spaces.
				  */
	ORDER_PERSON_SIZE_MAX = 54,       /* Of a person who follows. */
	ORDER_FEED_EVENT_SIZE_MAX = 4096, /* The URL of a next action is the most of it. */
	ORDER_FEED_FOLLOWED_MAX = 16384,  /* Orders that are followed through one process. */
	ORDER_FEED_QUEUE_MAX = 8192,      /* Notices that wait for the lane. */
	ORDER_FEED_POLL_MS = 250,
};

_Static_assert(
	(int)ORDER_KEY_SIZE_MAX + 1 + (int)ORDER_PERSON_SIZE_MAX <= (int)HTTP_STREAM_KEY_SIZE_MAX,
	"an order, a space and a person are a stream's key");

struct order_feed;

/* Zero means the default, which stands above. */
struct order_feed_options {
	const char *database_url;
	const char *database_settings; /* Of its session; NULL: none. See postgres.h. */
	int64_t database_ms;           /* For one call to it. */
	/* $1 keys of orders text[]. Gives a row for each that there is: key text, version bigint,
	 * event text, whether the story is over boolean, the owner text (NULL: it has none). */
	const char *read_events;
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

/* Reply to GET …/stream for this order; on the loop. `person` is whoever asks, `data` NULL: nobody
 * in particular. Only the owner is told of an order that has one, and only nobody in particular of
 * one that has none. 503 when the lane has too much to do, since a stream that it does not know of
 * might wait for long. Longer texts than the above are a bug. */
void order_feed_follow(struct order_feed *feed, struct http_exchange *exchange, struct slice order,
	struct slice person);

/* The order has come to this version, by a commit of this process, and its story goes on. `event`
 * is copied. A hint: where there is no room it is found by reading. Any thread. */
void order_feed_changed(
	struct order_feed *feed, struct slice order, int64_t version, struct slice event);

/* The order may have come to the end of its story, by a commit of this process: the feed reads it,
 * and tells. After what order_feed_changed has said of it before. Likewise a hint. Any thread. */
void order_feed_ended(struct order_feed *feed, struct slice order);

/* One of the two, as the change that the stages of the payment have made demands; with the event
 * that stands above. Any thread. */
void order_feed_tell(struct order_feed *feed, const struct order_change *change);
