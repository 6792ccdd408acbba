/* The lobby and its shuffle. Part of the suite. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ticketing/shuffle.h"
#include "tech-waiting-room/suite_conformance.h"

enum { PEOPLE = 60, LEAVER = 7 };

static const char *lobby_with(struct suite *suite, struct waiting_room_settings *settings)
{
	settings->state = WAITING_ROOM_LOBBY;
	TRY(suite_configure(suite, settings));
	int64_t joined = 0;
	while (joined < PEOPLE) {
		size_t count = (size_t)random_between(&suite->random, 1, PEOPLE - joined);
		TRY(suite_join_range(suite, (int)random_below(&suite->random, SUITE_INSTANCES),
			joined + 1, count));
		for (size_t i = 0; i < count; i++) {
			const struct join_result *result = &suite->joined[i];
			CHECK(suite,
				result->outcome == JOIN_NEW && result->state == PERSON_LOBBY &&
					result->place == 0 && result->epoch == 1,
				"lobby: outcome %d, state %d, place %" PRId64, (int)result->outcome,
				(int)result->state, result->place);
			CHECK(suite, result->rank == joined + (int64_t)i + 1,
				"lobby: rank %" PRId64 " after %" PRId64, result->rank,
				joined + (int64_t)i);
		}
		joined += (int64_t)count;
	}
	return NULL;
}

/* The shuffle's seed stays secret, and nobody has a place or is in the list. */
static const char *expect_lobby(struct suite *suite, int64_t waiting)
{
	static const uint8_t zeros[WAITING_ROOM_SEED_SIZE];
	TRY(suite_view(suite, 1));
	const struct waiting_room_view *view = &suite->view;
	CHECK(suite,
		view->lobby_size == PEOPLE && view->waiting == waiting && view->tail == 0 &&
			view->serving == 0,
		"lobby: size %" PRId64 ", waiting %" PRId64 ", tail %" PRId64, view->lobby_size,
		view->waiting, view->tail);
	CHECK(suite,
		view->settings.state == WAITING_ROOM_LOBBY && !view->shuffled &&
			memcmp(view->seed, zeros, sizeof zeros) == 0,
		"lobby: it is open, or its seed is known");
	char people[1][SUITE_NAME_SIZE];
	size_t count = 0;
	enum status status =
		waiting_room_lobby(suite->rooms[0], slice_of(suite->event), 1, people, 1, &count);
	CHECK(suite, status == STATUS_OK && count == 0, "the lobby's list is known too early");
	return NULL;
}

const char *check_lobby_ranks(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(lobby_with(suite, &settings));
	TRY(suite_admit(suite, 0, 10));
	CHECK(suite, suite->admission_count == 0, "somebody is called out of the lobby");
	TRY(expect_lobby(suite, PEOPLE));

	TRY(suite_join_number(suite, 1, 3));
	CHECK(suite,
		suite->joined[0].outcome == JOIN_AGAIN && suite->joined[0].rank == 3 &&
			suite->joined[0].state == PERSON_LOBBY,
		"lobby: joining again gives rank %" PRId64, suite->joined[0].rank);
	TRY(suite_person_number(suite, 0, waiting_room_leave, LEAVER));
	CHECK(suite,
		suite->people[0].state == PERSON_LEFT && suite->people[0].changed &&
			suite->people[0].rank == LEAVER,
		"nobody can leave the lobby");
	TRY(suite_person_number(suite, 1, waiting_room_look_up, LEAVER + 1));
	CHECK(suite,
		suite->people[0].state == PERSON_LOBBY && suite->people[0].place == 0 &&
			suite->people[0].rank == LEAVER + 1,
		"look_up tells another rank");
	return expect_lobby(suite, PEOPLE - 1);
}

/* ---- recomputing ---- */

/* Read the list in pages of random size, as whoever verifies it would. */
static const char *read_list(struct suite *suite, int64_t size, struct lobby_list *list)
{
	enum { PAGE = 13 };
	char people[PAGE][SUITE_NAME_SIZE];
	lobby_list_init(list, slice_of(suite->event));
	while (list->size < size) {
		size_t max = (size_t)random_between(&suite->random, 1, PAGE);
		size_t count = 0;
		enum status status = waiting_room_lobby(suite->rooms[1], slice_of(suite->event),
			list->size + 1, people, max, &count);
		CHECK(suite, status == STATUS_OK && count >= 1 && count <= max,
			"lobby: %zu people from rank %" PRId64 ", status %s", count, list->size + 1,
			status_name(status));
		for (size_t i = 0; i < count; i++)
			lobby_list_add(list, slice_of(suite->event), slice_of(people[i]));
	}
	CHECK(suite, list->size == size, "lobby: the list goes on behind its end");
	return NULL;
}

/* Verify what is published against the `commitment` of before; `order` is everybody's right place.
 * The caller frees it. */
static const char *recompute(
	struct suite *suite, const uint8_t commitment[], struct shuffle **order)
{
	const struct waiting_room_view *view = &suite->view;
	struct shuffle_published published = {.beacon = {"", 0}, .lobby_size = view->lobby_size};
	memcpy(published.commitment, commitment, sizeof published.commitment);
	memcpy(published.seed, view->seed, sizeof published.seed);
	memcpy(published.list_hash, view->lobby_hash, sizeof published.list_hash);
	struct lobby_list list;
	TRY(read_list(suite, view->lobby_size, &list));
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	enum shuffle_verdict verdict = shuffle_verify(&published, &list, final_seed);
	CHECK(suite, verdict == SHUFFLE_FAIR, "the shuffle is not as promised: %s",
		shuffle_verdict_text(verdict));
	*order = shuffle_new(final_seed, view->lobby_size);
	CHECK(suite, *order, "there is no memory for the order");
	return NULL;
}

/* People 1 to `size` had the ranks of their numbers. */
static const char *expect_places(struct suite *suite, const struct shuffle *order, int64_t size)
{
	TRY(suite_person_range(suite, 0, waiting_room_look_up, 1, (size_t)size));
	for (int64_t rank = 1; rank <= size; rank++) {
		const struct person_result *person = &suite->people[rank - 1];
		if (rank == LEAVER) {
			CHECK(suite, person->state == PERSON_LEFT, "who left the lobby is back");
			continue;
		}
		CHECK(suite,
			person->state == PERSON_WAITING && person->rank == rank &&
				person->place == shuffle_place(order, rank),
			"rank %" PRId64 " has place %" PRId64 " instead of %" PRId64, rank,
			person->place, shuffle_place(order, rank));
	}
	return NULL;
}

/* Everybody is called by place, who left is passed over, late comers follow. */
static const char *expect_called_in_order(
	struct suite *suite, const struct shuffle *order, int64_t late_comers)
{
	for (int64_t place = 1; place <= PEOPLE + late_comers; place++) {
		char name[SUITE_NAME_SIZE];
		int64_t person = place <= PEOPLE ? shuffle_rank(order, place) : place;
		if (person == LEAVER)
			continue;
		TRY(suite_admit(suite, (int)(place % SUITE_INSTANCES), 1));
		CHECK(suite,
			suite->admission_count == 1 &&
				suite_admitted_is(suite, 0, suite_name(person, name)) &&
				suite->admissions[0].place == place,
			"place %" PRId64 " is called when it is the turn of %" PRId64 " (%s)",
			suite->admissions[0].place, place, name);
	}
	TRY(suite_admit(suite, 0, 1));
	CHECK(suite, suite->admission_count == 0, "somebody is called who is not there");
	return NULL;
}

static const char *expect_fair_order(struct suite *suite, const struct shuffle *order)
{
	enum { LATE = 3 };
	TRY(expect_places(suite, order, PEOPLE));
	for (int i = 1; i <= LATE; i++) {
		TRY(suite_join_number(suite, i % SUITE_INSTANCES, PEOPLE + i));
		CHECK(suite,
			suite->joined[0].outcome == JOIN_NEW && suite->joined[0].rank == 0 &&
				suite->joined[0].place == PEOPLE + i,
			"a late comer has place %" PRId64, suite->joined[0].place);
	}
	TRY(suite_join_number(suite, 1, 5));
	CHECK(suite,
		suite->joined[0].outcome == JOIN_AGAIN && suite->joined[0].rank == 5 &&
			suite->joined[0].place == shuffle_place(order, 5),
		"joining again tells another place than the shuffle gave");
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	return expect_called_in_order(suite, order, LATE);
}

static const char *open_and_verify(
	struct suite *suite, const uint8_t commitment[], struct shuffle **order)
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = 0;
	TRY(suite_configure(suite, &settings));
	TRY(suite_wait_shuffled(suite, 10));
	CHECK(suite,
		suite->view.lobby_size == PEOPLE && suite->view.tail == PEOPLE &&
			suite->view.serving == 0 && suite->view.waiting == PEOPLE - 1,
		"after the shuffle of %d the tail is %" PRId64 " and %" PRId64 " wait", PEOPLE,
		suite->view.tail, suite->view.waiting);
	TRY(recompute(suite, commitment, order));
	return expect_fair_order(suite, *order);
}

const char *check_shuffle_by_hand(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(lobby_with(suite, &settings));
	TRY(suite_person_number(suite, 0, waiting_room_leave, LEAVER));
	TRY(suite_view(suite, 0));
	uint8_t commitment[WAITING_ROOM_SEED_SIZE];
	memcpy(commitment, suite->view.seed_commitment, sizeof commitment);
	struct shuffle *order = NULL;
	const char *violation = open_and_verify(suite, commitment, &order);
	shuffle_free(order);
	return violation;
}

const char *check_lobby_paging(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(lobby_with(suite, &settings));
	settings = suite_settings();
	settings.active_max = 0;
	TRY(suite_configure(suite, &settings));
	TRY(suite_wait_shuffled(suite, 1));
	for (int64_t from = 1; from <= PEOPLE + 2; from += 7) {
		char people[PEOPLE + 2][SUITE_NAME_SIZE];
		size_t count = 0;
		enum status status = waiting_room_lobby(
			suite->rooms[0], slice_of(suite->event), from, people, PEOPLE + 2, &count);
		size_t expected = from > PEOPLE ? 0 : (size_t)(PEOPLE + 1 - from);
		CHECK(suite, status == STATUS_OK && count == expected,
			"lobby: %zu people from rank %" PRId64 " on", count, from);
		for (size_t i = 0; i < count; i++) {
			char name[SUITE_NAME_SIZE];
			suite_name(from + (int64_t)i, name);
			CHECK(suite, strcmp(people[i], name) == 0, "lobby: rank %" PRId64 " is %s",
				from + (int64_t)i, people[i]);
		}
	}
	return NULL;
}

/* ---- the start ---- */

const char *check_start_by_time(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	int64_t starts_at_ms = suite_now_ms(suite) + 1500;
	settings.state = WAITING_ROOM_LOBBY;
	settings.starts_at_ms = starts_at_ms;
	TRY(suite_configure(suite, &settings));
	/* On a slow machine these may come after the start; then they have no rank. */
	TRY(suite_join_range(suite, 0, 1, 20));
	bool in_time = suite->joined[0].state == PERSON_LOBBY;
	CHECK(suite, in_time || suite_now_ms(suite) >= starts_at_ms - SUITE_TOLERANCE_MS,
		"before the start people have state %d", (int)suite->joined[0].state);

	int64_t start_ms = suite_now_ms(suite);
	size_t called = 0;
	while (called < 20) {
		TRY(suite_admit(suite, 1, 20));
		for (size_t i = 0; i < suite->admission_count; i++)
			CHECK(suite,
				suite->admissions[i].admitted_at_ms >=
					starts_at_ms - SUITE_TOLERANCE_MS,
				"somebody is called before the start");
		called += suite->admission_count;
		CHECK(suite, called == 20 || suite_wait(suite, start_ms), "the room never opens");
	}
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view.settings.state == WAITING_ROOM_OPEN && suite->view.shuffled,
		"after the start the room is in state %d", (int)suite->view.settings.state);
	CHECK(suite, suite->view.lobby_size == (in_time ? 20 : 0) && suite->view.tail == 20,
		"the lobby of 20 had %" PRId64, suite->view.lobby_size);
	return NULL;
}

const char *check_empty_lobby(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	settings.state = WAITING_ROOM_LOBBY;
	TRY(suite_configure(suite, &settings));
	settings.state = WAITING_ROOM_OPEN;
	TRY(suite_configure(suite, &settings));
	TRY(suite_wait_shuffled(suite, 1));
	CHECK(suite, suite->view.lobby_size == 0 && suite->view.tail == 0,
		"nobody was in the lobby, and the tail is %" PRId64, suite->view.tail);
	TRY(suite_join_number(suite, 1, 1));
	CHECK(suite, suite->joined[0].place == 1, "the first has place %" PRId64,
		suite->joined[0].place);
	TRY(suite_admit(suite, 0, 5));
	CHECK(suite, suite->admission_count == 1, "the first is not called");
	return NULL;
}

static const char *expect_no_return(struct suite *suite, enum waiting_room_state state)
{
	struct waiting_room_settings settings = suite_settings();
	settings.state = state;
	TRY(suite_configure(suite, &settings));
	settings.state = WAITING_ROOM_LOBBY;
	settings.active_max = 7;
	enum status status =
		waiting_room_configure(suite->rooms[1], slice_of(suite->event), &settings, NULL);
	CHECK(suite, status == STATUS_REFUSED,
		"a room that was open may return to its lobby: status %s", status_name(status));
	TRY(suite_view(suite, 0));
	CHECK(suite,
		suite->view.settings.state == state &&
			suite->view.settings.active_max == WAITING_ROOM_ACTIVE_MAX,
		"a refused change of settings has changed some");
	return NULL;
}

const char *check_no_return_to_lobby(struct suite *suite)
{
	TRY(expect_no_return(suite, WAITING_ROOM_OPEN));
	TRY(expect_no_return(suite, WAITING_ROOM_PAUSED));
	TRY(expect_no_return(suite, WAITING_ROOM_CLOSED));
	suite_new_event(suite);
	struct waiting_room_settings settings = suite_settings();
	settings.state = WAITING_ROOM_LOBBY;
	TRY(suite_configure(suite, &settings));
	return expect_no_return(suite, WAITING_ROOM_OPEN);
}
