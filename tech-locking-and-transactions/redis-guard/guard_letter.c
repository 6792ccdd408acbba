/* What is sent to Redis, and what is done about its being away. */
#include <assert.h>

#include "lib/base/log.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard_internal.h"

static const struct redis_command unlink_keys = {"UNLINK", REDIS_WRITES};

/* ---- writing ---- */

void guard_letter_reset(struct guard_letter *letter)
{
	for (size_t i = 0; i < letter->request_count; i++) {
		redis_reply_free(letter->replies[i]);
		letter->replies[i] = NULL;
	}
	letter->request_count = 0;
	letter->argument_count = 0;
	letter->id_count = 0;
}

static void add(struct guard_letter *letter, struct redis_argument argument)
{
	assert(letter->request_count > 0 && letter->argument_count < GUARD_ARGUMENTS_MAX);
	letter->arguments[letter->argument_count++] = argument;
	letter->requests[letter->request_count - 1].argument_count++;
}

struct slice guard_key(char key[REDIS_KEY_SIZE_MAX], struct id event, const char *name)
{
	char text[ID_TEXT_SIZE];
	id_format(event, text);
	return redis_key(key, "sg", slice_of(text), name);
}

void guard_letter_script(
	struct guard_letter *letter, const struct redis_script *script, struct id event)
{
	assert(letter->request_count < GUARD_SCRIPTS_MAX);
	size_t number = letter->request_count++;
	letter->requests[number] = (struct redis_request){.script = guard_weaken(script),
		.key_count = 1,
		.arguments = letter->arguments + letter->argument_count};
	add(letter, redis_slice(guard_key(letter->keys[number], event, "")));
}

void guard_letter_word(struct guard_letter *letter, const char *word)
{
	add(letter, redis_text(word));
}

void guard_letter_integer(struct guard_letter *letter, int64_t value)
{
	add(letter, redis_integer(value));
}

void guard_letter_id(struct guard_letter *letter, struct id id)
{
	assert(letter->id_count < GUARD_IDS_MAX);
	char *text = letter->ids[letter->id_count++];
	id_format(id, text);
	add(letter, redis_text(text));
}

void guard_letter_seats(struct guard_letter *letter, const struct hold_request *request)
{
	guard_letter_integer(letter, (int64_t)request->seat_count);
	for (size_t i = 0; i < request->seat_count; i++)
		add(letter, redis_slice(request->seats[i]));
}

/* ---- sending ---- */

bool guard_note(struct redis_guard *guard, enum status status)
{
	bool away = status != STATUS_OK;
	if (away && !guard->away)
		log_warning("guard.away", LOG_TEXT("why", redis_error(guard->redis)->message));
	else if (!away && guard->away)
		log_info("guard.back");
	guard->away = away;
	return !away;
}

void guard_owe(struct redis_guard *guard, struct id event)
{
	for (size_t i = 0; i < guard->owed_count; i++)
		if (seat_ids_equal(guard->owed[i], event))
			return;
	/* More events than that at once: their marks end when the holds would have. */
	if (guard->owed_count < GUARD_OWED_MAX)
		guard->owed[guard->owed_count++] = event;
}

/* Forget the seats of each event that is owed it, by the thread of Redis that frees memory. That
 * costs queries; to tell one by one what may have been missed would need a list without an end. */
static enum status pay(struct redis_guard *guard)
{
	char keys[GUARD_OWED_MAX][REDIS_KEY_SIZE_MAX];
	struct redis_argument arguments[GUARD_OWED_MAX];
	struct redis_request requests[GUARD_OWED_MAX];
	struct redis_reply *replies[GUARD_OWED_MAX];
	size_t count = guard->owed_count;
	if (count == 0)
		return STATUS_OK;
	for (size_t i = 0; i < count; i++) {
		arguments[i] = redis_slice(guard_key(keys[i], guard->owed[i], "seats"));
		requests[i] = (struct redis_request){
			.command = &unlink_keys, .arguments = &arguments[i], .argument_count = 1};
	}
	enum status status = redis_pipeline(guard->redis, requests, count, replies);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = redis_reply_status(replies[i]);
	for (size_t i = 0; i < count; i++)
		redis_reply_free(replies[i]);
	if (status == STATUS_OK)
		guard->owed_count = 0;
	return status;
}

bool guard_send(struct redis_guard *guard)
{
	struct guard_letter *letter = &guard->letter;
	if (letter->request_count == 0)
		return true;
	enum status status = pay(guard);
	if (status == STATUS_OK)
		status = redis_pipeline(
			guard->redis, letter->requests, letter->request_count, letter->replies);
	return guard_note(guard, status);
}
