/* See form.h. */
#include "tech-two-phase-payments/simulator/form.h"

#include "lib/base/utf8.h"

static enum status add_pair(
	struct arena *arena, struct slice piece, struct form *form, struct fault *fault);

/* How many pairs there may be, at most: room for FORM_PAIRS_MAX each time would cost a block of
 * memory where most bodies have a handful. */
static size_t count_pieces(struct slice body)
{
	size_t count = 1;
	for (size_t i = 0; i < body.size; i++)
		count += body.data[i] == '&';
	return count < FORM_PAIRS_MAX ? count : FORM_PAIRS_MAX;
}

enum status form_parse(
	struct arena *arena, struct slice body, struct form *form, struct fault *fault)
{
	*form = (struct form){0};
	if (body.size > FORM_SIZE_MAX)
		return fault_set(fault, "body", "has more than %d bytes", FORM_SIZE_MAX);
	form->pairs = arena_calloc(arena, count_pieces(body), sizeof *form->pairs);
	if (!form->pairs)
		return STATUS_UNAVAILABLE;
	struct slice rest = body, piece;
	while (slice_split(&rest, '&', &piece)) {
		enum status status = STATUS_OK;
		if (piece.size > 0)
			status = add_pair(arena, piece, form, fault);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

bool form_find(const struct form *form, const char *name, struct slice *value)
{
	for (size_t i = 0; i < form->count; i++) {
		if (!slice_is(form->pairs[i].name, name))
			continue;
		*value = form->pairs[i].value;
		return true;
	}
	return false;
}

static bool is_list(struct slice name)
{
	return name.size > 2 && memcmp(name.data + name.size - 2, "[]", 2) == 0;
}

static bool is_there(const struct form *form, struct slice name)
{
	for (size_t i = 0; i < form->count; i++)
		if (slice_equal(form->pairs[i].name, name))
			return true;
	return false;
}

static enum status add_pair(
	struct arena *arena, struct slice piece, struct form *form, struct fault *fault)
{
	struct slice encoded = {.data = "", .size = 0}, value = piece, name = encoded;
	slice_split(&value, '=', &encoded);
	if (!value.data)
		value = (struct slice){.data = "", .size = 0};
	if (form->count == FORM_PAIRS_MAX)
		return fault_set(fault, "body", "has more than %d parameters", FORM_PAIRS_MAX);
	enum status status = form_decode(arena, encoded, &name, fault);
	if (status == STATUS_OK)
		status = form_decode(arena, value, &value, fault);
	if (status != STATUS_OK)
		return status;
	if (name.size == 0 || !slice_is_text(name))
		return fault_set(fault, "body", "has a parameter without a proper name");
	if (!is_list(name) && is_there(form, name))
		return fault_set(fault, "body", "has a parameter twice");
	form->pairs[form->count++] = (struct form_pair){.name = name, .value = value};
	return STATUS_OK;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* UTF-8 without a zero byte. */
static bool is_sound(struct slice text)
{
	uint32_t code_point;
	for (size_t size; text.size > 0; text.data += size, text.size -= size) {
		size = utf8_decode(text, &code_point);
		if (size == 0 || code_point == 0)
			return false;
	}
	return true;
}

enum status form_decode(
	struct arena *arena, struct slice encoded, struct slice *text, struct fault *fault)
{
	char *decoded = arena_alloc(arena, encoded.size + 1);
	size_t size = 0;
	if (!decoded)
		return STATUS_UNAVAILABLE;
	for (size_t i = 0; i < encoded.size; i++) {
		char c = encoded.data[i];
		if (c == '%') {
			int high = i + 2 < encoded.size ? digit_of(encoded.data[i + 1]) : -1;
			int low = i + 2 < encoded.size ? digit_of(encoded.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return fault_set(fault, "body", "has a %% without two digits");
			c = (char)(16 * high + low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		decoded[size++] = c;
	}
	decoded[size] = '\0';
	*text = (struct slice){.data = decoded, .size = size};
	if (!is_sound(*text))
		return fault_set(fault, "body", "has text that is not UTF-8");
	return STATUS_OK;
}
