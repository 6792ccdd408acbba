/* What ends by itself: claim window, heartbeat, session. Part of the suite.
 *
 * The room decides by its own clock. From outside one knows bounds: somebody was admitted after the
 * call was sent, and was over before the answer that says so. So "too early" is certain, and
 * "never" is a long patience; "late" is no violation as long as capacity holds. */
#include <inttypes.h>

#include "tech-waiting-room/suite_conformance.h"

static const char *state_of(struct suite *suite, int64_t person, enum person_state *state)
{
	TRY(suite_person_number(suite, 1, waiting_room_look_up, person));
	*state = suite->people[0].state;
	return NULL;
}

/* Look until the person is EXPIRED; nobody calls admit meanwhile. */
static const char *wait_expired(struct suite *suite, int64_t person, int64_t not_before_ms)
{
	int64_t start_ms = suite_now_ms(suite);
	for (;;) {
		enum person_state state;
		TRY(state_of(suite, person, &state));
		if (state == PERSON_EXPIRED)
			break;
		CHECK(suite, state == PERSON_ADMITTED, "person %" PRId64 " is in state %d", person,
			(int)state);
		CHECK(suite, suite_wait(suite, start_ms), "the slot is never given back");
	}
	CHECK(suite, suite_now_ms(suite) >= not_before_ms - SUITE_TOLERANCE_MS,
		"the slot is taken back %" PRId64 " ms too early",
		not_before_ms - suite_now_ms(suite));
	return NULL;
}

/* A room for two with four people, of whom the first two are called; `sent_ms`: before that. */
static const char *two_of_four(
	struct suite *suite, struct waiting_room_settings *settings, int64_t *sent_ms)
{
	settings->active_max = 2;
	TRY(suite_configure(suite, settings));
	TRY(suite_join_range(suite, 0, 1, 4));
	*sent_ms = suite_now_ms(suite);
	TRY(suite_admit(suite, 0, 4));
	CHECK(suite, suite->admission_count == 2, "%zu are admitted to a room for two",
		suite->admission_count);
	return NULL;
}

/* One slot is free now, and goes to the next; who lost it stays out. */
static const char *slot_goes_to(struct suite *suite, int64_t next, int64_t expired)
{
	TRY(suite_admit(suite, 1, 4));
	CHECK(suite, suite->admission_count == 1 && suite->admissions[0].place == next,
		"the slot given back goes to %zu people, the first with place %" PRId64,
		suite->admission_count, suite->admissions[0].place);
	CHECK(suite, suite->view.active == 2, "%" PRId64 " are active in a room for two",
		suite->view.active);
	TRY(suite_join_number(suite, 0, expired));
	CHECK(suite,
		suite->joined[0].outcome == JOIN_AGAIN && suite->joined[0].state == PERSON_EXPIRED,
		"who has expired can join again: state %d", (int)suite->joined[0].state);
	TRY(suite_person_number(suite, 0, waiting_room_claim, expired));
	CHECK(suite, !suite->people[0].changed && suite->people[0].state == PERSON_EXPIRED,
		"an expired pass can be claimed");
	TRY(suite_person_number(suite, 0, waiting_room_heartbeat, expired));
	CHECK(suite, suite->people[0].state == PERSON_EXPIRED,
		"a heartbeat brings somebody back who has expired");
	return NULL;
}

static const char *claim_within(struct suite *suite, int64_t seconds)
{
	struct waiting_room_settings settings = suite_settings();
	settings.claim_seconds = seconds;
	int64_t sent_ms;
	TRY(two_of_four(suite, &settings, &sent_ms));
	int64_t ends_ms = suite->admissions[1].pass_ends_at_ms;
	TRY(suite_person_number(suite, 0, waiting_room_claim, 1));
	if (!suite->people[0].changed) {
		suite->conclusive = false;
		CHECK(suite, suite_now_ms(suite) - sent_ms >= seconds * 1000 - SUITE_TOLERANCE_MS,
			"a pass cannot be claimed within its window");
		return NULL;
	}
	/* Heartbeats do not make the claim window longer. */
	TRY(suite_person_range(suite, 0, waiting_room_heartbeat, 1, 2));
	TRY(wait_expired(suite, 2, sent_ms + seconds * 1000));
	TRY(slot_goes_to(suite, 3, 2));
	CHECK(suite, suite->admissions[0].admitted_at_ms >= ends_ms,
		"a slot is given away %" PRId64 " ms before its pass has ended",
		ends_ms - suite->admissions[0].admitted_at_ms);
	enum person_state state;
	TRY(state_of(suite, 1, &state));
	CHECK(suite, state == PERSON_ADMITTED, "who has claimed is in state %d", (int)state);
	return NULL;
}

const char *check_claim_window(struct suite *suite)
{
	return suite_with_windows(suite, claim_within);
}

/* The first goes on sending heartbeats, the second is silent. */
static const char *silent_for(struct suite *suite, int64_t seconds)
{
	struct waiting_room_settings settings = suite_settings();
	settings.heartbeat_seconds = seconds;
	int64_t sent_ms;
	TRY(two_of_four(suite, &settings, &sent_ms));
	int64_t heard_ms = sent_ms;
	for (enum person_state second = PERSON_ADMITTED; second != PERSON_EXPIRED;) {
		int64_t before_ms = suite_now_ms(suite);
		TRY(suite_person_number(suite, 0, waiting_room_heartbeat, 1));
		enum person_state first = suite->people[0].state;
		/* Only when the last one was less than an interval ago is the answer certain. */
		if (suite_now_ms(suite) - heard_ms >= seconds * 1000 - SUITE_TOLERANCE_MS) {
			suite->conclusive = false;
			return NULL;
		}
		CHECK(suite, first == PERSON_ADMITTED, "a heartbeat in time is not heard");
		heard_ms = before_ms;
		TRY(state_of(suite, 2, &second));
		CHECK(suite, suite_wait(suite, sent_ms), "silence is never noticed");
	}
	CHECK(suite, suite_now_ms(suite) - sent_ms >= seconds * 1000 - SUITE_TOLERANCE_MS,
		"silence of %" PRId64 " s counts after %" PRId64 " ms", seconds,
		suite_now_ms(suite) - sent_ms);
	/* By now the first may be over too, on a slow machine; at least one slot is free. */
	TRY(suite_admit(suite, 1, 1));
	CHECK(suite, suite->admission_count == 1 && suite->admissions[0].place == 3,
		"the slot of somebody silent is not given back");
	return wait_expired(suite, 1, heard_ms + seconds * 1000);
}

const char *check_silence(struct suite *suite)
{
	return suite_with_windows(suite, silent_for);
}

static const char *session_of(struct suite *suite, int64_t seconds)
{
	struct waiting_room_settings settings = suite_settings();
	settings.session_seconds = seconds;
	int64_t sent_ms;
	TRY(two_of_four(suite, &settings, &sent_ms));
	CHECK(suite,
		suite->admissions[0].pass_ends_at_ms ==
			suite->admissions[0].admitted_at_ms + seconds * 1000,
		"a pass may be claimed after the session's end");
	TRY(suite_person_number(suite, 0, waiting_room_claim, 1));
	if (!suite->people[0].changed) {
		suite->conclusive = false;
		return NULL;
	}
	TRY(suite_person_number(suite, 0, waiting_room_leave, 2));
	TRY(suite_admit(suite, 0, 1));
	/* Heartbeats do not make the session longer. */
	TRY(suite_person_number(suite, 0, waiting_room_heartbeat, 1));
	TRY(wait_expired(suite, 1, sent_ms + seconds * 1000));
	TRY(suite_admit(suite, 1, 1));
	CHECK(suite, suite->admission_count == 1 && suite->admissions[0].place == 4,
		"the slot of a session that is over is not given back");
	return NULL;
}

const char *check_session_end(struct suite *suite)
{
	return suite_with_windows(suite, session_of);
}

/* Whoever calls again when `admit` says so misses nothing for longer than that. */
const char *check_next_ms(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	settings.claim_seconds = 2;
	int64_t sent_ms;
	TRY(two_of_four(suite, &settings, &sent_ms));
	CHECK(suite, suite->next_ms <= 2000 + SUITE_TOLERANCE_MS,
		"next_ms is %" PRId64 " when a claim window ends in 2 s", suite->next_ms);
	TRY(wait_expired(suite, 1, 0));
	TRY(wait_expired(suite, 2, 0));
	TRY(suite_admit(suite, 0, 1));
	CHECK(suite, suite->admission_count == 1, "a slot given back is not used");
	CHECK(suite, suite->next_ms <= 1, "next_ms is %" PRId64 " when more could be called",
		suite->next_ms);

	suite_new_event(suite);
	settings = suite_settings();
	settings.rate_per_second = 0.5;
	TRY(suite_configure(suite, &settings));
	TRY(suite_join_range(suite, 0, 1, 3));
	TRY(suite_admit(suite, 0, 3));
	CHECK(suite, suite->next_ms <= 2000 + SUITE_TOLERANCE_MS,
		"next_ms is %" PRId64 " when the next may be called in 2 s", suite->next_ms);

	suite_new_event(suite);
	settings = suite_settings();
	settings.state = WAITING_ROOM_LOBBY;
	settings.starts_at_ms = suite_now_ms(suite) + 3000;
	TRY(suite_configure(suite, &settings));
	TRY(suite_join_range(suite, 0, 1, 3));
	TRY(suite_admit(suite, 0, 3));
	CHECK(suite, suite->next_ms <= 3000 + SUITE_TOLERANCE_MS,
		"next_ms is %" PRId64 " when the lobby opens in 3 s", suite->next_ms);
	return NULL;
}
