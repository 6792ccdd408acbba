/* Fuzzes the reader of published ticket keys. What is accepted has distinct ids and valid sizes,
 * and is written and read again as the same; what is refused is refused in words. */
#include <jansson.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "lib/ticketing/ticket_keys.h"

static void check_accepted(const struct ticket_key_set *set);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ticket_key_set set;
	struct fault fault = {.what = ""};
	/* Without bytes to spare, so that reading past it is seen. */
	char *exact = size > 0 ? malloc(size) : NULL;
	assert(exact || size == 0);
	if (exact)
		memcpy(exact, data, size);
	struct slice text = {.data = exact ? exact : "", .size = size};
	enum status status = ticket_key_set_read(text, &set, &fault);
	assert(status == STATUS_OK || status == STATUS_REFUSED);
	if (status == STATUS_OK)
		check_accepted(&set);
	else
		fuzz_assert_fault(&fault);
	free(exact);
	return 0;
}

static void check_accepted(const struct ticket_key_set *set)
{
	struct ticket_key_set again;
	assert(set->count >= 1 && set->count <= TICKET_KEYS_MAX);
	for (size_t i = 0; i < set->count; i++) {
		struct slice kid = ticket_key_kid(&set->keys[i]);
		assert(slice_is_id(kid, TICKET_KID_SIZE_MAX));
		assert(ticket_key_find(set, kid) == &set->keys[i]);
	}
	json_t *json = ticket_key_set_json(set);
	char *text = json_dumps(json, JSON_COMPACT);
	assert(text);
	enum status status = ticket_key_set_read(slice_of(text), &again, NULL);
	assert(status == STATUS_OK && memcmp(set, &again, sizeof again) == 0);
	free(text);
	json_decref(json);
}
