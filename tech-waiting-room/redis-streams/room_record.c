/* See room_record.h. */
#include "tech-waiting-room/redis-streams/room_record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/postgres/postgres.h"
#include "tech-waiting-room/redis-streams/record.sql.h"
#include "tech-waiting-room/redis-streams/room_state.h"
#include "tech-waiting-room/schema/waiting_room.sql.h"

struct room_record {
	struct postgres *postgres;
	bool prepared; /* The table is there. */
};

static const struct postgres_statement configure_statement = {
	"waiting_room_configure", record_configure, POSTGRES_WRITES};
static const struct postgres_statement load_statement = {
	"waiting_room_load", record_load, POSTGRES_READS};
static const struct postgres_statement next_epoch_statement = {
	"waiting_room_next_epoch", record_next_epoch, POSTGRES_WRITES};
static const struct postgres_statement reserve_statement = {
	"waiting_room_reserve", record_reserve, POSTGRES_WRITES};
static const struct postgres_statement cut_statement = {
	"waiting_room_cut", record_cut, POSTGRES_WRITES};
static const struct postgres_statement shuffle_statement = {
	"waiting_room_shuffle", record_shuffle, POSTGRES_WRITES};
static const struct postgres_statement list_statement = {
	"waiting_room_list", record_list, POSTGRES_READS};

/* Make the table where it is missing, before the first use that finds the database. */
static enum status prepare(struct room_record *record)
{
	if (record->prepared)
		return STATUS_OK;
	enum status status = postgres_run_script(record->postgres, waiting_room_schema);
	record->prepared = status == STATUS_OK;
	return status == STATUS_UNKNOWN ? STATUS_UNAVAILABLE : status;
}

static enum status execute(struct room_record *record, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t count, struct postgres_result *result)
{
	*result = (struct postgres_result){0};
	enum status status = prepare(record);
	if (status != STATUS_OK)
		return status;
	return postgres_execute(record->postgres, statement, parameters, count, result);
}

enum status room_record_open(const char *url, int64_t call_ms_max, bool fail_fast,
	struct room_record **record, struct fault *fault)
{
	struct room_record *opened = calloc(1, sizeof *opened);
	struct postgres_options options = {.url = url,
		.application_name = "waiting-room",
		.clock = clock_system(),
		.connect_ms_max = call_ms_max,
		.call_ms_max = call_ms_max,
		.fail_fast = fail_fast};
	if (!opened)
		return STATUS_UNAVAILABLE;
	opened->postgres = postgres_open(&options);
	enum status status =
		opened->postgres ? postgres_connect(opened->postgres, fault) : STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		status = prepare(opened);
	if (!opened->postgres || status == STATUS_REFUSED) {
		room_record_close(opened);
		return status;
	}
	/* A database that is not there at the moment is asked again by each call. */
	*record = opened;
	return STATUS_OK;
}

void room_record_close(struct room_record *record)
{
	if (!record)
		return;
	postgres_close(record->postgres);
	free(record);
}

enum status room_record_configure(struct room_record *record, struct slice event,
	const struct waiting_room_settings *settings, const uint8_t seed[WAITING_ROOM_SEED_SIZE])
{
	struct postgres_result result;
	char rate[ROOM_RATE_SIZE];
	room_rate_format(settings->rate_per_second, rate);
	struct slice seed_slice = {.data = (const char *)seed, .size = WAITING_ROOM_SEED_SIZE};
	enum status status = execute(record, &configure_statement,
		POSTGRES_PARAMETERS(postgres_text(event),
			postgres_text(slice_of(room_state_name(settings->state))),
			postgres_text(slice_of(rate)), postgres_bigint(settings->active_max),
			postgres_bigint(settings->claim_seconds),
			postgres_bigint(settings->heartbeat_seconds),
			postgres_bigint(settings->session_seconds),
			postgres_bigint(settings->starts_at_ms), postgres_bytes(seed_slice)),
		&result);
	if (status == STATUS_OK && result.row_count == 0)
		status = STATUS_REFUSED;
	postgres_result_release(&result);
	return status;
}

static void read_bytes(
	const struct postgres_result *result, size_t column, uint8_t bytes[WAITING_ROOM_SEED_SIZE])
{
	struct slice slice = postgres_get_bytes(result, 0, column);
	assert(slice.size == WAITING_ROOM_SEED_SIZE);
	memcpy(bytes, slice.data, slice.size);
}

static void read_row(const struct postgres_result *result, struct room_record_row *row)
{
	*row = (struct room_record_row){.epoch = postgres_get_bigint(result, 0, 0),
		.tail_ceiling = postgres_get_bigint(result, 0, 1),
		.serving_ceiling = postgres_get_bigint(result, 0, 2),
		.settings = {.active_max = postgres_get_bigint(result, 0, 5),
			.claim_seconds = postgres_get_bigint(result, 0, 6),
			.heartbeat_seconds = postgres_get_bigint(result, 0, 7),
			.session_seconds = postgres_get_bigint(result, 0, 8),
			.starts_at_ms = postgres_get_bigint(result, 0, 9)},
		.had_lobby = postgres_get_boolean(result, 0, 10),
		.lobby_cut =
			postgres_is_null(result, 0, 11) ? -1 : postgres_get_bigint(result, 0, 11),
		.shuffled = !postgres_is_null(result, 0, 13)};
	bool known = room_state_read(postgres_get_text(result, 0, 3), &row->settings.state);
	assert(known);
	row->settings.rate_per_second = room_rate_read(postgres_get_text(result, 0, 4));
	read_bytes(result, 12, row->seed);
	if (row->shuffled)
		read_bytes(result, 13, row->lobby_hash);
}

enum status room_record_load(
	struct room_record *record, struct slice event, struct room_record_row *row, bool *found)
{
	struct postgres_result result;
	enum status status = execute(
		record, &load_statement, POSTGRES_PARAMETERS(postgres_text(event)), &result);
	*found = status == STATUS_OK && result.row_count == 1;
	if (*found)
		read_row(&result, row);
	postgres_result_release(&result);
	return status;
}

enum status room_record_next_epoch(struct room_record *record, struct slice event, int64_t epoch)
{
	struct postgres_result result;
	enum status status = execute(record, &next_epoch_statement,
		POSTGRES_PARAMETERS(postgres_text(event), postgres_bigint(epoch - 1)), &result);
	postgres_result_release(&result);
	return status;
}

enum status room_record_reserve(
	struct room_record *record, struct slice event, int64_t *tail, int64_t *serving)
{
	struct postgres_result result;
	enum status status = execute(record, &reserve_statement,
		POSTGRES_PARAMETERS(
			postgres_text(event), postgres_bigint(*tail), postgres_bigint(*serving)),
		&result);
	if (status == STATUS_OK && result.row_count == 0)
		status = STATUS_REFUSED;
	if (status == STATUS_OK) {
		*tail = postgres_get_bigint(&result, 0, 0);
		*serving = postgres_get_bigint(&result, 0, 1);
	}
	postgres_result_release(&result);
	return status;
}

enum status room_record_cut(struct room_record *record, struct slice event, int64_t *cut)
{
	struct postgres_result result;
	enum status status = execute(record, &cut_statement,
		POSTGRES_PARAMETERS(postgres_text(event), postgres_bigint(*cut)), &result);
	if (status == STATUS_OK && result.row_count == 0)
		status = STATUS_REFUSED;
	if (status == STATUS_OK)
		*cut = postgres_get_bigint(&result, 0, 0);
	postgres_result_release(&result);
	return status;
}

enum status room_record_shuffle(
	struct room_record *record, struct slice event, uint8_t lobby_hash[WAITING_ROOM_SEED_SIZE])
{
	struct postgres_result result;
	struct slice hash = {.data = (const char *)lobby_hash, .size = WAITING_ROOM_SEED_SIZE};
	enum status status = execute(record, &shuffle_statement,
		POSTGRES_PARAMETERS(postgres_text(event), postgres_bytes(hash)), &result);
	if (status == STATUS_OK && result.row_count == 0)
		status = STATUS_REFUSED;
	if (status == STATUS_OK)
		read_bytes(&result, 0, lobby_hash);
	postgres_result_release(&result);
	return status;
}

enum status room_record_list(struct room_record *record,
	char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count)
{
	struct postgres_result result;
	enum status status = execute(record, &list_statement,
		POSTGRES_PARAMETERS(postgres_bigint((int64_t)max)), &result);
	*count = 0;
	for (size_t i = 0; status == STATUS_OK && i < result.row_count; i++) {
		struct slice event = postgres_get_text(&result, i, 0);
		if (event.size <= WAITING_ROOM_EVENT_SIZE_MAX)
			snprintf(events[(*count)++], sizeof events[0], "%.*s", SLICE_PRINT(event));
	}
	postgres_result_release(&result);
	return status;
}
