#include "simplest-implementation/simplest_fight_fixture.h"

#include "simplest-implementation/simplest_judge_fixture.h"

/* ---- One request of a buyer ---- */

/* A key that belongs to the run, the round, the buyer and the request. */
enum { BUYER_KEY_SIZE = 64, BUYER_BODY_SIZE = 256, BUYER_PATH_SIZE = 128 };

enum { THINK_MS_MAX = 10, DISTURBED_PAUSE_MS_MAX = 300 };

static void key_make(struct buyer *buyer, char key[BUYER_KEY_SIZE])
{
	snprintf(key, BUYER_KEY_SIZE, "%llx.%llu.%zu.%zu", (unsigned long long)random_seed(),
		(unsigned long long)buyer->fight->round, buyer->number, buyer->key_count++);
}

__attribute__((format(printf, 2, 3))) static void buyer_fault(
	struct buyer *buyer, const char *format, ...)
{
	va_list arguments;
	if (*buyer->fault)
		return;
	va_start(arguments, format);
	vsnprintf(buyer->fault, sizeof buyer->fault, format, arguments);
	va_end(arguments);
}

static bool reply_is_of_type(const struct buyer *buyer, const char *type)
{
	const char *given = json_string_value(json_object_get(buyer->json, "type"));
	return given && strcmp(strrchr(given, ':') + 1, type) == 0;
}

/* Whether the reply settles the request; otherwise it has to be sent again. */
static bool reply_is_final(struct buyer *buyer, enum http_client_outcome outcome)
{
	json_decref(buyer->json);
	buyer->json = outcome == HTTP_CLIENT_OK ? http_client_reply_json(&buyer->reply) : NULL;
	if (outcome != HTTP_CLIENT_OK) {
		if (buyer->fight->mood == FIGHT_CALM)
			buyer_fault(buyer, "no answer: %s", http_client_outcome_name(outcome));
		return false;
	}
	return buyer->reply.status != 503 && !reply_is_of_type(buyer, "idempotency-key-in-use");
}

/* Ask until there is an answer, and return its status; 0: there was none in time. */
static int buyer_ask(struct buyer *buyer, const char *method, const char *path, const char *key,
	const char *body)
{
	char headers[BUYER_KEY_SIZE + 32] = "";
	int64_t deadline_ms = now_ms() + FIGHT_ANSWER_MS_MAX;
	if (key)
		snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", key);
	while (!reply_is_final(buyer,
		http_client_call(&buyer->client, method, path, headers, body, &buyer->reply))) {
		if (now_ms() > deadline_ms) {
			buyer_fault(buyer, "%s %s was not answered", method, path);
			return 0;
		}
		buyer->repetition_count++;
		pause_ms(random_between(&buyer->random, 5, 50));
	}
	if (buyer->reply.status == 500 && buyer->fight->mood == FIGHT_UNGUARDED)
		buyer->failure_count++;
	return buyer->reply.status;
}

/* Whether the status is the one that must come. */
static bool buyer_wants(struct buyer *buyer, int status, int wanted)
{
	if (status == wanted)
		return true;
	if (buyer->fight->mood != FIGHT_UNGUARDED)
		buyer_fault(buyer, "%d instead of %d: %.300s", status, wanted,
			buyer->reply.body ? buyer->reply.body : "");
	return false;
}

/* ---- What a buyer does ---- */

static int buyer_pay(struct buyer *buyer, const json_t *hold, const char *key, const char *method)
{
	char path[BUYER_PATH_SIZE], body[BUYER_BODY_SIZE];
	snprintf(path, sizeof path, "/holds/%s/purchase",
		json_string_value(json_object_get(hold, "holdId")));
	snprintf(body, sizeof body, "{\"paymentMethod\":\"%s\"}", method);
	return buyer_ask(buyer, "POST", path, key, body);
}

static void buyer_buy(struct buyer *buyer, json_t *hold)
{
	char key[BUYER_KEY_SIZE], other_key[BUYER_KEY_SIZE];
	key_make(buyer, key);
	if (!buyer_wants(buyer, buyer_pay(buyer, hold, key, "pm_card_visa"), 200))
		return;
	json_object_set_new(hold, "state", json_string("sold"));
	json_object_set(hold, "order", buyer->json);
	atomic_fetch_add(&buyer->fight->purchase_count, 1);
	if (json_array_size(json_object_get(buyer->json, "tickets")) !=
		json_array_size(json_object_get(hold, "seats")))
		buyer_fault(buyer, "not the seats that were held: %.300s", buyer->reply.body);
	if (!random_chance(&buyer->random, 1, 2))
		return;
	/* Once more, with the same key or as another request: the same tickets. */
	key_make(buyer, other_key);
	bool same = random_chance(&buyer->random, 1, 2);
	int status = buyer_pay(buyer, hold, same ? key : other_key, "pm_card_visa");
	if (buyer_wants(buyer, status, 200) &&
		!json_equal(buyer->json, json_object_get(hold, "order")))
		buyer_fault(buyer, "a repeated purchase gave another answer: %.300s",
			buyer->reply.body);
}

static void buyer_be_declined(struct buyer *buyer, const json_t *hold)
{
	char key[BUYER_KEY_SIZE];
	key_make(buyer, key);
	buyer_wants(buyer, buyer_pay(buyer, hold, key, "pm_card_visa_chargeDeclined"), 402);
}

static void buyer_give_back(struct buyer *buyer, json_t *hold)
{
	char path[BUYER_PATH_SIZE];
	snprintf(
		path, sizeof path, "/holds/%s", json_string_value(json_object_get(hold, "holdId")));
	if (buyer_wants(buyer, buyer_ask(buyer, "DELETE", path, NULL, NULL), 204))
		json_object_set_new(hold, "state", json_string("released"));
}

static void buyer_decide(struct buyer *buyer, json_t *hold)
{
	uint64_t chance = random_below(&buyer->random, 100);
	if (random_chance(&buyer->random, 1, 2))
		pause_ms(random_between(&buyer->random, 0, THINK_MS_MAX));
	if (chance < 15)
		buyer_be_declined(buyer, hold);
	if (chance < 10 || chance >= 55)
		buyer_give_back(buyer, hold);
	else if (chance < 52)
		buyer_buy(buyer, hold);
	/* The rest just leaves. */
}

/* `count` different seats in random order, as a JSON array. */
static json_t *choose_seats(struct random *random, size_t count)
{
	int seats[FIGHT_SEATS];
	char id[16];
	json_t *chosen = json_array();
	for (int i = 0; i < FIGHT_SEATS; i++)
		seats[i] = i + 1;
	random_shuffle(random, seats, FIGHT_SEATS, sizeof *seats);
	for (size_t i = 0; i < count; i++) {
		snprintf(id, sizeof id, "s-%d", seats[i]);
		json_array_append_new(chosen, json_string(id));
	}
	return chosen;
}

static bool contains(const json_t *array, const json_t *text_value)
{
	size_t index;
	json_t *item;
	json_array_foreach(array, index, item) if (json_equal(item, text_value)) return true;
	return false;
}

/* A refusal names seats that were asked for. */
static void check_refusal(struct buyer *buyer, const json_t *seats)
{
	json_t *taken = json_object_get(buyer->json, "seats"), *seat;
	size_t index;
	if (!reply_is_of_type(buyer, "seats-taken") || json_array_size(taken) == 0)
		buyer_fault(buyer, "a refusal without seats: %.300s", buyer->reply.body);
	json_array_foreach(taken, index, seat) if (!contains(seats, seat))
		buyer_fault(buyer, "seats that nobody wanted: %.300s", buyer->reply.body);
}

static void buyer_attempt(struct buyer *buyer)
{
	char path[BUYER_PATH_SIZE], body[BUYER_BODY_SIZE], key[BUYER_KEY_SIZE];
	size_t count = 1 + random_below(&buyer->random, FIGHT_SEATS_WANTED_MAX);
	/* What disturbs needs time to come, while there are still seats. */
	if (buyer->fight->mood == FIGHT_DISTURBED)
		pause_ms(random_between(&buyer->random, 0, DISTURBED_PAUSE_MS_MAX));
	json_t *seats = choose_seats(&buyer->random, count);
	char *list = json_dumps(seats, JSON_COMPACT);
	snprintf(path, sizeof path, "/events/%s/holds", buyer->fight->event);
	snprintf(body, sizeof body, "{\"userId\":\"buyer-%zu\",\"seats\":%s}", buyer->number, list);
	free(list);
	key_make(buyer, key);
	int status = buyer_ask(buyer, "POST", path, key, body);
	if (status == 409) {
		check_refusal(buyer, seats);
	} else if (buyer_wants(buyer, status, 201)) {
		if (!json_equal(seats, json_object_get(buyer->json, "seats")))
			buyer_fault(buyer, "other seats were held: %.300s", buyer->reply.body);
		json_t *hold = json_pack("{s:O, s:s, s:O, s:O}", "holdId",
			json_object_get(buyer->json, "holdId"), "state", "held", "seats", seats,
			"total", json_object_get(buyer->json, "total"));
		json_array_append_new(buyer->holds, hold);
		buyer_decide(buyer, hold);
	}
	json_decref(seats);
}

static void *buyer_run(void *context)
{
	struct buyer *buyer = context;
	for (int i = 0; i < FIGHT_ATTEMPTS && !*buyer->fault; i++)
		buyer_attempt(buyer);
	http_client_release(&buyer->client);
	http_client_reply_release(&buyer->reply);
	json_decref(buyer->json);
	buyer->json = NULL;
	atomic_fetch_add(&buyer->fight->finished_count, 1);
	return NULL;
}

/* ---- All of them ---- */

void fight_start(struct fight *fight, uint64_t round, enum fight_mood mood)
{
	*fight = (struct fight){.round = round, .mood = mood};
	random_seed(); /* Printed before there are threads. */
	event_make("The fight", FIGHT_SEATS, fight->event);
	for (size_t i = 0; i < FIGHT_BUYERS; i++) {
		struct buyer *buyer = &fight->buyers[i];
		*buyer = (struct buyer){.fight = fight, .number = i, .holds = json_array()};
		random_init_stream(&buyer->random, random_seed(), round * FIGHT_BUYERS + i);
		http_client_init(&buyer->client, simplest.port);
		assert_int_equal(0, pthread_create(&buyer->thread, NULL, buyer_run, buyer));
	}
}

bool fight_reaches(struct fight *fight, size_t purchase_count)
{
	while (atomic_load(&fight->purchase_count) < purchase_count) {
		if (atomic_load(&fight->finished_count) == FIGHT_BUYERS)
			return false;
		pause_ms(1);
	}
	return true;
}

void fight_join(struct fight *fight)
{
	for (size_t i = 0; i < FIGHT_BUYERS; i++)
		assert_int_equal(0, pthread_join(fight->buyers[i].thread, NULL));
}

size_t fight_repetition_count(const struct fight *fight)
{
	size_t count = 0;
	for (size_t i = 0; i < FIGHT_BUYERS; i++)
		count += fight->buyers[i].repetition_count;
	return count;
}

size_t fight_failure_count(const struct fight *fight)
{
	size_t count = 0;
	for (size_t i = 0; i < FIGHT_BUYERS; i++)
		count += fight->buyers[i].failure_count;
	return count;
}

void fight_release(struct fight *fight)
{
	for (size_t i = 0; i < FIGHT_BUYERS; i++)
		json_decref(fight->buyers[i].holds);
}

json_t *fight_history(const struct fight *fight)
{
	json_t *history = json_array();
	for (size_t i = 0; i < FIGHT_BUYERS; i++)
		json_array_extend(history, fight->buyers[i].holds);
	return history;
}

void fight_want_order(const struct fight *fight)
{
	for (size_t i = 0; i < FIGHT_BUYERS; i++)
		if (*fight->buyers[i].fault)
			fail_msg("round %llu, buyer %zu: %s", (unsigned long long)fight->round, i,
				fight->buyers[i].fault);
	json_t *history = fight_history(fight);
	struct verdict verdict = judge(fight->event, FIGHT_SEATS, history);
	json_decref(history);
	if (verdict.total > 0)
		fail_msg("round %llu: %s", (unsigned long long)fight->round, verdict.words);
}
