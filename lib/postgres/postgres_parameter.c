/* Parameters in PostgreSQL's binary form: big-endian numbers, and arrays as array_recv reads them
 * (src/backend/utils/adt/arrayfuncs.c): dimensions, a flag for NULLs, the items' type, then for the
 * one dimension its count and lower bound, then each item with its size before it. */
#include "lib/postgres/postgres_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>

#include "lib/base/utf8.h"

/* Numbers of types, from PostgreSQL's pg_type.dat; they never change. */
static const struct {
	Oid single, array;
} types[] = {
	[POSTGRES_KIND_NULL] = {0, 0},
	[POSTGRES_KIND_TEXT] = {25, 1009},
	[POSTGRES_KIND_BIGINT] = {20, 1016},
	[POSTGRES_KIND_INTEGER] = {23, 1007},
	[POSTGRES_KIND_BOOLEAN] = {16, 1000},
	[POSTGRES_KIND_UUID] = {2950, 2951},
	[POSTGRES_KIND_TIMESTAMP] = {1184, 1185},
	[POSTGRES_KIND_JSONB] = {3802, 3807},
	[POSTGRES_KIND_BYTES] = {17, 1001},
};

/* PostgreSQL counts microseconds from 2000-01-01 and takes times from 4714-11-24 BC up to the end
 * of AD 294276 (src/include/datatype/timestamp.h). */
static const int64_t epoch_wall_ms = 946684800000;
static const int64_t timestamp_wall_ms_min = -211813488000000 + 946684800000;
static const int64_t timestamp_wall_ms_max = 9223371331199999 + 946684800000;

static const int item_null = -1;

static void add_number_32(struct buffer *buffer, uint32_t value)
{
	value = htonl(value);
	buffer_add(buffer, &value, sizeof value);
}

static void add_number_64(struct buffer *buffer, uint64_t value)
{
	value = htobe64(value);
	buffer_add(buffer, &value, sizeof value);
}

static enum status refuse(struct postgres *pg, size_t index, const char *sqlstate, const char *what)
{
	postgres_error_set(pg, POSTGRES_DATA, sqlstate, "parameter $%zu %s", index + 1, what);
	return STATUS_REFUSED;
}

/* Whether the server would take it as text: UTF-8 without a zero byte. Control characters pass,
 * since what text may say is for the caller to rule. */
static bool is_sendable(struct slice text)
{
	while (text.size > 0) {
		uint32_t code_point = (uint8_t)text.data[0];
		size_t size = code_point < 0x80 ? 1 : utf8_decode(text, &code_point);
		if (size == 0 || code_point == 0)
			return false;
		text.data += size;
		text.size -= size;
	}
	return true;
}

static bool is_text(enum postgres_kind kind)
{
	return kind == POSTGRES_KIND_TEXT || kind == POSTGRES_KIND_JSONB;
}

static bool is_timestamp_in_range(int64_t wall_ms)
{
	return wall_ms >= timestamp_wall_ms_min && wall_ms <= timestamp_wall_ms_max;
}

/* Item `index` of an array, in the form of a single parameter. */
static struct postgres_parameter item_at(const struct postgres_parameter *array, size_t index)
{
	const void *items = array->value.array.items;
	switch (array->kind) {
	case POSTGRES_KIND_TEXT:
		return postgres_text(((const struct slice *)items)[index]);
	case POSTGRES_KIND_BIGINT:
		return postgres_bigint(((const int64_t *)items)[index]);
	case POSTGRES_KIND_INTEGER:
		return postgres_integer(((const int32_t *)items)[index]);
	case POSTGRES_KIND_BOOLEAN:
		return postgres_boolean(((const bool *)items)[index]);
	case POSTGRES_KIND_UUID:
		return postgres_uuid(((const struct id *)items)[index]);
	case POSTGRES_KIND_TIMESTAMP:
		return postgres_timestamp(((const int64_t *)items)[index]);
	case POSTGRES_KIND_NULL:
	case POSTGRES_KIND_JSONB:
	case POSTGRES_KIND_BYTES:
		break;
	}
	assert(false && "an array of this kind has no constructor");
	return postgres_null();
}

static bool is_slice(enum postgres_kind kind)
{
	return is_text(kind) || kind == POSTGRES_KIND_BYTES;
}

static bool is_null(const struct postgres_parameter *single)
{
	return single->kind == POSTGRES_KIND_NULL ||
		(is_slice(single->kind) && single->value.slice.data == NULL);
}

static enum status check_single(
	struct postgres *pg, size_t index, const struct postgres_parameter *single)
{
	if (is_null(single))
		return STATUS_OK;
	if (is_slice(single->kind) && single->value.slice.size > POSTGRES_MESSAGE_SIZE_MAX)
		return refuse(pg, index, "54000", "is too long");
	if (is_text(single->kind) && !is_sendable(single->value.slice))
		return refuse(pg, index, "22021", "is not UTF-8 without zero bytes");
	if (single->kind == POSTGRES_KIND_TIMESTAMP &&
		!is_timestamp_in_range(single->value.integer))
		return refuse(pg, index, "22008", "is not a time that can be stored");
	return STATUS_OK;
}

/* Append a value that is not NULL, without its size. */
static void add_single(struct buffer *buffer, const struct postgres_parameter *single)
{
	int64_t integer = single->value.integer;
	switch (single->kind) {
	case POSTGRES_KIND_JSONB:
		buffer_add(buffer, "\x01", 1); /* The version of its form. */
		buffer_add(buffer, single->value.slice.data, single->value.slice.size);
		break;
	case POSTGRES_KIND_TEXT:
	case POSTGRES_KIND_BYTES:
		buffer_add(buffer, single->value.slice.data, single->value.slice.size);
		break;
	case POSTGRES_KIND_BIGINT:
		add_number_64(buffer, (uint64_t)integer);
		break;
	case POSTGRES_KIND_INTEGER:
		add_number_32(buffer, (uint32_t)integer);
		break;
	case POSTGRES_KIND_BOOLEAN:
		buffer_add(buffer, single->value.boolean ? "\x01" : "\x00", 1);
		break;
	case POSTGRES_KIND_UUID:
		buffer_add(buffer, single->value.id.bytes, sizeof single->value.id.bytes);
		break;
	case POSTGRES_KIND_TIMESTAMP:
		add_number_64(buffer, (uint64_t)((integer - epoch_wall_ms) * 1000));
		break;
	case POSTGRES_KIND_NULL:
		assert(false && "NULL has no bytes");
	}
}

/* Append an item with its size before it, which is known only afterwards. */
static void add_item(struct buffer *buffer, const struct postgres_parameter *item)
{
	if (is_null(item)) {
		add_number_32(buffer, (uint32_t)item_null);
		return;
	}
	size_t start = buffer->size;
	add_number_32(buffer, 0);
	add_single(buffer, item);
	if (buffer->failed)
		return;
	uint32_t size = htonl((uint32_t)(buffer->size - start - sizeof size));
	memcpy(buffer->data + start, &size, sizeof size);
}

static bool has_null(const struct postgres_parameter *array)
{
	if (!is_slice(array->kind))
		return false;
	for (size_t i = 0; i < array->value.array.count; i++) {
		struct postgres_parameter item = item_at(array, i);
		if (is_null(&item))
			return true;
	}
	return false;
}

static enum status add_array(
	struct postgres *pg, size_t index, const struct postgres_parameter *array)
{
	struct buffer *buffer = &pg->bytes;
	size_t count = array->value.array.count;
	if (count > POSTGRES_MESSAGE_SIZE_MAX / sizeof(uint32_t))
		return refuse(pg, index, "54000", "has too many items");
	add_number_32(buffer, count > 0 ? 1 : 0);
	add_number_32(buffer, has_null(array) ? 1 : 0);
	add_number_32(buffer, types[array->kind].single);
	if (count == 0)
		return STATUS_OK;
	add_number_32(buffer, (uint32_t)count);
	add_number_32(buffer, 1);
	for (size_t i = 0; i < count; i++) {
		struct postgres_parameter item = item_at(array, i);
		enum status status = check_single(pg, index, &item);
		if (status != STATUS_OK)
			return status;
		add_item(buffer, &item);
	}
	return STATUS_OK;
}

static enum status add_parameter(
	struct postgres *pg, size_t index, const struct postgres_parameter *parameter)
{
	if (parameter->shape == POSTGRES_ARRAY)
		return add_array(pg, index, parameter);
	enum status status = check_single(pg, index, parameter);
	if (status == STATUS_OK && !is_null(parameter))
		add_single(&pg->bytes, parameter);
	return status;
}

enum status postgres_encode(struct postgres *pg, const struct postgres_parameter parameters[],
	size_t count, struct postgres_encoded *encoded)
{
	size_t starts[POSTGRES_PARAMETERS_MAX + 1] = {0};
	assert(count <= POSTGRES_PARAMETERS_MAX);
	buffer_reset(&pg->bytes);
	/* libpq takes a value that is not NULL by its pointer, so even no bytes need an address. */
	buffer_add(&pg->bytes, "", 1);
	for (size_t i = 0; i < count; i++) {
		starts[i] = pg->bytes.size;
		enum status status = add_parameter(pg, i, &parameters[i]);
		if (status != STATUS_OK)
			return status;
	}
	starts[count] = pg->bytes.size;
	if (pg->bytes.failed) {
		postgres_error_set(
			pg, POSTGRES_DATA, "54000", "the parameters are too long together");
		return STATUS_REFUSED;
	}
	encoded->count = count;
	/* The buffer has stopped moving only now. */
	for (size_t i = 0; i < count; i++) {
		const struct postgres_parameter *parameter = &parameters[i];
		bool single = parameter->shape == POSTGRES_SINGLE;
		bool absent = single && is_null(parameter);
		encoded->types[i] =
			single ? types[parameter->kind].single : types[parameter->kind].array;
		encoded->values[i] = absent ? NULL : pg->bytes.data + starts[i];
		encoded->sizes[i] = (int)(starts[i + 1] - starts[i]);
		encoded->formats[i] = 1;
	}
	return STATUS_OK;
}
