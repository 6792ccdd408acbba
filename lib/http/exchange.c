/* The life of an exchange: made when a request's first line has come, freed when its reply has been
 * sent or its connection has ended; and its way to another thread and back. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/http/internal.h"
#include "lib/http/representation.h"

/* A process-wide random prefix, the loop and a counter: unique without asking the kernel for
 * randomness at each request. It is a name, not a secret. */
static void exchange_name(struct http_exchange *exchange)
{
	static const char digits[] = "0123456789abcdef";
	struct http_loop *loop = exchange->loop;
	char *to = exchange->request_id;
	memcpy(to, loop->server->id_prefix, 16);
	uint64_t number = loop->request_count++ << 8 | (loop->index & 0xff);
	for (size_t i = 0; i < 16; i++)
		to[16 + i] = digits[number >> (60 - 4 * i) & 0xf];
	to[32] = '\0';
}

struct http_exchange *http_exchange_new(struct http_loop *loop)
{
	struct http_exchange *exchange = loop->pool;
	if (exchange) {
		loop->pool = exchange->next;
		loop->pool_size--;
		struct arena arena = exchange->arena;
		struct buffer body = exchange->body;
		memset(exchange, 0, sizeof *exchange);
		exchange->arena = arena;
		exchange->body = body;
		exchange->body.size_max = 0;
	} else {
		exchange = calloc(1, sizeof *exchange);
		if (!exchange)
			return NULL;
		arena_init(&exchange->arena, HTTP_EXCHANGE_BYTES_MAX);
		buffer_init(&exchange->body, 0);
	}
	exchange->server = loop->server;
	exchange->loop = loop;
	exchange->received_ns = http_now_ns();
	atomic_init(&exchange->abandoned, false);
	exchange_name(exchange);
	return exchange;
}

void http_exchange_free(struct http_exchange *exchange)
{
	struct http_loop *loop = exchange->loop;
	json_decref(exchange->json);
	json_decref(exchange->reply_json_owned);
	free(exchange->reply_text_owned);
	http_prepared_release(exchange->prepared);
	enum { BODY_KEPT_MAX = 64 << 10 };
	if (exchange->body.capacity > BODY_KEPT_MAX)
		buffer_release(&exchange->body);
	else
		buffer_reset(&exchange->body);
	if (loop->pool_size == HTTP_POOL_EXCHANGES_MAX) {
		buffer_release(&exchange->body);
		arena_release(&exchange->arena);
		free(exchange);
		return;
	}
	arena_reset(&exchange->arena);
	exchange->next = loop->pool;
	loop->pool = exchange;
	loop->pool_size++;
}

void http_exchange_account(const struct http_exchange *exchange)
{
	http_access_log_add(&exchange->loop->log, exchange);
	http_metrics_record(exchange);
}

void http_defer(struct http_exchange *exchange)
{
	assert(exchange->owner == HTTP_OWNED_BY_LOOP && exchange->route->thread == HTTP_ON_LOOP);
	exchange->deferred = true;
	exchange->owner = HTTP_OWNED_BY_HANDLER;
	http_connection_enter(exchange->connection, HTTP_PHASE_HANDLING);
	MHD_suspend_connection(exchange->connection->mhd);
}

void http_complete(struct http_exchange *exchange)
{
	assert(exchange->owner != HTTP_OWNED_BY_LOOP);
	http_loop_complete(exchange->loop, exchange, exchange);
}
