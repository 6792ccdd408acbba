/* See server_metrics.h. */
#include "lib/http/server_metrics.h"

#include <stdlib.h>

#include "lib/batch/lane.h"
#include "lib/http/workers.h"

enum { STATUS_CLASS_COUNT = 5 };

/* Of one route, or of no route. */
struct http_route_metrics {
	struct metrics_counter *by_class[STATUS_CLASS_COUNT]; /* 1xx to 5xx */
	struct metrics_histogram *seconds;
};

struct http_metrics {
	struct metrics_gauge *connections, *streams;
	size_t route_count;
	struct http_route_metrics routes[]; /* One more than there are routes: for none of them. */
};

static const char *const class_names[STATUS_CLASS_COUNT] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

static struct http_route_metrics route_metrics(
	struct metrics *metrics, const char *method, const char *pattern)
{
	struct http_route_metrics made;
	for (size_t i = 0; i < STATUS_CLASS_COUNT; i++) {
		const struct metrics_label labels[] = {
			{"method", method}, {"route", pattern}, {"status", class_names[i]}};
		made.by_class[i] = metrics_add_counter(metrics,
			&(struct metrics_description){.name = "http_requests",
				.help = "Requests answered, by method, route and class of status.",
				.labels = labels,
				.label_count = 3});
	}
	const struct metrics_label labels[] = {{"method", method}, {"route", pattern}};
	made.seconds = metrics_add_histogram(metrics,
		&(struct metrics_description){.name = "http_request_seconds",
			.help = "From a request's first line to the last byte of its reply.",
			.unit = "seconds",
			.labels = labels,
			.label_count = 2},
		&metrics_latency_buckets);
	return made;
}

struct http_metrics *http_metrics_new(const struct http_server_options *options)
{
	size_t count = options->route_count;
	struct metrics *metrics = options->metrics;
	struct http_metrics *made =
		calloc(1, sizeof *made + (count + 1) * sizeof(struct http_route_metrics));
	if (!made)
		return NULL;
	made->route_count = count;
	for (size_t i = 0; i < count; i++)
		made->routes[i] = route_metrics(metrics,
			http_method_name(options->routes[i].method), options->routes[i].pattern);
	made->routes[count] = route_metrics(metrics, "", "");
	made->connections = metrics_add_gauge(metrics,
		&(struct metrics_description){
			.name = "http_connections", .help = "Client connections that are open."});
	made->streams = metrics_add_gauge(metrics,
		&(struct metrics_description){
			.name = "http_streams", .help = "Event streams that are open."});
	return made;
}

void http_metrics_free(struct http_metrics *metrics)
{
	free(metrics);
}

void http_register_metrics(
	struct metrics *metrics, const struct http_route routes[], size_t route_count)
{
	struct http_server_options options = {
		.routes = routes, .route_count = route_count, .metrics = metrics};
	lane_register_metrics(metrics, HTTP_WORKERS_NAME);
	http_metrics_free(http_metrics_new(&options));
}

void http_metrics_record(const struct http_exchange *exchange)
{
	const struct http_server *server = exchange->server;
	const struct http_metrics *metrics = server->metrics;
	unsigned class = exchange->status / 100;
	if (!exchange->queued_reply || class < 1 || class > STATUS_CLASS_COUNT)
		return;
	size_t index = exchange->route ? (size_t)(exchange->route - server->options.routes)
				       : metrics->route_count;
	metrics_counter_add(metrics->routes[index].by_class[class - 1], 1);
	/* A stream's time says how long somebody stayed, not how fast we were. */
	if (!exchange->stream)
		metrics_histogram_record(
			metrics->routes[index].seconds, http_now_ns() - exchange->received_ns);
}

void http_metrics_connections(const struct http_server *server, int64_t difference)
{
	metrics_gauge_add(server->metrics->connections, difference);
}

void http_metrics_streams(const struct http_server *server, int64_t difference)
{
	metrics_gauge_add(server->metrics->streams, difference);
}

void http_reply_metrics(struct http_exchange *exchange)
{
	struct buffer buffer;
	buffer_init(&buffer, METRICS_RENDERED_SIZE_MAX);
	if (exchange->server->options.metrics)
		metrics_render(exchange->server->options.metrics, &buffer);
	const char *copy =
		buffer.failed ? NULL : arena_copy(http_arena(exchange), buffer_slice(&buffer));
	if (copy)
		http_reply(exchange, 200, metrics_content_type,
			(struct slice){.data = copy, .size = buffer.size});
	else
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
	buffer_release(&buffer);
}
