/* Holding: claim in Redis, ask the store, settle with Redis; in rounds, where requests of one call
 * are about the same seats.
 *
 * A round claims for all that wait. Those that have got their seats, and those that the guard can
 * say nothing about, are asked in one batch of the store. Who waits for a seat that an earlier
 * request of the same call has claimed is told TAKEN when that one was granted, and claims in the
 * next round when it was not. So within a call all is as if one came after the other. What a round
 * has found out is settled in the same pipeline in which the next one claims: one round, which is
 * the rule, makes two round trips. */
#include <assert.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/redis-guard/claim.lua.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard_internal.h"
#include "tech-locking-and-transactions/redis-guard/settle.lua.h"

static const struct redis_script claim_script = {
	.name = "guard_claim", .source = lua_claim, .effect = REDIS_WRITES};
static const struct redis_script settle_script = {
	.name = "guard_settle", .source = lua_settle, .effect = REDIS_WRITES};

static bool write_settlement(struct redis_guard *guard);
static void claim(struct redis_guard *guard);
static enum status ask(struct redis_guard *guard);
static void resolve(struct redis_guard *guard);
static bool is_new(const struct guard_call *call, const struct hold_request *request,
	const struct hold_result *answer);

enum status guard_hold(struct seat_store *base, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	struct redis_guard *guard = guard_of(base);
	struct guard_call *call = &guard->call;
	enum status status = STATUS_OK;
	assert(count >= 1 && count <= guard->traits.batch_max);
	call->requests = requests;
	call->results = results;
	call->pending_count = 0;
	call->asked_count = 0;
	call->bypass = false;
	call->applied = false;
	for (size_t i = 0; i < count; i++) {
		results[i] = (struct hold_result){.outcome = HOLD_MALFORMED};
		if (hold_request_is_sound(&requests[i]))
			call->pending[call->pending_count++] = i;
	}
	while (status == STATUS_OK && call->pending_count > 0) {
		guard_letter_reset(&guard->letter);
		write_settlement(guard);
		claim(guard);
		status = ask(guard);
		if (status == STATUS_OK)
			resolve(guard);
	}
	guard_letter_reset(&guard->letter);
	if (!call->bypass && write_settlement(guard))
		guard_send(guard); /* If it cannot be: what is pending ends soon. */
	guard_letter_reset(&guard->letter);
	return status != STATUS_OK && call->applied ? STATUS_UNKNOWN : status;
}

/* ---- claiming ---- */

/* Write the claims of the pending requests of one event, from the one at `from` on, as far as they
 * fit; those that do not wait for the next round, and so do all behind them. */
static void write_claims(struct redis_guard *guard, size_t from, size_t *sent)
{
	struct guard_call *call = &guard->call;
	struct id event = call->requests[call->pending[from]].event;
	size_t entries = 0;
	guard_letter_script(&guard->letter, &claim_script, event);
	guard_letter_integer(&guard->letter, guard->pending_ms);
	guard_letter_integer(&guard->letter, GUARD_KEEP_MS);
	for (size_t i = from; i < call->pending_count; i++) {
		size_t index = call->pending[i];
		const struct hold_request *request = &call->requests[index];
		if (!seat_ids_equal(request->event, event))
			continue;
		entries += 1 + request->seat_count;
		if (entries > GUARD_ENTRIES_MAX)
			break;
		guard_letter_id(&guard->letter, request->hold);
		guard_letter_seats(&guard->letter, request);
		call->sent[(*sent)++] = index;
	}
}

/* Whether an earlier pending request is of the same event, so that this one is written with it. */
static bool is_written(const struct guard_call *call, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (seat_ids_equal(call->requests[call->pending[i]].event,
			    call->requests[call->pending[at]].event))
			return true;
	return false;
}

static void read_verdict(struct redis_guard *guard, size_t index, const struct redis_reply *said)
{
	struct guard_call *call = &guard->call;
	if (redis_reply_kind(said) == REDIS_ARRAY) {
		call->verdicts[index] = GUARD_WAITS;
		call->waits[index] = said;
		return;
	}
	int64_t number = redis_get_integer(said);
	call->verdicts[index] = number < 0 ? GUARD_PASSED : GUARD_CLAIMED;
	if (number <= 0)
		return;
	call->verdicts[index] = GUARD_REFUSED;
	call->results[index] =
		(struct hold_result){.outcome = HOLD_TAKEN, .which = (uint64_t)number};
	guard_count(guard, GUARD_COUNT_REFUSED);
}

/* What one script has said. Where it has failed, the store is asked without it. */
static void read_claims(struct redis_guard *guard, size_t script)
{
	struct guard_call *call = &guard->call;
	const struct redis_reply *reply = guard->letter.replies[call->first_script + script];
	bool failed = redis_reply_status(reply) != STATUS_OK;
	const size_t *peers = call->sent + call->starts[script];
	size_t count = call->starts[script + 1] - call->starts[script];
	assert(failed || redis_get_count(reply) == count + 1);
	for (size_t i = 0; i < count; i++) {
		size_t index = peers[i];
		call->verdicts[index] = GUARD_PASSED;
		if (failed)
			continue;
		call->peers[index] = peers;
		call->claimed_ms[index] = redis_get_integer(redis_get_item(reply, 0));
		read_verdict(guard, index, redis_get_item(reply, i + 1));
	}
}

static void claim(struct redis_guard *guard)
{
	struct guard_call *call = &guard->call;
	size_t sent = 0, scripts = 0;
	call->first_script = guard->letter.request_count;
	call->sent_wall_ms = clock_wall_ms(clock_system());
	for (size_t i = 0; i < call->pending_count; i++) {
		call->verdicts[call->pending[i]] = GUARD_WAITS;
		call->waits[call->pending[i]] = NULL; /* Not even asked for. */
		if (call->bypass || is_written(call, i))
			continue;
		call->starts[scripts++] = sent;
		write_claims(guard, i, &sent);
	}
	call->starts[scripts] = sent;
	call->bypass = call->bypass || !guard_send(guard);
	for (size_t i = 0; i < scripts && !call->bypass; i++)
		read_claims(guard, i);
	for (size_t i = 0; i < call->pending_count && call->bypass; i++)
		call->verdicts[call->pending[i]] = GUARD_PASSED;
}

/* ---- the store ---- */

static void count_asked(struct redis_guard *guard, enum guard_verdict verdict)
{
	if (guard->call.bypass)
		guard_count(guard, GUARD_COUNT_BYPASSED);
	else if (verdict == GUARD_CLAIMED)
		guard_count(guard, GUARD_COUNT_CLAIMED);
	else
		guard_count(guard, GUARD_COUNT_PASSED);
}

static enum status ask(struct redis_guard *guard)
{
	struct guard_call *call = &guard->call;
	call->asked_count = 0;
	for (size_t i = 0; i < call->pending_count; i++) {
		size_t index = call->pending[i];
		if (call->verdicts[index] != GUARD_CLAIMED && call->verdicts[index] != GUARD_PASSED)
			continue;
		count_asked(guard, call->verdicts[index]);
		call->asked[call->asked_count] = index;
		call->asking[call->asked_count++] = call->requests[index];
	}
	call->asked_status = STATUS_OK;
	if (call->asked_count == 0)
		return STATUS_OK;
	call->asked_status =
		seat_store_hold(guard->inner, call->asking, call->answers, call->asked_count);
	for (size_t i = 0; call->asked_status == STATUS_OK && i < call->asked_count; i++) {
		call->results[call->asked[i]] = call->answers[i];
		call->applied |= call->answers[i].outcome == HOLD_GRANTED;
	}
	return call->asked_status;
}

static bool has_got(const struct guard_call *call, size_t index)
{
	const struct hold_result *result = &call->results[index];
	return result->outcome == HOLD_GRANTED && is_new(call, &call->requests[index], result);
}

/* Whether all for whom this request waits have got their seats; then nobody else has. */
static bool is_lost(struct redis_guard *guard, size_t index)
{
	struct guard_call *call = &guard->call;
	const struct redis_reply *waits = call->waits[index];
	if (!waits)
		return false;
	for (size_t i = 1; i < redis_get_count(waits); i++) {
		int64_t peer = redis_get_integer(redis_get_item(waits, i));
		if (peer == 0 || !has_got(call, call->peers[index][peer - 1]))
			return false;
	}
	call->results[index] = (struct hold_result){.outcome = HOLD_TAKEN,
		.which = (uint64_t)redis_get_integer(redis_get_item(waits, 0))};
	guard_count(guard, GUARD_COUNT_REFUSED);
	return true;
}

static void resolve(struct redis_guard *guard)
{
	struct guard_call *call = &guard->call;
	size_t kept = 0;
	for (size_t i = 0; i < call->pending_count; i++) {
		size_t index = call->pending[i];
		if (call->verdicts[index] == GUARD_WAITS && !is_lost(guard, index))
			call->pending[kept++] = index;
	}
	call->pending_count = kept;
}

/* ---- settling ---- */

/* Of a hold's time, what its marks do not outlive: clocks run at different speeds. */
static int64_t margin_ms(int64_t hold_ms)
{
	int64_t ms = 1 + hold_ms / 20;
	return ms < 1000 ? ms : 1000;
}

/* The first answer is given again for good; then the hold may have ended, and only its own times
 * tell that it did not begin now. */
static bool is_new(const struct guard_call *call, const struct hold_request *request,
	const struct hold_result *answer)
{
	return answer->expires_at_ms - request->hold_ms >=
		call->sent_wall_ms - margin_ms(request->hold_ms);
}

static const char *settlement(const struct guard_call *call, size_t asked)
{
	const struct hold_request *request = &call->asking[asked];
	const struct hold_result *answer = &call->answers[asked];
	bool claimed = call->verdicts[call->asked[asked]] == GUARD_CLAIMED;
	/* Left alone: it may have been granted. */
	if (call->asked_status == STATUS_UNKNOWN)
		return NULL;
	if (call->asked_status != STATUS_OK)
		return claimed ? "drop" : NULL;
	if (answer->outcome == HOLD_GRANTED && claimed)
		return is_new(call, request, answer) ? "keep" : "end";
	if (answer->outcome == HOLD_GRANTED || answer->outcome == HOLD_TAKEN)
		return claimed ? "taken" : "known";
	if (!claimed)
		return NULL;
	return answer->outcome == HOLD_OTHER_REQUEST ? "other" : "drop";
}

static void write_entry(struct redis_guard *guard, size_t asked, const char *action)
{
	struct guard_call *call = &guard->call;
	const struct hold_request *request = &call->asking[asked];
	bool keep = slice_is(slice_of(action), "keep");
	/* It was granted after the claim, so it ends no sooner than this. */
	int64_t end_ms = call->claimed_ms[call->asked[asked]] + request->hold_ms -
		margin_ms(request->hold_ms);
	guard_letter_word(&guard->letter, action);
	guard_letter_id(&guard->letter, request->hold);
	guard_letter_integer(&guard->letter, keep ? end_ms : 0);
	guard_letter_integer(&guard->letter, keep ? call->answers[asked].version : 0);
	guard_letter_seats(&guard->letter, request);
}

/* Write what the last round has found out; false when that is nothing. */
static bool write_settlement(struct redis_guard *guard)
{
	struct guard_call *call = &guard->call;
	bool written[SEAT_STORE_BATCH_MAX] = {false}, any = false;
	for (size_t i = 0; i < call->asked_count && !call->bypass; i++) {
		bool begun = false;
		for (size_t j = i; j < call->asked_count; j++) {
			const char *action = written[j] ? NULL : settlement(call, j);
			if (!action ||
				!seat_ids_equal(call->asking[j].event, call->asking[i].event))
				continue;
			if (!begun) {
				guard_letter_script(
					&guard->letter, &settle_script, call->asking[i].event);
				guard_letter_integer(&guard->letter, GUARD_KEEP_MS);
			}
			begun = any = written[j] = true;
			write_entry(guard, j, action);
		}
	}
	call->asked_count = 0;
	return any;
}
