/* Reading a JSON tree whose every fault has a path. Private to the readers of this folder.
 *
 * A node is a value together with the way to it, chained on the C stack, so that a path costs
 * nothing until a fault needs one. The first fault is kept and makes all later reads return
 * nothing; so a reader asks once for each loop and at its end whether all went well. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/json_guard.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct node {
	const struct node *parent; /* NULL: the root. */
	const char *key;           /* NULL: an element of an array, or the root. */
	size_t index;
	const json_t *value; /* NULL: the member is missing, or null. */
};

struct plan_reader {
	struct arena *arena;
	struct fault *fault;
	enum status status; /* Of the first fault. */
};

/* Build the tree of a text that keeps to the limits and names no member twice. STATUS_REFUSED for
 * any other, with the path at which it goes wrong; STATUS_UNAVAILABLE when memory is short. The
 * caller gives the tree back by json_decref. */
__attribute__((warn_unused_result)) enum status json_tree_load(
	struct slice json, const struct json_limits *limits, json_t **root, struct fault *fault);

enum presence { REQUIRED, OPTIONAL };

/* The member `key` of what `parent` is; without a value if `parent` is no object or has no such
 * member. `parent` must outlive the node. */
struct node node_member(const struct node *parent, const char *key);

/* The element `index` of an array, which must have it. */
struct node node_element(const struct node *parent, size_t index);

/* Write the path of `node` as far as `size` bytes hold it. */
void node_path(const struct node *node, char *path, size_t size);

/* Record a fault at `node`, if it is the first. */
__attribute__((format(printf, 3, 4))) void plan_refuse(
	struct plan_reader *reader, const struct node *node, const char *what, ...);

/* Record that memory is short, if nothing else went wrong before. */
void plan_out_of_memory(struct plan_reader *reader);

static inline bool plan_reads_on(const struct plan_reader *reader)
{
	return reader->status == STATUS_OK;
}

/* Cleared room in the arena for `count` things, at least one; NULL when memory is short. */
void *plan_room(struct plan_reader *reader, size_t count, size_t size);

/* Whether `node` is an object, or is missing and may be. */
void plan_check_object(struct plan_reader *reader, const struct node *node, enum presence presence);

/* The number of elements of an array of at most `count_max`; 0 if it is missing and may be. */
size_t plan_count(struct plan_reader *reader, const struct node *node, enum presence presence,
	size_t count_max);

/* A copy of a text of at most `size_max` bytes; empty if it is missing and may be. */
struct slice plan_text(struct plan_reader *reader, const struct node *node, enum presence presence,
	size_t size_max);

/* The same for a text that may also be written as an integer. */
struct slice plan_number_text(struct plan_reader *reader, const struct node *node, size_t size_max);

/* A number between the bounds; `fallback` if it is missing. */
double plan_real(struct plan_reader *reader, const struct node *node, enum presence presence,
	double min, double max, double fallback);
