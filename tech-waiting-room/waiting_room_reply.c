/* Replies. A poll is answered a hundred times as often as anything else, so its JSON is written by
 * hand into the exchange's arena. That needs no escaping: what stands in it are numbers, our own
 * names, and tokens in base64url. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tech-waiting-room/waiting_room_front.h"

enum { INTEGER_TEXT_SIZE = 20 };

const struct http_problem front_problem_forbidden = {403, "forbidden", "This is not allowed"};
const struct http_problem front_problem_gone = {410, "gone", "It was there, and is over"};
const struct http_problem front_problem_limited = {429, "too-many-requests", "Too many requests"};

const char *front_room_state_name(enum waiting_room_state state)
{
	static const char *const names[] = {
		[WAITING_ROOM_LOBBY] = "lobby",
		[WAITING_ROOM_OPEN] = "open",
		[WAITING_ROOM_PAUSED] = "paused",
		[WAITING_ROOM_DRAINING] = "draining",
		[WAITING_ROOM_CLOSED] = "closed",
	};
	return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

const char *front_person_state_name(enum person_state state)
{
	static const char *const names[] = {
		[PERSON_UNKNOWN] = "unknown",
		[PERSON_LOBBY] = "lobby",
		[PERSON_WAITING] = "waiting",
		[PERSON_ADMITTED] = "admitted",
		[PERSON_EXPIRED] = "expired",
		[PERSON_LEFT] = "left",
	};
	return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* ---- Text by hand ---- */

struct text {
	char *to;
};

static void add(struct text *text, const char *bytes, size_t size)
{
	memcpy(text->to, bytes, size);
	text->to += size;
}

static void add_text(struct text *text, const char *added)
{
	add(text, added, strlen(added));
}

static void add_integer(struct text *text, int64_t value)
{
	char digits[INTEGER_TEXT_SIZE];
	size_t at = sizeof digits;
	uint64_t left = value < 0 ? 0 : (uint64_t)value; /* Nothing here is negative. */
	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	add(text, digits + at, sizeof digits - at);
}

static void add_member(struct text *text, const char *name, int64_t value)
{
	add_text(text, name);
	add_integer(text, value);
}

static void add_string(struct text *text, const char *name, const char *value, size_t size)
{
	add_text(text, name);
	add(text, value, size);
	add(text, "\"", 1);
}

static int64_t people_ahead(const struct room_snapshot *snapshot, int64_t place)
{
	int64_t ahead = place - snapshot->view.serving - 1;
	return ahead > 0 ? ahead : 0;
}

static void add_range(struct text *text, const struct room_snapshot *snapshot, int64_t place)
{
	struct arrival_range range = arrival_range(&snapshot->pace, people_ahead(snapshot, place));
	if (!range.known) {
		add_text(text, ",\"etaSeconds\":null");
		return;
	}
	add_member(text, ",\"etaSeconds\":{\"low\":", range.low);
	add_member(text, ",\"high\":", range.high);
	add(text, "}", 1);
}

static void add_standing(struct text *text, const struct room_snapshot *snapshot,
	const struct front_standing *standing)
{
	const struct waiting_room_view *view = &snapshot->view;
	const char *state = front_person_state_name(standing->state);
	add_string(text, "{\"state\":\"", state, strlen(state));
	if (standing->place > 0)
		add_member(text, ",\"place\":", standing->place);
	if (standing->rank > 0)
		add_member(text, ",\"lobbyRank\":", standing->rank);
	if (standing->state == PERSON_WAITING)
		add_member(text, ",\"ahead\":", people_ahead(snapshot, standing->place));
	add_member(text, ",\"serving\":", view->serving);
	add_member(text, ",\"tail\":", view->tail);
	add_text(text, view->exact ? ",\"exact\":true" : ",\"exact\":false");
	const char *room = front_room_state_name(view->settings.state);
	add_string(text, ",\"roomState\":\"", room, strlen(room));
	if (standing->state == PERSON_WAITING)
		add_range(text, snapshot, standing->place);
	if (standing->place_token.size > 0)
		add_string(text, ",\"placeToken\":\"", standing->place_token.data,
			standing->place_token.size);
	if (standing->pass.size > 0)
		add_string(text, ",\"pass\":\"", standing->pass.data, standing->pass.size);
	if (standing->pass_ends_at_ms > 0) {
		char time[TIME_TEXT_SIZE];
		time_format(standing->pass_ends_at_ms, time);
		add_string(text, ",\"passExpiresAt\":\"", time, strlen(time));
	}
	add(text, "}", 1);
}

struct slice front_standing_text(char text[FRONT_STANDING_SIZE],
	const struct room_snapshot *snapshot, const struct front_standing *standing)
{
	assert(standing->place_token.size <= TOKEN_TEXT_MAX);
	assert(standing->pass.size <= TOKEN_TEXT_MAX);
	struct text written = {.to = text};
	add_standing(&written, snapshot, standing);
	return (struct slice){.data = text, .size = (size_t)(written.to - text)};
}

void front_reply_standing(struct http_exchange *exchange, unsigned status,
	const struct room_snapshot *snapshot, const struct front_standing *standing)
{
	char *text = arena_alloc(http_arena(exchange), FRONT_STANDING_SIZE);
	if (!text) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	http_reply(exchange, status, "application/json",
		front_standing_text(text, snapshot, standing));
	http_reply_header(exchange, "Referrer-Policy", "no-referrer");
}

/* ---- The room ---- */

static json_t *hex(const uint8_t bytes[SHUFFLE_HASH_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * SHUFFLE_HASH_SIZE];
	for (size_t i = 0; i < SHUFFLE_HASH_SIZE; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	return json_stringn(text, sizeof text);
}

static json_t *settings_json(const struct waiting_room_settings *settings)
{
	json_t *json = json_pack("{s:f, s:I, s:I, s:I, s:I}", "ratePerSecond",
		settings->rate_per_second, "activeMax", (json_int_t)settings->active_max,
		"claimSeconds", (json_int_t)settings->claim_seconds, "heartbeatSeconds",
		(json_int_t)settings->heartbeat_seconds, "sessionSeconds",
		(json_int_t)settings->session_seconds);
	if (settings->starts_at_ms > 0) {
		char time[TIME_TEXT_SIZE];
		time_format(settings->starts_at_ms, time);
		json_object_set_new(json, "startsAt", json_string(time));
	}
	return json;
}

void front_reply_view(struct http_exchange *exchange, unsigned status, struct slice event,
	const struct room_snapshot *snapshot)
{
	const struct waiting_room_view *view = &snapshot->view;
	json_t *json = json_pack("{s:s%, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "eventId",
		event.data, event.size, "state", front_room_state_name(view->settings.state),
		"serving", (json_int_t)view->serving, "tail", (json_int_t)view->tail, "waiting",
		(json_int_t)view->waiting, "active", (json_int_t)view->active, "admittedPerMinute",
		(json_int_t)snapshot->admitted_last_minute, "epoch", (json_int_t)view->epoch,
		"exact", view->exact);
	json_object_set_new(json, "settings", settings_json(&view->settings));
	json_object_set_new(json, "seedCommitment", hex(view->seed_commitment));
	if (view->lobby_size > 0)
		json_object_set_new(json, "lobbySize", json_integer(view->lobby_size));
	if (view->shuffled) {
		json_object_set_new(json, "seed", hex(view->seed));
		json_object_set_new(json, "lobbyHash", hex(view->lobby_hash));
	}
	http_reply_json(exchange, status, json);
}

void front_reply_no_room(struct http_exchange *exchange)
{
	http_reply_problem(exchange, &http_problem_not_found, "This event has no waiting room.");
}

void front_reply_failed(struct http_exchange *exchange, enum status status)
{
	http_reply_problem(exchange, &http_problem_unavailable,
		status == STATUS_UNKNOWN
			? "The waiting room did not confirm it; to send the request again is safe."
			: "The waiting room does not answer; nothing was done.");
}

void front_refuse(struct front_request *request, const char *why)
{
	if (!request->exchange) {
		free(request);
		return;
	}
	http_reply_problem(request->exchange, &http_problem_unavailable, "%s", why);
	http_complete(request->exchange);
}

/* ---- Tokens and passes ---- */

size_t front_make_token(const struct waiting_room_routes *routes, struct slice event,
	struct slice person, int64_t place, int64_t rank, int64_t epoch, int64_t now_wall_ms,
	char text[TOKEN_TEXT_SIZE])
{
	struct place_token token = {
		.kind = place > 0 ? PLACE_TOKEN_PLACE : PLACE_TOKEN_RANK,
		.event = event,
		.person = person,
		.number = place > 0 ? place : rank,
		.epoch = epoch,
		.issued_at_ms = now_wall_ms,
	};
	return place_token_make(routes->options.keyring, &token, text);
}

size_t front_make_pass(const struct waiting_room_routes *routes, struct slice event,
	struct slice person, const struct room_snapshot *snapshot,
	const struct person_result *result, char text[TOKEN_TEXT_SIZE])
{
	const struct waiting_room_settings *settings = &snapshot->view.settings;
	int64_t session_ms = result->admitted_at_ms + settings->session_seconds * 1000;
	int64_t claim_ms = result->admitted_at_ms + settings->claim_seconds * 1000;
	struct pass pass = {
		.event = event,
		.person = person,
		.place = result->place,
		.epoch = result->epoch,
		.admitted_at_ms = result->admitted_at_ms,
		.claim_ends_at_ms = claim_ms < session_ms ? claim_ms : session_ms,
		.session_ends_at_ms = session_ms,
	};
	return pass_make(routes->options.keyring, &pass, text);
}

/* ---- What is known from memory ---- */

int64_t front_place_of_rank(
	const struct front_room *room, const struct room_snapshot *snapshot, int64_t rank)
{
	const struct room_order *order = atomic_load_explicit(&room->order, memory_order_acquire);
	bool known = order && order->epoch == snapshot->view.epoch && rank >= 1 &&
		rank <= shuffle_size(order->shuffle);
	return known ? shuffle_place(order->shuffle, rank) : 0;
}

enum front_knowledge front_standing_of(const struct front_room *room,
	const struct room_snapshot *snapshot, const struct place_token *token,
	struct front_standing *standing)
{
	const struct waiting_room_view *view = &snapshot->view;
	*standing = (struct front_standing){.state = PERSON_WAITING};
	if (token->epoch != view->epoch)
		return FRONT_ASK;
	if (token->kind == PLACE_TOKEN_RANK) {
		standing->rank = token->number;
		standing->place = front_place_of_rank(room, snapshot, token->number);
		if (standing->place == 0) {
			/* Until the shuffle is computed here, it is still the lobby. */
			standing->state = PERSON_LOBBY;
			return FRONT_KNOWN;
		}
	} else {
		standing->place = token->number;
	}
	return standing->place > view->serving ? FRONT_KNOWN : FRONT_ASK;
}
