/* See routes.h. The tree is built once and never changed, so that any thread may read it. */
#include "lib/http/routes.h"

#include <stdlib.h>

struct node {
	struct slice literal;   /* The segment; unused in a parameter's node. */
	struct node *children;  /* The first literal child. */
	struct node *sibling;   /* The next literal child of the same parent. */
	struct node *parameter; /* The child for any other segment. */
	const struct http_route *by_method[HTTP_METHOD_COUNT];
	bool ends; /* Whether a route ends here. */
};

struct http_routes {
	struct node root;
};

static enum status routes_add(
	struct http_routes *routes, const struct http_route *route, struct fault *fault);
static struct node *node_child(struct node *parent, struct slice segment);
static void node_free_children(struct node *node);
static const struct node *node_find(
	const struct node *node, struct slice rest, struct http_match *match);

static bool segment_is_parameter(struct slice segment)
{
	return segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
}

enum status http_routes_new(const struct http_route routes[], size_t count,
	struct http_routes **result, struct fault *fault)
{
	struct http_routes *made = calloc(1, sizeof *made);
	if (!made)
		return fault_set(fault, "routes", "memory is short");
	for (size_t i = 0; i < count; i++) {
		enum status status = routes_add(made, &routes[i], fault);
		if (status != STATUS_OK) {
			http_routes_free(made);
			return status;
		}
	}
	*result = made;
	return STATUS_OK;
}

void http_routes_free(struct http_routes *routes)
{
	if (!routes)
		return;
	node_free_children(&routes->root);
	free(routes);
}

bool http_routes_match(
	const struct http_routes *routes, struct slice path, struct http_match *match)
{
	if (path.size == 0 || path.data[0] != '/')
		return false;
	match->parameter_count = 0;
	struct slice rest = {.data = path.data + 1, .size = path.size - 1};
	const struct node *node = node_find(&routes->root, rest, match);
	if (!node)
		return false;
	match->by_method = node->by_method;
	return true;
}

struct slice http_route_parameter_name(const struct http_route *route, size_t index)
{
	struct slice rest = slice_of(route->pattern), segment;
	while (slice_split(&rest, '/', &segment))
		if (segment_is_parameter(segment) && index-- == 0)
			return (struct slice){.data = segment.data + 1, .size = segment.size - 2};
	return (struct slice){0};
}

/* Literal children first, then the parameter: the depth is bounded by the tree's own. */
static const struct node *node_find(
	const struct node *node, struct slice rest, struct http_match *match)
{
	struct slice segment;
	if (!slice_split(&rest, '/', &segment))
		return node->ends ? node : NULL;
	for (const struct node *child = node->children; child; child = child->sibling) {
		if (!slice_equal(child->literal, segment))
			continue;
		const struct node *found = node_find(child, rest, match);
		if (found)
			return found;
	}
	if (!node->parameter || segment.size == 0)
		return NULL;
	size_t index = match->parameter_count++;
	match->parameters[index] = segment;
	const struct node *found = node_find(node->parameter, rest, match);
	if (!found)
		match->parameter_count = index;
	return found;
}

static enum status routes_add(
	struct http_routes *routes, const struct http_route *route, struct fault *fault)
{
	if (route->pattern[0] != '/' || !route->handle || route->method >= HTTP_METHOD_COUNT)
		return fault_set(
			fault, route->pattern, "is no route: it needs a path and a handler");
	struct slice rest = slice_of(route->pattern + 1), segment;
	struct node *node = &routes->root;
	size_t segments = 0, parameters = 0;
	while (slice_split(&rest, '/', &segment)) {
		parameters += segment_is_parameter(segment);
		if (++segments > HTTP_SEGMENTS_MAX || parameters > HTTP_PARAMETERS_MAX)
			return fault_set(fault, route->pattern, "has too many segments");
		node = node_child(node, segment);
		if (!node)
			return fault_set(fault, route->pattern, "memory is short");
	}
	if (node->by_method[route->method])
		return fault_set(fault, route->pattern, "stands twice in the table");
	node->by_method[route->method] = route;
	node->ends = true;
	return STATUS_OK;
}

/* The child for `segment`, made when it is not there. */
static struct node *node_child(struct node *parent, struct slice segment)
{
	struct node **place = &parent->parameter;
	if (!segment_is_parameter(segment)) {
		place = &parent->children;
		while (*place && !slice_equal((*place)->literal, segment))
			place = &(*place)->sibling;
	}
	if (!*place) {
		*place = calloc(1, sizeof **place);
		if (*place)
			(*place)->literal = segment;
	}
	return *place;
}

static void node_free_children(struct node *node)
{
	for (struct node *child = node->children, *next; child; child = next) {
		next = child->sibling;
		node_free_children(child);
		free(child);
	}
	if (node->parameter)
		node_free_children(node->parameter);
	free(node->parameter);
}
