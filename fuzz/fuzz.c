/* See fuzz.h. */
#include "fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>

#include "lib/base/utf8.h"

char *fuzz_copy(struct slice text)
{
	size_t size = strnlen(text.data, text.size);
	char *copy = malloc(size + 1);
	if (!copy)
		abort();
	memcpy(copy, text.data, size);
	copy[size] = '\0';
	return copy;
}

bool fuzz_is_line(struct slice text)
{
	while (text.size > 0) {
		uint32_t code_point;
		size_t size = utf8_decode(text, &code_point);
		if (size == 0 || utf8_is_control(code_point))
			return false;
		text.data += size;
		text.size -= size;
	}
	return true;
}

void fuzz_assert_fault(const struct fault *fault)
{
	assert(memchr(fault->where, '\0', sizeof fault->where));
	assert(memchr(fault->what, '\0', sizeof fault->what));
	assert(fault->where[0] != '\0' && fuzz_is_line(slice_of(fault->where)));
	assert(fault->what[0] != '\0' && fuzz_is_line(slice_of(fault->what)));
}

void fuzz_assert_json_line(struct slice line)
{
	assert(line.size > 0 && memchr(line.data, '\n', line.size) == line.data + line.size - 1);
	json_t *json = json_loadb(line.data, line.size, JSON_ALLOW_NUL, NULL);
	assert(json_is_object(json));
	json_decref(json);
}
