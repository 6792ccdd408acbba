/* Fuzzes log_render: whatever the fields hold, a line is one line, valid JSON in the form for
 * machines. The first byte chooses form, level and room; the rest is split at zero bytes into the
 * event and pairs of name and value. */
#include "lib/base/log.h"

#include <stdlib.h>

#include "fuzz/fuzz.h"

enum { FIELDS_MAX = 8 };

static size_t take_fields(struct slice rest, struct log_field fields[]);
static void check_plain(struct slice line);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log_field fields[FIELDS_MAX + 1];
	if (size < 2)
		return 0;
	struct slice rest = fuzz_slice(data + 2, size - 2), event;
	enum log_form form = data[0] & 1 ? LOG_PLAIN : LOG_JSON;
	enum log_level level = (enum log_level)(data[0] >> 1 & 3);
	size_t room = 16 * (size_t)data[1];
	slice_split(&rest, '\0', &event);
	char *event_text = fuzz_copy(event);
	size_t count = take_fields(rest, fields);
	char *line = malloc(room > 0 ? room : 1);
	assert(line);
	size_t used = log_render(line, room, form, level, 1795372980123, event_text, fields);
	assert(used <= room);
	if (used > 0 && form == LOG_JSON)
		fuzz_assert_json_line((struct slice){.data = line, .size = used});
	else if (used > 0)
		check_plain((struct slice){.data = line, .size = used});
	for (size_t i = 0; i < count; i++)
		free((char *)(uintptr_t)fields[i].name);
	free(line);
	free(event_text);
	return 0;
}

/* A value of eight bytes is also tried as a number. */
static size_t take_fields(struct slice rest, struct log_field fields[])
{
	size_t count = 0;
	struct slice name;
	while (count < FIELDS_MAX && slice_split(&rest, '\0', &name)) {
		struct log_field *field = &fields[count++];
		*field = LOG_SLICE(fuzz_copy(name), rest);
		if (rest.size >= sizeof field->real && name.size % 3 != 0) {
			field->kind = name.size % 3 == 1 ? LOG_FIELD_REAL : LOG_FIELD_INTEGER;
			memcpy(&field->real, rest.data, sizeof field->real);
			memcpy(&field->integer, rest.data, sizeof field->integer);
		}
		if (field->kind == LOG_FIELD_TEXT)
			slice_split(&rest, '\0', &field->text);
	}
	fields[count] = (struct log_field){.name = NULL};
	return count;
}

static void check_plain(struct slice line)
{
	assert(line.data[line.size - 1] == '\n');
	assert(fuzz_is_line((struct slice){.data = line.data, .size = line.size - 1}));
}
