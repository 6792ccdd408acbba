/* Stripe's requests: faults and keys first, then the operation, then the answer. */
#include "tech-two-phase-payments/simulator/core_internal.h"

static void render_result(struct core *core, const struct job *job, const struct result *result);
static void store(struct core *core, struct job *job, const struct result *result);
static void reply(struct core *core, struct job *job, unsigned status);
static bool settle_by_key(struct core *core, struct job *job, struct result *result);

/* ---- One request ---- */

static void fail(struct result *result, unsigned status, const char *type, const char *code,
	const char *message)
{
	provider_refuse(&result->error, status, code, NULL, "%s", message);
	result->error.type = type;
	result->status = status;
	result->kind = ANSWER_TEXT;
	result->intent = NULL;
	result->is_charge = false;
}

/* Faults by which nothing is done. True: that is all. */
static bool settle_by_fault(
	struct job *job, const struct request_faults *faults, struct result *result)
{
	switch (faults->kind) {
	case FAULT_TIMEOUT:
	case FAULT_GONE:
		job->dropped = true;
		return true;
	case FAULT_RATE_LIMITED:
		fail(result, 429, "invalid_request_error", "rate_limit",
			"Request rate limit exceeded. Please retry later.");
		http_reply_header(job->exchange, "Stripe-Should-Retry", "true");
		return true;
	case FAULT_ERROR_500:
		fail(result, 500, "api_error", NULL,
			"An unknown error occurred. Nothing was done.");
		return true;
	default:
		return false;
	}
}

static void execute(struct core *core, struct job *job, const struct request_faults *faults,
	struct result *result)
{
	bool broken = faults->kind == FAULT_ERROR_500_STORED;
	if (!broken || faults->applied)
		execute_operation(core, job, result);
	if (broken)
		fail(result, 500, "api_error", NULL, "An unknown error occurred.");
}

void execute_provider(struct core *core, struct job *job)
{
	struct request_faults faults =
		faults_of_request(&core->faults, job->operation, core->now_monotonic_ms);
	struct result result = {.kind = ANSWER_TEXT};
	int64_t delay_ms = core->options.answer_delay_ms;
	job->delay_ms = faults.delay_ms > delay_ms ? faults.delay_ms : delay_ms;
	buffer_reset(&core->scratch);
	http_reply_header(job->exchange, "Request-Id", job->request_id);
	http_reply_header(job->exchange, "Stripe-Version", job->version);
	if (settle_by_fault(job, &faults, &result) || settle_by_key(core, job, &result)) {
		if (!job->dropped && core->scratch.size == 0)
			render_result(core, job, &result);
	} else {
		execute(core, job, &faults, &result);
		render_result(core, job, &result);
		if (job->key.data && job->operation != OPERATION_RETRIEVE)
			store(core, job, &result);
	}
	reply(core, job, result.status);
	if (faults.kind == FAULT_ANSWER_LOST)
		job->dropped = true;
}

static void reply(struct core *core, struct job *job, unsigned status)
{
	char *body = arena_copy(http_arena(job->exchange), buffer_slice(&core->scratch));
	if (!body || core->scratch.failed)
		core_give_up("memory is short");
	job->status = status;
	job->body = (struct slice){.data = body, .size = core->scratch.size};
	if (core->scratch.capacity > ANSWER_SIZE_MAX)
		buffer_release(&core->scratch);
}

static void render_result(struct core *core, const struct job *job, const struct result *result)
{
	struct render_options options = core_rendering(core, job->parameters.expand_charge);
	switch (result->kind) {
	case ANSWER_INTENT:
		render_intent(&core->scratch, result->intent, &options);
		break;
	case ANSWER_DECLINED:
		render_declined(&core->scratch, result->intent, &options);
		break;
	case ANSWER_REFUND:
		render_refund(&core->scratch, result->refund);
		break;
	default:
		if (result->is_charge)
			render_charge(&core->scratch, result->intent);
		else
			render_error(&core->scratch, &result->error, result->intent, &options);
	}
}

/* ---- Idempotency keys ---- */

/* The stored answer, as it was. */
static void replay(struct core *core, struct job *job, const struct key *key)
{
	struct buffer content;
	struct render_options options = core_rendering(core, key->expand_charge);
	buffer_init(&content, ANSWER_SIZE_MAX);
	core_must(journal_read(core->journal, key->answer, &content), "the journal cannot be read");
	if (key->kind == ANSWER_TEXT) {
		buffer_add(&core->scratch, content.data, content.size);
	} else if (key->kind == ANSWER_REFUND) {
		struct refund *refund = record_read_refund(buffer_slice(&content), &core->state);
		if (refund)
			render_refund(&core->scratch, refund);
		refund_free(refund);
	} else {
		struct intent *intent = record_read_intent(buffer_slice(&content));
		if (intent && key->kind == ANSWER_INTENT)
			render_intent(&core->scratch, intent, &options);
		else if (intent)
			render_declined(&core->scratch, intent, &options);
		intent_free(intent);
	}
	buffer_release(&content);
	http_reply_header(job->exchange, "Idempotent-Replayed", "true");
	http_reply_header(job->exchange, "Original-Request", key->request_id);
}

/* Whether the key says what the answer is; else the request is to be executed. */
static bool settle_by_key(struct core *core, struct job *job, struct result *result)
{
	struct key *key;
	if (!job->key.data || job->operation == OPERATION_RETRIEVE)
		return false;
	switch (state_check_key(&core->state, job->key, job->fingerprint, &key)) {
	case KEY_NEW:
		return false;
	case KEY_REPLAY:
		result->status = key->status;
		replay(core, job, key);
		return true;
	case KEY_BUSY:
		fail(result, 409, "idempotency_error", "idempotency_key_in_use",
			"There is currently another in-progress request using this Idempotent Key "
			"(that probably means you submitted twice, and the other request is still "
			"going through). Please try again later.");
		http_reply_header(job->exchange, "Stripe-Should-Retry", "true");
		return true;
	case KEY_MISMATCH:
		break;
	}
	fail(result, 400, "idempotency_error", NULL,
		"Keys for idempotent requests can only be used with the same parameters they were "
		"first used with. Try using another key if you meant to execute a different "
		"request.");
	return true;
}

static void store(struct core *core, struct job *job, const struct result *result)
{
	struct key *key = key_new(job->key);
	if (!key)
		core_give_up("memory is short");
	key->created_ms = core->now_ms;
	memcpy(key->fingerprint, job->fingerprint, sizeof key->fingerprint);
	memcpy(key->request_id, job->request_id, sizeof key->request_id);
	key->status = (uint16_t)result->status;
	key->kind = (uint8_t)result->kind;
	key->expand_charge = job->parameters.expand_charge;
	key->answer = result->kind == ANSWER_TEXT
		? record_text(core->journal, buffer_slice(&core->scratch))
		: result->span;
	record_key(core->journal, key);
	core_must(state_add_key(&core->state, key), "memory is short");
	core->must_commit = true;
	key->busy = true;
	job->busy = key;
}
