/* Threads for handlers that block: a lane whose batches are single exchanges.
 *
 * Deadline and departure are looked at when an exchange is taken out, not when it was put in: what
 * waited too long is answered 503 and nothing of it is applied. */
#include "lib/http/workers.h"
#include "lib/http/representation.h"

static struct http_exchange *exchange_of(struct lane_item *item)
{
	return (struct http_exchange *)((char *)item - offsetof(struct http_exchange, item));
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct http_exchange *exchange = exchange_of(items[i]);
		exchange->worker = thread;
		if (atomic_load(&exchange->abandoned)) {
			http_reply_problem(exchange, &http_problem_unavailable,
				"The client has gone; nothing was done.");
		} else {
			exchange->route->handle(exchange);
			http_reply_compress(exchange);
		}
		http_loop_complete(exchange->loop, exchange, exchange);
	}
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct http_exchange *exchange = exchange_of(items[i]);
		http_reply_problem(exchange, &http_problem_unavailable,
			"The request waited too long for its turn; nothing was done.");
		http_loop_complete(exchange->loop, exchange, exchange);
	}
}

enum status http_workers_open(const struct http_server_options *options, struct lane **workers)
{
	static const struct lane_ops ops = {.apply = apply, .late = late};
	return lane_open(
		&(struct lane_options){
			.name = HTTP_WORKERS_NAME,
			.ops = &ops,
			.queue_max = options->worker_queue_max,
			.batch_max = 1,
			.thread_count = options->worker_count,
			.metrics = options->metrics,
		},
		workers);
}

enum status http_workers_submit(struct lane *workers, struct http_exchange *exchange)
{
	exchange->item.deadline_ms = exchange->deadline_ms;
	return lane_submit(workers, &exchange->item);
}
