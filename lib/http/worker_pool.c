/* Threads for handlers that block, behind one bounded queue.
 *
 * A worker checks the deadline and whether the client is still there when it takes an exchange out,
 * not when it was put in: what waited too long is answered 503 and nothing of it is applied. */
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/http/internal.h"
#include "lib/http/representation.h"

struct worker {
	struct http_worker_pool *pool;
	pthread_t thread;
	size_t index;
};

struct http_worker_pool {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct http_exchange *first, *last;
	size_t queued, queue_max;
	bool closing;
	size_t count;
	struct worker *workers;
};

static void *worker_run(void *context);

enum status http_worker_pool_open(size_t count, size_t queue_max, struct http_worker_pool **result)
{
	struct http_worker_pool *pool = calloc(1, sizeof *pool);
	struct worker *workers = calloc(count, sizeof *workers);
	if (!pool || !workers) {
		free(pool);
		free(workers);
		return STATUS_UNAVAILABLE;
	}
	pool->workers = workers;
	pool->queue_max = queue_max;
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->changed, NULL);
	for (; pool->count < count; pool->count++) {
		struct worker *worker = &workers[pool->count];
		*worker = (struct worker){.pool = pool, .index = pool->count};
		if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0) {
			http_worker_pool_close(pool);
			return STATUS_UNAVAILABLE;
		}
	}
	*result = pool;
	return STATUS_OK;
}

enum status http_worker_pool_submit(struct http_worker_pool *pool, struct http_exchange *exchange)
{
	enum status status = STATUS_UNAVAILABLE;
	pthread_mutex_lock(&pool->mutex);
	if (pool->queued < pool->queue_max && !pool->closing) {
		exchange->next = NULL;
		if (pool->last)
			pool->last->next = exchange;
		else
			pool->first = exchange;
		pool->last = exchange;
		pool->queued++;
		status = STATUS_OK;
		pthread_cond_signal(&pool->changed);
	}
	pthread_mutex_unlock(&pool->mutex);
	return status;
}

void http_worker_pool_close(struct http_worker_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->mutex);
	pool->closing = true;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->mutex);
	for (size_t i = 0; i < pool->count; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->workers);
	free(pool);
}

/* The next exchange, or NULL when the pool is closing and its queue is empty. */
static struct http_exchange *pool_take(struct http_worker_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	while (!pool->first && !pool->closing)
		pthread_cond_wait(&pool->changed, &pool->mutex);
	struct http_exchange *exchange = pool->first;
	if (exchange) {
		pool->first = exchange->next;
		if (!pool->first)
			pool->last = NULL;
		pool->queued--;
	}
	pthread_mutex_unlock(&pool->mutex);
	return exchange;
}

static void *worker_run(void *context)
{
	struct worker *worker = context;
	struct http_exchange *exchange;
	while ((exchange = pool_take(worker->pool))) {
		exchange->worker = worker->index;
		if (atomic_load(&exchange->abandoned))
			http_reply_problem(exchange, &http_problem_unavailable,
				"The client has gone; nothing was done.");
		else if (http_now_ns() / 1000000 > exchange->deadline_ms)
			http_reply_problem(exchange, &http_problem_unavailable,
				"The request waited too long for its turn; nothing was done.");
		else
			exchange->route->handle(exchange);
		http_reply_compress(exchange);
		http_loop_complete(exchange->loop, exchange);
	}
	return NULL;
}
