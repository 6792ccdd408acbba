/* The parts of the bench of a rush: its crowd, and the files of requests that it asks. What cannot
 * be done ends the bench. */
#pragma once

#include <stdint.h>

#include "bench/http_load.h"
#include "lib/base/id.h"
#include "real-implementation/product_programs_bench.h"

enum { RUSH_TEXT_SIZE = 512, RUSH_QUEUE_DEPTH = 4 /* As in the family's bench. */ };

struct rush_settings {
	int64_t seconds, rounds, connections, sweep_seconds, seats, purchases, persons;
};

extern struct rush_settings rush_settings;

enum rush_subject {
	JOINS,
	MEMORY_JOINS,
	READS,
	SAME_READS,
	HOLDS,
	CALM_HOLDS,
	RUSH_HOLDS,
	PGBENCH_HOLDS,
	PURCHASES,
	PURCHASE_HOLDS,
	PURCHASE_ORDERS,
	PURCHASE_PAYMENTS,
	PGBENCH_PURCHASES,
	SUBJECT_COUNT,
};

extern const char *const rush_titles[];

/* One round's outcome. */
void rush_note(enum rush_subject subject, const struct http_load_outcome *outcome);

/* An event of so many seats, s-1 and so on, in ten sections, in the database. */
struct rush_event {
	char id[ID_TEXT_SIZE];
	int64_t seats;
};

/* Import the hall, once; and an event in it, whose waiting room stays closed. */
void rush_import_hall(const struct product *product, int64_t seats);
void rush_import_event(const struct product *product, const char *name, struct rush_event *event);

/* Such an event, named after what it is for, and its id. */
void rush_new_event(const char *what, int64_t round, struct rush_event *event);

/* A file of the scratch folder. */
const char *rush_scratch(char path[RUSH_TEXT_SIZE], const char *name);

/* Start what joins and reads are held against; and a round of them. */
void rush_queue_open(const struct product *started);
void rush_queue_close(void);
void rush_queue_round(int64_t round);

/* Sessions of so many people, signed as the product does it. */
void rush_open_people(int64_t count);
void rush_close_people(void);

/* Files for http_load: line i is the request of person i, modulo their number. */
void rush_write_joins(const char *path, const char *event);
/* In random order, each seat once. */
void rush_write_holds(const char *path, const struct rush_event *event, int64_t count);
/* Of what was kept of so many holds, orders and joins, all of which were granted. */
void rush_write_orders(const char *path, const char *kept, int64_t count);
void rush_write_confirmations(const char *path, const char *kept, int64_t count);
void rush_write_reads(const char *path, const char *kept, int64_t count);
