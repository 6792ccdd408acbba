/* The worker threads of a server: a lane of exchanges. */
#pragma once

#include "lib/http/internal.h"

#define HTTP_WORKERS_NAME "http_workers"

__attribute__((warn_unused_result)) enum status http_workers_open(
	const struct http_server_options *options, struct lane **workers);

/* STATUS_UNAVAILABLE: the queue is full; the exchange stays the caller's. */
__attribute__((warn_unused_result)) enum status http_workers_submit(
	struct lane *workers, struct http_exchange *exchange);
