/* Results in PostgreSQL's binary form, the counterpart of postgres_parameter.c. The server is
 * trusted to keep to its own format, and a type that is not the one asked for is a mistake in the
 * statement: both are asserted. */
#include "lib/postgres/postgres_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>

enum {
	TYPE_BOOLEAN = 16,
	TYPE_BYTES = 17,
	TYPE_NAME = 19,
	TYPE_BIGINT = 20,
	TYPE_INTEGER = 23,
	TYPE_TEXT = 25,
	TYPE_JSON = 114,
	TYPE_TEXT_ARRAY = 1009,
	TYPE_BIGINT_ARRAY = 1016,
	TYPE_CHARACTER = 1042,
	TYPE_VARCHAR = 1043,
	TYPE_TIMESTAMP = 1184,
	TYPE_UUID = 2950,
	TYPE_JSONB = 3802,
};

static const int64_t epoch_wall_ms = 946684800000;

void postgres_result_release(struct postgres_result *result)
{
	PQclear(result->rows);
	*result = (struct postgres_result){.rows = NULL};
}

static void assert_place(const struct postgres_result *result, size_t row, size_t column)
{
	assert(row < result->row_count);
	assert(column < result->column_count);
}

bool postgres_is_null(const struct postgres_result *result, size_t row, size_t column)
{
	assert_place(result, row, column);
	return PQgetisnull(result->rows, (int)row, (int)column);
}

static Oid type_of(const struct postgres_result *result, size_t column)
{
	return PQftype(result->rows, (int)column);
}

/* The value's bytes; without `data` for NULL. */
static struct slice bytes_of(const struct postgres_result *result, size_t row, size_t column)
{
	if (postgres_is_null(result, row, column))
		return (struct slice){.data = NULL};
	return (struct slice){
		.data = PQgetvalue(result->rows, (int)row, (int)column),
		.size = (size_t)PQgetlength(result->rows, (int)row, (int)column),
	};
}

/* The bytes of a value that has this type and size and is not NULL. */
static const char *fixed_bytes(
	const struct postgres_result *result, size_t row, size_t column, Oid type, size_t size)
{
	struct slice bytes = bytes_of(result, row, column);
	assert(type_of(result, column) == type);
	assert(bytes.data != NULL);
	assert(bytes.size == size);
	return bytes.data;
}

static int64_t read_number_64(const char *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof value);
	return (int64_t)be64toh(value);
}

static uint32_t read_number_32(const char *bytes)
{
	uint32_t value;
	memcpy(&value, bytes, sizeof value);
	return ntohl(value);
}

struct slice postgres_get_text(const struct postgres_result *result, size_t row, size_t column)
{
	struct slice bytes = bytes_of(result, row, column);
	switch (type_of(result, column)) {
	case TYPE_JSONB:
		if (bytes.data == NULL)
			return bytes;
		assert(bytes.size > 0 && bytes.data[0] == 1); /* The version of its form. */
		return (struct slice){.data = bytes.data + 1, .size = bytes.size - 1};
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_CHARACTER:
	case TYPE_NAME:
	case TYPE_JSON:
		return bytes;
	default:
		assert(false && "the column is not text");
		return bytes;
	}
}

int64_t postgres_get_bigint(const struct postgres_result *result, size_t row, size_t column)
{
	return read_number_64(fixed_bytes(result, row, column, TYPE_BIGINT, sizeof(int64_t)));
}

int32_t postgres_get_integer(const struct postgres_result *result, size_t row, size_t column)
{
	return (int32_t)read_number_32(
		fixed_bytes(result, row, column, TYPE_INTEGER, sizeof(int32_t)));
}

bool postgres_get_boolean(const struct postgres_result *result, size_t row, size_t column)
{
	return *fixed_bytes(result, row, column, TYPE_BOOLEAN, 1) != 0;
}

struct id postgres_get_uuid(const struct postgres_result *result, size_t row, size_t column)
{
	struct id id;
	memcpy(id.bytes, fixed_bytes(result, row, column, TYPE_UUID, sizeof id.bytes),
		sizeof id.bytes);
	return id;
}

int64_t postgres_get_timestamp(const struct postgres_result *result, size_t row, size_t column)
{
	int64_t us =
		read_number_64(fixed_bytes(result, row, column, TYPE_TIMESTAMP, sizeof(int64_t)));
	if (us == INT64_MAX || us == INT64_MIN)
		return us;
	/* C rounds towards zero, which before the year 2000 would be upwards. */
	int64_t ms = us / 1000 - (us % 1000 < 0 ? 1 : 0);
	return ms + epoch_wall_ms;
}

struct slice postgres_get_bytes(const struct postgres_result *result, size_t row, size_t column)
{
	assert(type_of(result, column) == TYPE_BYTES);
	return bytes_of(result, row, column);
}

static uint32_t take_number_32(struct slice *rest)
{
	assert(rest->size >= sizeof(uint32_t));
	uint32_t value = read_number_32(rest->data);
	rest->data += sizeof value;
	rest->size -= sizeof value;
	return value;
}

/* One item of an array; without `data` for NULL. */
static struct slice take_item(struct slice *rest)
{
	uint32_t size = take_number_32(rest);
	if (size == UINT32_MAX)
		return (struct slice){.data = NULL};
	assert(rest->size >= size);
	struct slice item = {.data = rest->data, .size = size};
	rest->data += size;
	rest->size -= size;
	return item;
}

/* Read an array up to its first item and return how many items follow. */
static size_t open_array(const struct postgres_result *result, size_t row, size_t column, Oid type,
	Oid item_type, struct slice *rest)
{
	*rest = bytes_of(result, row, column);
	assert(type_of(result, column) == type);
	assert(rest->data != NULL);
	uint32_t dimension_count = take_number_32(rest);
	(void)take_number_32(rest); /* Whether there are NULLs, which the items themselves say. */
	Oid found_type = take_number_32(rest);
	assert(found_type == item_type);
	assert(dimension_count <= 1);
	if (dimension_count == 0)
		return 0;
	uint32_t count = take_number_32(rest);
	(void)take_number_32(rest); /* The lower bound. */
	assert(count <= rest->size / sizeof(uint32_t));
	return count;
}

bool postgres_get_text_array(const struct postgres_result *result, size_t row, size_t column,
	struct arena *arena, struct slice **items, size_t *count)
{
	struct slice rest;
	*count = open_array(result, row, column, TYPE_TEXT_ARRAY, TYPE_TEXT, &rest);
	*items = arena_calloc(arena, *count > 0 ? *count : 1, sizeof **items);
	if (*items == NULL)
		return false;
	for (size_t i = 0; i < *count; i++)
		(*items)[i] = take_item(&rest);
	return true;
}

bool postgres_get_bigint_array(const struct postgres_result *result, size_t row, size_t column,
	struct arena *arena, int64_t **items, size_t *count)
{
	struct slice rest;
	*count = open_array(result, row, column, TYPE_BIGINT_ARRAY, TYPE_BIGINT, &rest);
	*items = arena_calloc(arena, *count > 0 ? *count : 1, sizeof **items);
	if (*items == NULL)
		return false;
	for (size_t i = 0; i < *count; i++) {
		struct slice item = take_item(&rest);
		assert(item.data != NULL && item.size == sizeof(int64_t));
		(*items)[i] = read_number_64(item.data);
	}
	return true;
}
