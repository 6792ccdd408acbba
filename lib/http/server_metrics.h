/* What a server counts.
 *
 *	http_requests_total{method, route, status}   counter; status is a class: "2xx"
 *	http_request_seconds{method, route}          histogram; from the first line to the last byte
 *	http_connections, http_streams               gauges
 *	lane_…{lane="http_workers"}                  of the queue before the workers
 *
 * A path that leads nowhere counts under the route "". */
#pragma once

#include "lib/http/exchange.h"
#include "lib/metrics/metrics.h"

/* Create the metrics of a server with these routes. To be called before metrics_freeze(), after
 * which the server is opened with the same registry and routes. */
void http_register_metrics(
	struct metrics *metrics, const struct http_route routes[], size_t route_count);

/* A handler for GET /metrics, on a worker: the whole registry that the server was opened with. */
void http_reply_metrics(struct http_exchange *exchange);
