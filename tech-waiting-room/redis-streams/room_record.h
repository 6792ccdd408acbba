/* The durable record of waiting rooms in PostgreSQL: what must outlive the loss of Redis.
 *
 * One row per event (../schema/waiting_room.sql). Numbers are reserved here, in blocks, before
 * Redis may give them out; after a loss both lines go on from their ceilings, so that no place is
 * given twice and nobody is passed by. Belongs to one thread. */
#pragma once

#include "tech-waiting-room/waiting_room.h"

struct room_record;

struct room_record_row {
	struct waiting_room_settings settings;
	int64_t epoch; /* 0: reserved for nobody yet. */
	int64_t tail_ceiling, serving_ceiling;
	bool had_lobby;
	int64_t lobby_cut; /* -1 while the lobby is open. */
	uint8_t seed[WAITING_ROOM_SEED_SIZE];
	bool shuffled; /* The hash is there. */
	uint8_t lobby_hash[WAITING_ROOM_SEED_SIZE];
};

/* REFUSED: what no retry mends. A database that does not answer at the moment is no failure: the
 * calls are UNAVAILABLE until it does. */
__attribute__((warn_unused_result)) enum status room_record_open(const char *url,
	int64_t call_ms_max, bool fail_fast, struct room_record **record, struct fault *fault);
void room_record_close(struct room_record *record);

/* Write the settings, and for a new event the seed. REFUSED: back into the lobby, or bad text. */
__attribute__((warn_unused_result)) enum status room_record_configure(struct room_record *record,
	struct slice event, const struct waiting_room_settings *settings,
	const uint8_t seed[WAITING_ROOM_SEED_SIZE]);

__attribute__((warn_unused_result)) enum status room_record_load(
	struct room_record *record, struct slice event, struct room_record_row *row, bool *found);

/* Make `epoch` the next one. It does not matter who did it: load again. */
__attribute__((warn_unused_result)) enum status room_record_next_epoch(
	struct room_record *record, struct slice event, int64_t epoch);

/* Raise the ceilings to at least these; they come back as they stand. */
__attribute__((warn_unused_result)) enum status room_record_reserve(
	struct room_record *record, struct slice event, int64_t *tail, int64_t *serving);

/* Record how many the lobby had; comes back as recorded first. */
__attribute__((warn_unused_result)) enum status room_record_cut(
	struct room_record *record, struct slice event, int64_t *cut);

/* Record the hash of the lobby's list; comes back as recorded first. */
__attribute__((warn_unused_result)) enum status room_record_shuffle(
	struct room_record *record, struct slice event, uint8_t lobby_hash[WAITING_ROOM_SEED_SIZE]);

__attribute__((warn_unused_result)) enum status room_record_list(struct room_record *record,
	char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count);
