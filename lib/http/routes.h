/* The table of routes as a tree of path segments: a literal segment wins over a parameter. */
#pragma once

#include "lib/base/slice.h"
#include "lib/http/exchange.h"

enum { HTTP_PARAMETERS_MAX = 4, HTTP_SEGMENTS_MAX = 12 };

struct http_routes;

/* What a path leads to: the methods that exist there, and its parameters. */
struct http_match {
	const struct http_route *const *by_method; /* HTTP_METHOD_COUNT entries, NULL where none. */
	struct slice
		parameters[HTTP_PARAMETERS_MAX]; /* As they stand in the path, still encoded. */
	size_t parameter_count;
};

/* Build the tree. STATUS_REFUSED with a fault for a pattern that is malformed or given twice with
 * one method. The routes must outlive it. */
__attribute__((warn_unused_result)) enum status http_routes_new(const struct http_route routes[],
	size_t count, struct http_routes **result, struct fault *fault);

void http_routes_free(struct http_routes *routes);

/* Whether something stands at `path`. */
__attribute__((warn_unused_result)) bool http_routes_match(
	const struct http_routes *routes, struct slice path, struct http_match *match);

/* The name of the `index`th parameter in the pattern of `route`. */
struct slice http_route_parameter_name(const struct http_route *route, size_t index);
