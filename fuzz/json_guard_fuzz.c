/* Fuzzes the check that stands before the JSON parser, whose own count is the other opinion. The
 * first two bytes are limits of depth and tokens. */
#include "lib/base/json_guard.h"

#include <jansson.h>

#include "fuzz/fuzz.h"

struct counts {
	size_t containers, tokens, depth;
};

static void count(const json_t *json, size_t depth, struct counts *counts);
static void check_valid(struct slice json, const json_t *tree);
static void check_path(struct slice json, size_t offset);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct slice json = fuzz_slice(data + 2, size - 2);
	const struct json_limits limits = {.size_max = 4096,
		.depth_max = 1 + data[0] % JSON_DEPTH_MAX,
		.containers_max = 8 + data[1] / 2,
		.tokens_max = 8 + data[1]};
	struct fault fault;
	enum status status = json_guard(json, &limits, &fault);
	assert(status == STATUS_OK || status == STATUS_REFUSED);
	if (status == STATUS_REFUSED) {
		fuzz_assert_fault(&fault);
		assert(fault.where[0] == '$');
	}
	json_error_t error;
	/* Duplicates would be counted once in the tree, though twice in the text. */
	json_t *tree = json_loadb(json.data, json.size,
		JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	struct counts counts = {0};
	if (tree) {
		check_valid(json, tree);
		count(tree, 1, &counts);
		bool keeps = json.size <= limits.size_max &&
			counts.containers <= limits.containers_max &&
			counts.tokens <= limits.tokens_max && counts.depth <= limits.depth_max;
		assert(keeps == (status == STATUS_OK));
	} else if (error.position >= 0) {
		check_path(json, (size_t)error.position);
	}
	check_path(json, json.size / 2);
	json_decref(tree);
	return 0;
}

static void count(const json_t *json, size_t depth, struct counts *counts)
{
	bool container = json_is_object(json) || json_is_array(json);
	const char *key;
	json_t *value;
	size_t index;
	counts->tokens++;
	counts->containers += container;
	if (container && depth > counts->depth)
		counts->depth = depth;
	json_object_foreach((json_t *)(uintptr_t)json, key, value)
	{
		counts->tokens++;
		count(value, depth + 1, counts);
	}
	json_array_foreach(json, index, value)
	{
		count(value, depth + 1, counts);
	}
}

/* With limits that are just its own counts a valid text passes; with one less of any it does not.
 */
static void check_valid(struct slice json, const json_t *tree)
{
	struct counts counts = {0};
	count(tree, 1, &counts);
	if (counts.depth > JSON_DEPTH_MAX)
		return;
	struct json_limits limits = {.size_max = json.size,
		.depth_max = counts.depth > 0 ? counts.depth : 1,
		.containers_max = counts.containers,
		.tokens_max = counts.tokens};
	struct fault fault;
	assert(json_guard(json, &limits, &fault) == STATUS_OK);
	limits.tokens_max--;
	assert(json_guard(json, &limits, &fault) == STATUS_REFUSED);
	fuzz_assert_fault(&fault);
}

static void check_path(struct slice json, size_t offset)
{
	char path[100];
	for (size_t size = 1; size <= sizeof path; size += 33) {
		json_path_at(json, offset, path, size);
		assert(memchr(path, '\0', size) && slice_is_text(slice_of(path)));
	}
}
