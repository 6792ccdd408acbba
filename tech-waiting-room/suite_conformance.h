/* What the checks of the suite are made with. Private to the suite.
 *
 * A helper returns NULL, or what is violated, as a check does; CHECK and TRY pass it on. */
#pragma once

#include "lib/testkit/random.h"
#include "tech-waiting-room/waiting_room_conformance.h"

enum {
	SUITE_INSTANCES = 2,
	SUITE_PATIENCE_MS = 60000, /* For what has to happen at some time. */
	SUITE_STEP_MS = 50,        /* Between two looks. */
	/* Two clocks that tell the same time are rounded differently, and one may be slewed. */
	SUITE_TOLERANCE_MS = 100,
	SUITE_WINDOW_SECONDS_MAX = 32,
	SUITE_NAME_SIZE = WAITING_ROOM_PERSON_SIZE_MAX + 1,
};

struct suite {
	const struct waiting_room_factory *factory;
	struct waiting_room *rooms[SUITE_INSTANCES];
	const struct waiting_room_traits *traits;
	struct random random;
	char event[WAITING_ROOM_EVENT_SIZE_MAX + 1];
	bool conclusive; /* See suite_with_windows. */
	bool patient;    /* UNKNOWN is tried again: the service was just disturbed. */
	char *message;
	size_t message_size;

	/* What the last call was about and gave back. */
	char names[WAITING_ROOM_BATCH_MAX][SUITE_NAME_SIZE];
	struct join_request join_requests[WAITING_ROOM_BATCH_MAX];
	struct join_result joined[WAITING_ROOM_BATCH_MAX];
	struct person_request person_requests[WAITING_ROOM_BATCH_MAX];
	struct person_result people[WAITING_ROOM_BATCH_MAX];
	struct admission admissions[WAITING_ROOM_BATCH_MAX];
	size_t admission_count;
	struct waiting_room_view view;
	int64_t next_ms;
};

/* Open the instances, and draw an event id that nobody has. NULL when that fails, which `message`
 * then says. */
struct suite *suite_open(const struct waiting_room_factory *factory, uint64_t seed, char *message,
	size_t message_size);
void suite_close(struct suite *suite);

/* Draw another event id. */
void suite_new_event(struct suite *suite);

__attribute__((format(printf, 2, 3))) const char *suite_violation(
	struct suite *suite, const char *format, ...);

/* They return from the check, which no function could. */
#define CHECK(suite, condition, ...) \
	do { \
		if (!(condition)) \
			return suite_violation(suite, __VA_ARGS__); \
	} while (0)
#define TRY(expression) \
	do { \
		const char *violation_ = (expression); \
		if (violation_) \
			return violation_; \
	} while (0)

/* ---- time ---- */

int64_t suite_now_ms(const struct suite *suite);

/* Let a step pass. False once SUITE_PATIENCE_MS have passed since `start_ms`. */
bool suite_wait(const struct suite *suite, int64_t start_ms);

/* A check that needs a window in which the machine was quick enough: asked with 1, 2, 4, … seconds
 * until it leaves suite->conclusive true. */
typedef const char *suite_window(struct suite *suite, int64_t seconds);
const char *suite_with_windows(struct suite *suite, suite_window *try);

/* ---- calls; `room` is the number of the instance. What cannot be done is a violation. ---- */

/* Nothing limits: open, the highest rate, room for all, windows of an hour. */
struct waiting_room_settings suite_settings(void);

const char *suite_configure(struct suite *suite, const struct waiting_room_settings *settings);
const char *suite_view(struct suite *suite, int room);

/* "p<number>", the name of a person. */
struct slice suite_name(int64_t number, char text[SUITE_NAME_SIZE]);

/* suite->join_requests[0..count), which the caller has filled in. */
const char *suite_join_requests(struct suite *suite, int room, size_t count);
/* The people `first` to `first` + `count` - 1, in one call. */
const char *suite_join_range(struct suite *suite, int room, int64_t first, size_t count);
/* One person; what came back is joined[0]. */
const char *suite_join(struct suite *suite, int room, struct slice person);
const char *suite_join_number(struct suite *suite, int room, int64_t number);

typedef enum status suite_operation(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count);

/* suite->person_requests[0..count), which the caller has filled in. `operation` is
 * waiting_room_look_up, …_heartbeat, …_claim or …_leave. */
const char *suite_person_requests(
	struct suite *suite, int room, suite_operation *operation, size_t count);
const char *suite_person_range(
	struct suite *suite, int room, suite_operation *operation, int64_t first, size_t count);
/* One person; what came back is people[0]. */
const char *suite_person(
	struct suite *suite, int room, suite_operation *operation, struct slice person);
const char *suite_person_number(
	struct suite *suite, int room, suite_operation *operation, int64_t number);

/* Into admissions, admission_count, view, next_ms. A room that has to prepare something first may
 * call fewer than it could and ask to be called again at once; then it is. */
const char *suite_admit(struct suite *suite, int room, size_t max);

/* Admit until the lobby has been shuffled. */
const char *suite_wait_shuffled(struct suite *suite, size_t max);

/* Whether admissions[index] is of this person. */
bool suite_admitted_is(const struct suite *suite, size_t index, struct slice person);

/* ---- the checks, by file ---- */

typedef const char *suite_check(struct suite *suite);

/* join_conformance.c */
suite_check check_unknown_event, check_settings_are_shown, check_order, check_duplicates_in_a_batch,
	check_joining_again, check_hostile_ids, check_event_ids, check_batch_limits, check_list;
/* admit_conformance.c */
suite_check check_admission_in_order, check_capacity, check_rate, check_slow_rate, check_leaving,
	check_claiming, check_pause, check_drain_and_close, check_lost_admission;
/* time_conformance.c */
suite_check check_claim_window, check_silence, check_session_end, check_next_ms;
/* lobby_conformance.c */
suite_check check_lobby_ranks, check_shuffle_by_hand, check_lobby_paging, check_start_by_time,
	check_empty_lobby, check_no_return_to_lobby;
/* random_conformance.c */
suite_check check_random_operations;
/* parallel_conformance.c */
suite_check check_parallel_joins, check_parallel_admissions;
/* loss_conformance.c */
suite_check check_traits, check_restart, check_redelivery, check_loss, check_loss_of_active,
	check_loss_in_lobby, check_loss_after_shuffle;
