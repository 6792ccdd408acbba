/* See fans_bench.h: what one person does. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "real-implementation/fans_bench.h"

enum {
	OK = 200,
	CREATED = 201,
	ACCEPTED = 202,
	NO_CONTENT = 204,
	FORBIDDEN = 403,
	NOT_FOUND = 404,
	CONFLICT = 409,
	GONE = 410,
	UNPROCESSABLE = 422,

	HOLD_ATTEMPTS_MAX = 12,
	QUEUE_ATTEMPTS_MAX = 5, /* Of joining anew, when a pass was over. */
	CARDS_MAX = 3,          /* That one person tries. */
	POLL_MS_MIN = 500,      /* In the queue, */
	POLL_MS_MAX = 1500,
	ORDER_MS_MIN = 100, /* and for the tickets. */
	ORDER_MS_MAX = 300,
	EARLY_MS = 100,
	HEARTBEAT_MS = 8000,
	REST_THINKS = 3, /* How many pauses are between two people. */

	/* Chances in a hundred. */
	WHOLE = 100,
	WANTS_SECTION = 25,
	WANTS_CATEGORY = 15,
	GIVES_BACK = 8,
	WALKS_OFF = 3,
	IS_DECLINED = 10,
	IS_ASKED_WHO = 2,
	HAS_OTHER_CARD = 60,
	LEAVES_QUEUE_IN_1000 = 5, /* At each look. */
};

static const char card_good[] = "pm_card_visa";
static const char *const cards_bad[] = {
	"pm_card_visa_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds"};
static const char card_asked[] = "pm_card_threeDSecure2Required";

/* ---- Of every step ---- */

static void enter(struct fan *fan, enum fans_state state)
{
	atomic_fetch_sub(&fan->fans->states[fan->state], 1);
	atomic_fetch_add(&fan->fans->states[state], 1);
	fan->state = state;
}

static bool is_over(const struct fan *fan)
{
	return fans_now_ms() >= atomic_load(&fan->fans->end_ms);
}

static bool is_hard_over(const struct fan *fan)
{
	return fans_now_ms() >= atomic_load(&fan->fans->hard_ms);
}

static void think(struct fan *fan)
{
	fan_sleep(fan,
		random_between(&fan->random, fan->fans->think_min_ms, fan->fans->think_max_ms));
}

static bool chance(struct fan *fan, uint64_t percent)
{
	return random_chance(&fan->random, percent, WHOLE);
}

static void keep(char to[], size_t size, const char *text)
{
	(void)snprintf(to, size, "%s", text);
}

static enum fans_outcome failed(struct fan *fan, const char *where)
{
	if (fan->status == 0)
		return FANS_CUT_OFF;
	fan_failed(fan, where);
	return FANS_FAILED;
}

/* What was asked for and never answered: whether it was done nobody can say. */
static enum fans_outcome unanswered(
	struct fan *fan, const char *what, const char *key, const char *path)
{
	if (!fan->sent)
		return FANS_CUT_OFF;
	atomic_fetch_add(&fan->fans->facts.unknown, 1);
	fan_note(fan, "unknown",
		json_pack("{s:s, s:s, s:s}", "request", what, "key", key, "path", path));
	return FANS_CUT_OFF;
}

/* ---- The queue ---- */

static bool has_pass(struct fan *fan)
{
	const char *state = fan_text(fan, "state"), *place = fan_text(fan, "placeToken");
	if (place[0] != '\0')
		keep(fan->place, sizeof fan->place, place);
	keep(fan->pass, sizeof fan->pass,
		strcmp(state, "admitted") == 0 ? fan_text(fan, "pass") : "");
	return fan->pass[0] != '\0';
}

/* Still in the queue, and it is there. */
static bool still_waits(const struct fan *fan)
{
	const char *state = fan_text(fan, "state");
	bool waits = strcmp(state, "waiting") == 0 || strcmp(state, "lobby") == 0 ||
		strcmp(state, "admitted") == 0;
	return waits && strcmp(fan_text(fan, "roomState"), "closed") != 0;
}

/* Whoever has a place shows it, so that it is kept whatever the server has lost. */
static bool join(struct fan *fan)
{
	char path[FANS_PATH_SIZE], body[FANS_TOKEN_SIZE + 32] = "{}";
	snprintf(path, sizeof path, "/events/%s/waiting-room", fan->fans->event);
	if (fan->place[0] != '\0')
		snprintf(body, sizeof body, "{\"placeToken\":\"%s\"}", fan->place);
	int status = fan_ask(fan, FANS_JOIN, "POST", path, NULL, body);
	return status == OK || status == CREATED;
}

static void heartbeat(struct fan *fan, int64_t *beat_ms)
{
	char path[FANS_PATH_SIZE];
	if (fans_now_ms() - *beat_ms < HEARTBEAT_MS)
		return;
	*beat_ms = fans_now_ms();
	snprintf(path, sizeof path, "/waiting-room/%s/heartbeat", fan->place);
	(void)fan_ask(fan, FANS_POLL, "POST", path, NULL, "{}");
}

static enum fans_outcome leave_queue(struct fan *fan)
{
	char path[FANS_PATH_SIZE];
	snprintf(path, sizeof path, "/waiting-room/%s", fan->place);
	(void)fan_ask(fan, FANS_POLL, "DELETE", path, NULL, NULL);
	return FANS_GAVE_UP;
}

/* Until it is one's turn, or the queue is gone: true. Else what became of the person. */
static bool wait_in_queue(struct fan *fan, enum fans_outcome *outcome)
{
	char path[FANS_PATH_SIZE];
	int64_t begin_ms = fans_now_ms(), beat_ms = begin_ms;
	enter(fan, FANS_QUEUED);
	fan->pass[0] = '\0';
	if (!join(fan)) {
		/* It may have closed just now. */
		*outcome = failed(fan, "join");
		return fan->status == NOT_FOUND || fan->status == CONFLICT || fan->status == GONE;
	}
	while (!has_pass(fan) && still_waits(fan)) {
		fan_sleep(fan, random_between(&fan->random, POLL_MS_MIN, POLL_MS_MAX));
		if (is_over(fan) || random_chance(&fan->random, LEAVES_QUEUE_IN_1000, 1000)) {
			*outcome = is_over(fan) ? FANS_CUT_OFF : FANS_GAVE_UP;
			(void)leave_queue(fan);
			return false;
		}
		heartbeat(fan, &beat_ms);
		snprintf(path, sizeof path, "/waiting-room/%s", fan->place);
		int status = fan_ask(fan, FANS_POLL, "GET", path, NULL, NULL);
		if (status == 0) {
			*outcome = FANS_CUT_OFF;
			return false;
		}
		if (status != OK && !join(fan)) {
			*outcome = failed(fan, "place");
			return false;
		}
	}
	if (fan->pass[0] != '\0')
		fans_time(fan->fans, FANS_QUEUE, (fans_now_ms() - begin_ms) * 1000000);
	return true;
}

/* ---- Seats ---- */

struct wish {
	int64_t quantity;
	const char *section, *category;
};

static struct wish make_wish(struct fan *fan)
{
	static const int64_t quantities[] = {1, 1, 2, 2, 2, 2, 2, 3, 4, 4};
	struct fans *fans = fan->fans;
	struct wish wish = {.quantity = quantities[random_below(
				    &fan->random, sizeof quantities / sizeof *quantities)]};
	if (wish.quantity > fans->seats_max)
		wish.quantity = fans->seats_max;
	if (fans->section_count > 0 && chance(fan, WANTS_SECTION))
		wish.section = fans->sections[random_below(&fan->random, fans->section_count)];
	else if (fans->category_count > 0 && chance(fan, WANTS_CATEGORY))
		wish.category = fans->categories[random_below(&fan->random, fans->category_count)];
	return wish;
}

static int ask_hold(struct fan *fan, const struct wish *wish, const char *key)
{
	char path[FANS_PATH_SIZE];
	snprintf(path, sizeof path, "/events/%s/holds", fan->fans->event);
	json_t *body = json_pack("{s:{s:I, s:s*, s:s*}}", "best", "quantity",
		(json_int_t)wish->quantity, "section", wish->section, "category", wish->category);
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	int status = text ? fan_ask(fan, FANS_HOLD, "POST", path, key, text) : 0;
	free(text);
	return status;
}

static void note_hold(struct fan *fan, const char *key)
{
	struct fans *fans = fan->fans;
	json_t *seats = json_array(), *seat;
	size_t i;
	json_array_foreach(json_object_get(fan->json, "seats"), i, seat)
		json_array_append(seats, json_object_get(seat, "seatId"));
	keep(fan->hold, sizeof fan->hold, fan_text(fan, "holdId"));
	atomic_fetch_add(&fans->facts.holds, 1);
	atomic_fetch_add(&fans->facts.seats_held, (int64_t)json_array_size(seats));
	fan_note(fan, "hold",
		json_pack("{s:s, s:s, s:o, s:O?, s:O?, s:O?}", "holdId", fan->hold, "key", key,
			"seats", seats, "total", json_object_get(fan->json, "total"), "currency",
			json_object_get(fan->json, "currency"), "expiresAt",
			json_object_get(fan->json, "expiresAt")));
}

/* Fewer demands, once there is nothing that meets them. False: there were none. */
static bool lower(struct wish *wish)
{
	if (wish->section || wish->category)
		wish->section = wish->category = NULL;
	else if (wish->quantity > 1)
		wish->quantity--;
	else
		return false;
	return true;
}

/* True: there is a hold. Else what became of the person. */
static bool get_seats(struct fan *fan, enum fans_outcome *outcome)
{
	char key[ID_TEXT_SIZE];
	struct wish wish = make_wish(fan);
	int queued = 0;
	for (int attempt = 0; attempt < HOLD_ATTEMPTS_MAX; attempt++) {
		*outcome = FANS_CUT_OFF;
		if (is_over(fan))
			return false;
		enter(fan, FANS_CHOOSING);
		fan_new_key(fan, key);
		switch (ask_hold(fan, &wish, key)) {
		case CREATED:
			note_hold(fan, key);
			return true;
		case FORBIDDEN:
			*outcome = FANS_LATE;
			if (queued++ == QUEUE_ATTEMPTS_MAX || !wait_in_queue(fan, outcome))
				return false;
			break;
		case CONFLICT:
			*outcome = FANS_SOLD_OUT;
			if (strcmp(fan_problem(fan), "none-left") == 0 && !lower(&wish))
				return false;
			think(fan);
			break;
		case GONE:
			*outcome = FANS_SOLD_OUT;
			return false;
		case 0:
			*outcome = unanswered(fan, "hold", key, "");
			return false;
		default:
			*outcome = failed(fan, "hold");
			return false;
		}
	}
	*outcome = FANS_SOLD_OUT;
	return false;
}

static enum fans_outcome give_back(struct fan *fan)
{
	char path[FANS_PATH_SIZE];
	snprintf(path, sizeof path, "/holds/%s", fan->hold);
	switch (fan_ask(fan, FANS_RELEASE, "DELETE", path, NULL, NULL)) {
	case NO_CONTENT:
		atomic_fetch_add(&fan->fans->facts.releases, 1);
		fan_note(fan, "released", json_pack("{s:s}", "holdId", fan->hold));
		return FANS_GAVE_UP;
	case 0:
		return unanswered(fan, "release", "", path);
	default:
		return failed(fan, "release");
	}
}

/* ---- Paying ---- */

static bool make_order(struct fan *fan, enum fans_outcome *outcome)
{
	char key[ID_TEXT_SIZE], body[FANS_ITEM_SIZE + 16];
	fan_new_key(fan, key);
	snprintf(body, sizeof body, "{\"holdId\":\"%s\"}", fan->hold);
	switch (fan_ask(fan, FANS_ORDER, "POST", "/orders", key, body)) {
	case CREATED:
		keep(fan->order, sizeof fan->order, fan_text(fan, "orderId"));
		atomic_fetch_add(&fan->fans->facts.orders, 1);
		fan_note(fan, "order",
			json_pack("{s:s, s:s, s:s}", "orderId", fan->order, "holdId", fan->hold,
				"key", key));
		return true;
	case 0:
		*outcome = unanswered(fan, "order", key, "/orders");
		return false;
	case NOT_FOUND:
	case CONFLICT:
	case GONE:
		*outcome = FANS_LATE;
		return false;
	default:
		*outcome = failed(fan, "order");
		return false;
	}
}

static bool confirm(struct fan *fan, const char *card, enum fans_outcome *outcome)
{
	char key[ID_TEXT_SIZE], path[FANS_PATH_SIZE], body[128];
	fan_new_key(fan, key);
	snprintf(path, sizeof path, "/orders/%s/confirm", fan->order);
	snprintf(body, sizeof body, "{\"paymentMethod\":\"%s\"}", card);
	switch (fan_ask(fan, FANS_CONFIRM, "POST", path, key, body)) {
	case ACCEPTED:
		atomic_fetch_add(&fan->fans->facts.confirmations, 1);
		fan_note(fan, "confirmed",
			json_pack("{s:s, s:s, s:s}", "orderId", fan->order, "paymentMethod", card,
				"key", key));
		return true;
	case 0:
		*outcome = unanswered(fan, "confirm", key, path);
		return false;
	case CONFLICT:
	case GONE:
		*outcome = FANS_LATE;
		return false;
	default:
		*outcome = failed(fan, "confirm");
		return false;
	}
}

static void note_paid(struct fan *fan, int64_t begin_ms)
{
	struct fans *fans = fan->fans;
	json_t *tickets = json_array(), *ticket;
	size_t i;
	json_array_foreach(json_object_get(fan->json, "tickets"), i, ticket)
		json_array_append(tickets, json_object_get(ticket, "ticketId"));
	atomic_fetch_add(&fans->facts.paid, 1);
	atomic_fetch_add(&fans->facts.tickets, (int64_t)json_array_size(tickets));
	fans_time(fans, FANS_PAID, (fans_now_ms() - begin_ms) * 1000000);
	fan_note(fan, "paid",
		json_pack("{s:s, s:s, s:o, s:O?, s:O?}", "orderId", fan->order, "holdId", fan->hold,
			"tickets", tickets, "total", json_object_get(fan->json, "total"),
			"currency", json_object_get(fan->json, "currency")));
}

/* Look at the order until the payment has come to something. */
static enum fans_outcome await_payment(struct fan *fan)
{
	char path[FANS_PATH_SIZE];
	int64_t begin_ms = fans_now_ms();
	snprintf(path, sizeof path, "/orders/%s", fan->order);
	while (!is_hard_over(fan)) {
		fan_sleep(fan, random_between(&fan->random, ORDER_MS_MIN, ORDER_MS_MAX));
		int status = fan_ask(fan, FANS_READ, "GET", path, NULL, NULL);
		const char *state = fan_text(fan, "status");
		if (status != OK)
			return failed(fan, "payment");
		if (strcmp(state, "paid") == 0) {
			note_paid(fan, begin_ms);
			return FANS_BOUGHT;
		}
		if (strcmp(state, "declined") == 0) {
			atomic_fetch_add(&fan->fans->facts.declined, 1);
			fan_note(fan, "declined", json_pack("{s:s}", "orderId", fan->order));
			return FANS_DECLINED;
		}
		if (strcmp(state, "requires_action") == 0)
			return FANS_WALKED_OFF;
		if (strcmp(state, "expired") == 0 || strcmp(state, "canceled") == 0 ||
			strcmp(state, "refunded") == 0)
			return FANS_LATE;
	}
	return FANS_CUT_OFF;
}

static void cancel_order(struct fan *fan)
{
	char key[ID_TEXT_SIZE], path[FANS_PATH_SIZE];
	fan_new_key(fan, key);
	snprintf(path, sizeof path, "/orders/%s/cancel", fan->order);
	if (fan_ask(fan, FANS_CANCEL, "POST", path, key, "{}") != ACCEPTED)
		return; /* Then it is over without. */
	atomic_fetch_add(&fan->fans->facts.canceled, 1);
	fan_note(fan, "cancelRequested", json_pack("{s:s}", "orderId", fan->order));
}

static const char *choose_card(struct fan *fan)
{
	uint64_t at = random_below(&fan->random, WHOLE);
	if (at < IS_DECLINED)
		return cards_bad[at % (sizeof cards_bad / sizeof *cards_bad)];
	return at < IS_DECLINED + IS_ASKED_WHO ? card_asked : card_good;
}

static enum fans_outcome pay(struct fan *fan)
{
	enum fans_outcome outcome = FANS_CUT_OFF;
	const char *card = choose_card(fan);
	enter(fan, FANS_PAYING);
	if (!make_order(fan, &outcome))
		return outcome;
	think(fan);
	for (int attempt = 0; attempt < CARDS_MAX; attempt++) {
		if (!confirm(fan, card, &outcome))
			return outcome;
		outcome = await_payment(fan);
		if (outcome != FANS_DECLINED || !chance(fan, HAS_OTHER_CARD))
			break;
		card = card_good;
		think(fan);
	}
	if (outcome == FANS_DECLINED)
		cancel_order(fan);
	return outcome;
}

/* ---- A person ---- */

static bool begin(struct fan *fan)
{
	fan->token[0] = fan->place[0] = fan->pass[0] = fan->hold[0] = fan->order[0] = '\0';
	if (fan_ask(fan, FANS_SESSION, "POST", "/sessions", NULL, "{}") != CREATED)
		return false;
	keep(fan->token, sizeof fan->token, fan_text(fan, "token"));
	keep(fan->person, sizeof fan->person, fan_text(fan, "userId"));
	atomic_fetch_add(&fan->fans->facts.people, 1);
	return true;
}

static enum fans_outcome live(struct fan *fan)
{
	enum fans_outcome outcome = FANS_CUT_OFF;
	enter(fan, FANS_EARLY);
	while (!atomic_load(&fan->fans->on_sale) && !is_over(fan))
		fan_sleep(fan, EARLY_MS);
	enter(fan, FANS_CHOOSING);
	think(fan);
	if (!get_seats(fan, &outcome))
		return outcome;
	enter(fan, FANS_HOLDING);
	think(fan);
	if (chance(fan, GIVES_BACK))
		return give_back(fan);
	if (chance(fan, WALKS_OFF))
		return FANS_WALKED_OFF;
	return pay(fan);
}

void *fan_run(void *context)
{
	struct fan *fan = context;
	struct fans *fans = fan->fans;
	http_client_init(&fan->client, fans->port);
	random_init_stream(&fan->random, fans->seed, fan->number);
	atomic_fetch_add(&fans->states[FANS_RESTING], 1);
	do {
		if (begin(fan))
			atomic_fetch_add(&fans->outcomes[live(fan)], 1);
		else if (fan->status != 0)
			fan_failed(fan, "session");
		enter(fan, FANS_RESTING);
		for (int i = 0; i < REST_THINKS && !fans->once; i++)
			think(fan);
	} while (!fans->once && !is_over(fan));
	json_decref(fan->json);
	fan->json = NULL;
	http_client_reply_release(&fan->reply);
	http_client_release(&fan->client);
	return NULL;
}
