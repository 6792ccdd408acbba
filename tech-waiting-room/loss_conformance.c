/* What outlives a restart, a redelivery and the loss of everything but the durable record. Part of
 * the suite. Each trait that a technology claims is proved here or in join_conformance.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ticketing/shuffle.h"
#include "tech-waiting-room/suite_conformance.h"

enum { PEOPLE = 30, ACTIVE = 5 };

const char *check_traits(struct suite *suite)
{
	const struct waiting_room_traits *traits = suite->traits;
	CHECK(suite, traits->name && traits->name[0], "traits: there is no name");
	CHECK(suite, traits->batch_max >= 1 && traits->batch_max <= WAITING_ROOM_BATCH_MAX,
		"traits: batch_max is %zu", traits->batch_max);
	CHECK(suite, traits->poll_ms >= 1, "traits: poll_ms is %" PRId64, traits->poll_ms);
	CHECK(suite, waiting_room_traits(suite->rooms[1])->batch_max == traits->batch_max,
		"traits: two instances differ");
	CHECK(suite, !traits->survives_restart || suite->factory->restart,
		"survives_restart is claimed, and the factory cannot restart");
	CHECK(suite, !traits->survives_data_loss || suite->factory->lose,
		"survives_data_loss is claimed, and the factory cannot lose");
	CHECK(suite, !traits->redelivers || suite->factory->redeliver,
		"redelivers is said, and the factory cannot redeliver");
	return NULL;
}

static const char *disturb(struct suite *suite, enum status (*how)(void *context))
{
	suite->patient = true;
	enum status status = how(suite->factory->context);
	CHECK(suite, status == STATUS_OK, "the service cannot be disturbed: %s",
		status_name(status));
	return NULL;
}

/* ---- restart and redelivery ---- */

/* 1 and 2 active (1 has claimed), 3 and 20 have left, the others wait. */
static const char *some_of_each(struct suite *suite, struct person_result people[])
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = 3;
	TRY(suite_configure(suite, &settings));
	TRY(suite_join_range(suite, 0, 1, PEOPLE));
	TRY(suite_admit(suite, 0, 10));
	TRY(suite_person_number(suite, 0, waiting_room_claim, 1));
	TRY(suite_person_number(suite, 0, waiting_room_leave, 3));
	TRY(suite_person_number(suite, 1, waiting_room_leave, 20));
	TRY(suite_person_range(suite, 1, waiting_room_look_up, 1, PEOPLE));
	memcpy(people, suite->people, PEOPLE * sizeof *people);
	return suite_view(suite, 0);
}

static const char *expect_same_people(struct suite *suite, const struct person_result people[])
{
	TRY(suite_person_range(suite, 1, waiting_room_look_up, 1, PEOPLE));
	for (int i = 0; i < PEOPLE; i++) {
		const struct person_result *before = &people[i], *after = &suite->people[i];
		CHECK(suite,
			after->state == before->state && after->place == before->place &&
				after->claimed == before->claimed &&
				after->epoch == before->epoch &&
				after->admitted_at_ms == before->admitted_at_ms &&
				after->pass_ends_at_ms == before->pass_ends_at_ms,
			"p%d has state %d and place %" PRId64 " afterwards, not %d and %" PRId64,
			i + 1, (int)after->state, after->place, (int)before->state, before->place);
	}
	return NULL;
}

static const char *expect_nothing_lost(struct suite *suite, enum status (*how)(void *context))
{
	struct person_result people[PEOPLE] = {0};
	TRY(some_of_each(suite, people));
	struct waiting_room_view before = suite->view;
	TRY(disturb(suite, how));
	TRY(suite_view(suite, 1));
	const struct waiting_room_view *view = &suite->view;
	CHECK(suite,
		view->epoch == before.epoch && view->serving == before.serving &&
			view->tail == before.tail && view->waiting == before.waiting &&
			view->active == before.active && view->admitted == before.admitted &&
			view->exact && view->settings.active_max == 3,
		"the room stands otherwise: tail %" PRId64 ", active %" PRId64 ", waiting %" PRId64,
		view->tail, view->active, view->waiting);
	CHECK(suite,
		memcmp(view->seed_commitment, before.seed_commitment,
			sizeof before.seed_commitment) == 0,
		"the commitment to the seed has changed");
	TRY(expect_same_people(suite, people));
	TRY(suite_join_number(suite, 0, PEOPLE + 1));
	CHECK(suite, suite->joined[0].place == PEOPLE + 1, "the next place is %" PRId64,
		suite->joined[0].place);
	TRY(suite_admit(suite, 1, 10));
	CHECK(suite, suite->admission_count == 1 && suite->admissions[0].place == 4,
		"%zu are admitted to one free slot", suite->admission_count);
	return NULL;
}

const char *check_restart(struct suite *suite)
{
	if (!suite->traits->survives_restart || !suite->factory->restart)
		return NULL;
	return expect_nothing_lost(suite, suite->factory->restart);
}

const char *check_redelivery(struct suite *suite)
{
	if (!suite->traits->redelivers || !suite->factory->redeliver)
		return NULL;
	return expect_nothing_lost(suite, suite->factory->redeliver);
}

/* ---- loss ---- */

static bool can_lose(const struct suite *suite)
{
	return suite->traits->survives_data_loss && suite->factory->lose;
}

/* Lose everything, and see that the room goes on in its next epoch; `before` it stood like this. */
static const char *lose(struct suite *suite, const struct waiting_room_view *before)
{
	TRY(disturb(suite, suite->factory->lose));
	TRY(suite_view(suite, 0));
	const struct waiting_room_view *view = &suite->view;
	CHECK(suite, view->epoch == before->epoch + 1, "epoch %" PRId64 " follows %" PRId64,
		view->epoch, before->epoch);
	CHECK(suite, view->serving >= before->serving && view->tail >= before->tail,
		"serving or tail have gone back: %" PRId64 " of %" PRId64, view->serving,
		view->tail);
	CHECK(suite,
		view->settings.state == before->settings.state &&
			view->settings.active_max == before->settings.active_max &&
			view->settings.claim_seconds == before->settings.claim_seconds,
		"the settings are lost");
	CHECK(suite,
		memcmp(view->seed_commitment, before->seed_commitment,
			sizeof view->seed_commitment) == 0,
		"the commitment to the seed has changed");
	return NULL;
}

static const char *wait_exact(struct suite *suite)
{
	int64_t start_ms = suite_now_ms(suite);
	for (;;) {
		TRY(suite_view(suite, 1));
		if (suite->view.exact)
			return NULL;
		CHECK(suite, suite_wait(suite, start_ms), "the room never becomes exact again");
	}
}

struct token {
	int64_t person, place, rank, epoch;
};

static const char *join_with(struct suite *suite, struct token token, enum join_outcome outcome)
{
	suite->join_requests[0] = (struct join_request){
		.person = suite_name(token.person, suite->names[0]),
		.token_place = token.place,
		.token_rank = token.rank,
		.token_epoch = token.epoch,
	};
	TRY(suite_join_requests(suite, 0, 1));
	CHECK(suite, suite->joined[0].outcome == outcome,
		"p%" PRId64 " shows place %" PRId64 " of epoch %" PRId64 ": outcome %d, not %d",
		token.person, token.place, token.epoch, (int)suite->joined[0].outcome,
		(int)outcome);
	CHECK(suite, suite->joined[0].epoch >= 1 && suite->joined[0].epoch <= suite->view.epoch,
		"join: epoch %" PRId64 " in the room's %" PRId64, suite->joined[0].epoch,
		suite->view.epoch);
	return NULL;
}

static const char *comes_back(
	struct suite *suite, struct token token, enum join_outcome outcome, int64_t place)
{
	TRY(join_with(suite, token, outcome));
	CHECK(suite, suite->joined[0].place == place && suite->joined[0].state == PERSON_WAITING,
		"p%" PRId64 " shows place %" PRId64 " and gets %" PRId64, token.person, token.place,
		suite->joined[0].place);
	return NULL;
}

static const char *goes_to_the_back(struct suite *suite, struct token token, int64_t behind)
{
	TRY(join_with(suite, token, JOIN_NEW));
	CHECK(suite, suite->joined[0].place > behind,
		"p%" PRId64 " gets place %" PRId64 ", which may be another's", token.person,
		suite->joined[0].place);
	return NULL;
}

static const char *before_the_loss(struct suite *suite, int64_t heartbeat_seconds,
	struct waiting_room_view *before, struct admission passes[])
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = ACTIVE;
	settings.heartbeat_seconds = heartbeat_seconds;
	TRY(suite_configure(suite, &settings));
	TRY(suite_join_range(suite, 0, 1, PEOPLE));
	TRY(suite_admit(suite, 0, ACTIVE));
	CHECK(suite, suite->admission_count == ACTIVE, "%zu are admitted before the loss",
		suite->admission_count);
	memcpy(passes, suite->admissions, ACTIVE * sizeof *passes);
	*before = suite->view;
	return NULL;
}

/* Places are shown again, in no order, with and without tokens, true and useless ones. */
static const char *people_come_back(struct suite *suite, int64_t tail)
{
	/* Whoever shows nothing stands behind all that may come back. */
	TRY(goes_to_the_back(suite, (struct token){.person = 12}, tail));
	int64_t twelfth = suite->joined[0].place;
	TRY(comes_back(suite, (struct token){10, 10, 0, 1}, JOIN_RESTORED, 10));
	TRY(comes_back(suite, (struct token){7, 7, 0, 1}, JOIN_RESTORED, 7));
	TRY(comes_back(suite, (struct token){7, 7, 0, 1}, JOIN_AGAIN, 7));
	TRY(comes_back(suite, (struct token){.person = 7}, JOIN_AGAIN, 7));
	/* The smaller of two places wins. */
	TRY(comes_back(suite, (struct token){12, 12, 0, 1}, JOIN_RESTORED, 12));
	TRY(comes_back(suite, (struct token){12, twelfth, 0, 2}, JOIN_AGAIN, 12));
	TRY(comes_back(suite, (struct token){10, 20, 0, 1}, JOIN_AGAIN, 10));
	/* A token of this epoch that the room does not know, one of the future, one of none, one
	 * behind everybody. */
	TRY(goes_to_the_back(suite, (struct token){15, 15, 0, 2}, tail));
	TRY(goes_to_the_back(suite, (struct token){16, 16, 0, 99}, tail));
	TRY(goes_to_the_back(suite, (struct token){17, 17, 0, 0}, tail));
	TRY(comes_back(suite, (struct token){15, 15, 0, 1}, JOIN_RESTORED, 15));
	return NULL;
}

/* The lowest places first, whenever they came back. */
static const char *expect_called_after_the_loss(struct suite *suite)
{
	static const int64_t order[] = {7, 10, 12, 15, 16, 17};
	enum { COUNT = sizeof order / sizeof *order };
	TRY(wait_exact(suite));
	TRY(suite_admit(suite, 1, 3));
	TRY(suite_person_number(suite, 0, waiting_room_look_up, 12));
	CHECK(suite, suite->admission_count == 3 && suite->people[0].state == PERSON_ADMITTED,
		"who came back is not called first");
	CHECK(suite, suite->admissions[0].place == 7 && suite->admissions[2].place == 12,
		"who came back is called in another order");
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	TRY(suite_admit(suite, 0, 10));
	CHECK(suite, suite->admission_count == COUNT - 3, "%zu are called after the loss",
		suite->admission_count);
	for (size_t i = 0; i < suite->admission_count; i++) {
		char name[SUITE_NAME_SIZE];
		CHECK(suite, suite_admitted_is(suite, i, suite_name(order[i + 3], name)),
			"%s is called after the loss when it is the turn of %s",
			suite->admissions[i].person, name);
	}
	return NULL;
}

const char *check_loss(struct suite *suite)
{
	if (!can_lose(suite))
		return NULL;
	struct waiting_room_view before = {0};
	struct admission passes[ACTIVE] = {0};
	TRY(before_the_loss(suite, 2, &before, passes));
	TRY(lose(suite, &before));
	CHECK(suite, suite->view.active == 0 && suite->view.waiting == 0,
		"after the loss %" PRId64 " are active", suite->view.active);
	int64_t serving = suite->view.serving;
	TRY(suite_person_number(suite, 1, waiting_room_look_up, 9));
	CHECK(suite, suite->people[0].state == PERSON_UNKNOWN, "p9 is not forgotten");
	TRY(people_come_back(suite, PEOPLE));
	TRY(expect_called_after_the_loss(suite));
	CHECK(suite, suite->view.serving >= serving, "serving has gone back");

	/* And once more: places of both epochs are worth something now. */
	before = suite->view;
	TRY(lose(suite, &before));
	TRY(comes_back(suite, (struct token){20, 20, 0, 1}, JOIN_RESTORED, 20));
	TRY(comes_back(suite, (struct token){9, before.tail, 0, 2}, JOIN_RESTORED, before.tail));
	return comes_back(suite, (struct token){9, 9, 0, 1}, JOIN_RESTORED, 9);
}

/* ---- the active ---- */

static const char *show_pass(struct suite *suite, const struct admission *pass)
{
	suite->person_requests[0] = (struct person_request){
		.person = slice_of(pass->person),
		.pass_place = pass->place,
		.pass_epoch = pass->epoch,
		.pass_admitted_at_ms = pass->admitted_at_ms,
	};
	return suite_person_requests(suite, 1, waiting_room_heartbeat, 1);
}

/* All five show their passes; the room takes three by now. */
static const char *show_passes(struct suite *suite, const struct admission passes[], int *restored)
{
	*restored = 0;
	for (int i = 0; i < ACTIVE; i++) {
		TRY(show_pass(suite, &passes[i]));
		const struct person_result *person = &suite->people[0];
		bool active = person->state == PERSON_ADMITTED;
		*restored += active;
		CHECK(suite,
			!active ||
				(person->changed && person->place == passes[i].place &&
					person->admitted_at_ms == passes[i].admitted_at_ms),
			"a pass makes another admission of place %" PRId64, passes[i].place);
	}
	return NULL;
}

static const char *active_again(struct suite *suite, int64_t seconds)
{
	struct waiting_room_view before = {0};
	struct admission passes[ACTIVE] = {0};
	TRY(before_the_loss(suite, seconds, &before, passes));
	struct waiting_room_settings settings = before.settings;
	settings.active_max = 3;
	TRY(suite_configure(suite, &settings));
	before.settings = settings;
	int64_t lost_ms = suite_now_ms(suite);
	TRY(lose(suite, &before));
	bool quiet = !suite->view.exact;
	TRY(suite_join_range(suite, 0, 100, 10));
	TRY(suite_admit(suite, 0, 10));
	int64_t quiet_ends_ms = lost_ms + seconds * 1000 - SUITE_TOLERANCE_MS;
	bool in_time = suite_now_ms(suite) < quiet_ends_ms;
	CHECK(suite, !in_time || (quiet && suite->admission_count == 0),
		"%zu are admitted before those who were active are back", suite->admission_count);
	int restored;
	TRY(show_passes(suite, passes, &restored));
	CHECK(suite, restored <= 3, "%d are active again where 3 may be", restored);
	suite->conclusive = in_time && suite_now_ms(suite) < quiet_ends_ms;
	if (!suite->conclusive)
		return NULL;
	CHECK(suite, restored == 3, "%d of 3 are active again", restored);

	/* Capacity holds when people are called again, as long as the active are heard. */
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view.active <= 3, "%" PRId64 " are active", suite->view.active);
	TRY(wait_exact(suite));
	TRY(suite_admit(suite, 0, 10));
	CHECK(suite, suite->view.active <= 3, "%" PRId64 " are active where 3 may be",
		suite->view.active);
	/* Too late for the others, whether or not there is a slot. */
	TRY(show_pass(suite, &passes[ACTIVE - 1]));
	CHECK(suite, suite->people[0].state != PERSON_ADMITTED || !suite->people[0].changed,
		"a pass of an earlier epoch counts for ever");
	return NULL;
}

const char *check_loss_of_active(struct suite *suite)
{
	return can_lose(suite) ? suite_with_windows(suite, active_again) : NULL;
}

/* ---- the lobby ---- */

static const char *rank_comes_back(struct suite *suite, int64_t rank, enum join_outcome outcome)
{
	TRY(join_with(suite, (struct token){rank, 0, rank, 1}, outcome));
	CHECK(suite, suite->joined[0].rank == rank, "rank %" PRId64 " comes back as %" PRId64, rank,
		suite->joined[0].rank);
	return NULL;
}

static const char *lobby_before_the_loss(struct suite *suite, struct waiting_room_view *before)
{
	struct waiting_room_settings settings = suite_settings();
	settings.state = WAITING_ROOM_LOBBY;
	settings.heartbeat_seconds = 1;
	TRY(suite_configure(suite, &settings));
	TRY(suite_join_range(suite, 0, 1, PEOPLE));
	TRY(suite_view(suite, 0));
	*before = suite->view;
	return NULL;
}

static const char *open_lobby(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	settings.heartbeat_seconds = 1;
	settings.active_max = 0;
	TRY(suite_configure(suite, &settings));
	return suite_wait_shuffled(suite, 1);
}

const char *check_loss_in_lobby(struct suite *suite)
{
	if (!can_lose(suite))
		return NULL;
	struct waiting_room_view before = {0};
	TRY(lobby_before_the_loss(suite, &before));
	TRY(lose(suite, &before));
	TRY(rank_comes_back(suite, 9, JOIN_RESTORED));
	TRY(rank_comes_back(suite, 9, JOIN_AGAIN));
	CHECK(suite, suite->joined[0].state == PERSON_LOBBY, "the lobby is over after the loss");
	TRY(suite_join_number(suite, 0, 4));
	CHECK(suite, suite->joined[0].rank > PEOPLE, "rank %" PRId64 " was another's",
		suite->joined[0].rank);
	TRY(rank_comes_back(suite, 4, JOIN_RESTORED));

	TRY(open_lobby(suite));
	int64_t size = suite->view.lobby_size;
	CHECK(suite, size >= PEOPLE, "the lobby of %d had %" PRId64, PEOPLE, size);
	/* Who comes back only now has a place all the same. */
	TRY(join_with(suite, (struct token){21, 0, 21, 1}, JOIN_RESTORED));
	CHECK(suite, suite->joined[0].place >= 1 && suite->joined[0].place <= size,
		"a rank of the lobby has place %" PRId64, suite->joined[0].place);
	TRY(suite_join_number(suite, 1, 1000));
	CHECK(suite, suite->joined[0].place > size, "a late comer has place %" PRId64,
		suite->joined[0].place);
	return NULL;
}

const char *check_loss_after_shuffle(struct suite *suite)
{
	if (!can_lose(suite))
		return NULL;
	struct waiting_room_view before = {0};
	TRY(lobby_before_the_loss(suite, &before));
	TRY(open_lobby(suite));
	before = suite->view;
	TRY(suite_person_range(suite, 0, waiting_room_look_up, 1, PEOPLE));
	struct person_result people[PEOPLE] = {0};
	memcpy(people, suite->people, sizeof people);
	TRY(lose(suite, &before));
	CHECK(suite,
		suite->view.shuffled && suite->view.lobby_size == PEOPLE &&
			memcmp(suite->view.seed, before.seed, sizeof before.seed) == 0 &&
			memcmp(suite->view.lobby_hash, before.lobby_hash,
				sizeof before.lobby_hash) == 0,
		"what was published of the shuffle is lost");
	/* With the token of the lobby, and with the one of the place. */
	for (int64_t rank = 1; rank <= 4; rank++) {
		int64_t place = people[rank - 1].place;
		struct token token = {rank, rank % 2 ? place : 0, rank, 1};
		TRY(comes_back(suite, token, JOIN_RESTORED, place));
		CHECK(suite, suite->joined[0].rank == rank, "a rank is lost: %" PRId64,
			suite->joined[0].rank);
	}
	return NULL;
}
