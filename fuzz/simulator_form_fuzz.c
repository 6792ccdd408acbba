/* Fuzzes the payment simulator's form decoder, and the parameters that are read from a form. The
 * first byte chooses the operation. */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "tech-two-phase-payments/simulator/parameters.h"

static void check_form(const struct form *form, size_t size_max);
static void check_again(struct arena *arena, const struct form *form);
static void check_parameters(enum operation operation, const struct form *form);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct arena arena;
	struct form form;
	struct fault fault;
	struct slice body = fuzz_slice(data + 1, size - 1);
	arena_init(&arena, 64 << 20);
	switch (form_parse(&arena, body, &form, &fault)) {
	case STATUS_OK:
		check_form(&form, body.size);
		check_again(&arena, &form);
		check_parameters((enum operation)(data[0] % OPERATION_COUNT), &form);
		break;
	case STATUS_REFUSED:
		fuzz_assert_fault(&fault);
		break;
	default:
		abort(); /* There was memory enough. */
	}
	arena_release(&arena);
	return 0;
}

/* Decoding makes nothing longer, and each name that is no list is there once. */
static void check_form(const struct form *form, size_t size_max)
{
	size_t size = 0;
	assert(form->count <= FORM_PAIRS_MAX);
	for (size_t i = 0; i < form->count; i++) {
		struct slice name = form->pairs[i].name, value;
		assert(name.size > 0 && slice_is_text(name));
		assert(!memchr(form->pairs[i].value.data, '\0', form->pairs[i].value.size));
		size += name.size + form->pairs[i].value.size;
		char *copy = fuzz_copy(name);
		assert(form_find(form, copy, &value));
		free(copy);
	}
	assert(size <= size_max);
}

/* Written with every byte escaped and read again, it is the same. */
static void check_again(struct arena *arena, const struct form *form)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < form->count; i++) {
		struct slice value = form->pairs[i].value, again;
		struct fault fault;
		char *escaped = arena_alloc(arena, 3 * value.size + 1);
		assert(escaped);
		for (size_t j = 0; j < value.size; j++) {
			escaped[3 * j] = '%';
			escaped[3 * j + 1] = digits[(uint8_t)value.data[j] >> 4];
			escaped[3 * j + 2] = digits[(uint8_t)value.data[j] & 0xf];
		}
		struct slice written = {.data = escaped, .size = 3 * value.size};
		assert(form_decode(arena, written, &again, &fault) == STATUS_OK);
		assert(slice_equal(value, again));
	}
}

/* What is taken keeps to the limits, and what is refused is refused in words. */
static void check_parameters(enum operation operation, const struct form *form)
{
	struct parameters parameters;
	struct provider_error error;
	char *metadata;
	if (!parameters_read(operation, form, &parameters, &error)) {
		assert(error.status == 400 && error.type && error.message[0] != '\0');
		return;
	}
	assert(parameters.amount >= 0 && parameters.amount <= AMOUNT_MAX);
	assert(operation != OPERATION_CREATE || parameters.amount >= AMOUNT_MIN);
	if (parameters_merge_metadata(form, NULL, &metadata, &error))
		free(metadata);
}
