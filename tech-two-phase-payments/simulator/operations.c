/* The operations on the state: each checks, changes, and leaves behind what the journal, the ledger
 * and the outbox are to know of it. */
#include <stdlib.h>

#include "tech-two-phase-payments/simulator/core_internal.h"

/* ---- What each step leaves behind ---- */

static void enter(struct core *core, enum ledger_kind kind, const struct intent *intent,
	const struct refund *refund, int64_t amount)
{
	struct ledger_entry entry = {.kind = kind,
		.intent = intent,
		.refund = refund,
		.amount = amount,
		.at_ms = core->now_ms};
	record_ledger(core->journal, &entry);
	core_must(ledger_add(&core->state.ledger, &entry), "memory is short");
}

/* After a step of an intent: the journal has it as it is now. */
static struct span keep(struct core *core, struct intent *intent)
{
	core_must(state_touch_intent(&core->state, intent), "memory is short");
	core->must_commit = true;
	return record_intent(core->journal, intent);
}

static struct step step_of(const struct core *core)
{
	struct step step = {.now_ms = core->now_ms, .lifetime_ms = core->options.lifetime_ms};
	object_id_make("ch_", step.new_charge);
	return step;
}

/* After an attempt to pay that was not refused. */
static struct span keep_attempt(
	struct core *core, struct intent *intent, enum attempt attempt, struct job *job)
{
	static const enum event_type events[] = {
		[ATTEMPT_DECLINED] = EVENT_INTENT_PAYMENT_FAILED,
		[ATTEMPT_REQUIRES_ACTION] = EVENT_INTENT_REQUIRES_ACTION,
		[ATTEMPT_AUTHORIZED] = EVENT_INTENT_AMOUNT_CAPTURABLE_UPDATED,
		[ATTEMPT_PAID] = EVENT_INTENT_SUCCEEDED,
	};
	struct span span = keep(core, intent);
	if (attempt == ATTEMPT_AUTHORIZED || attempt == ATTEMPT_PAID)
		enter(core, LEDGER_AUTHORIZATION, intent, NULL, intent->amount);
	if (attempt == ATTEMPT_PAID)
		enter(core, LEDGER_CAPTURE, intent, NULL, intent->amount);
	outbox_add(core, events[attempt], span, job);
	return span;
}

/* ---- The operations ---- */

static void refuse(struct result *result, const struct intent *intent)
{
	result->status = result->error.status;
	result->kind = ANSWER_TEXT;
	result->intent = intent;
}

static void succeed(struct result *result, const struct intent *intent, struct span span)
{
	result->status = 200;
	result->kind = ANSWER_INTENT;
	result->intent = intent;
	result->span = span;
}

static void conclude_attempt(struct core *core, struct job *job, struct intent *intent,
	enum attempt attempt, struct result *result)
{
	if (attempt == ATTEMPT_REFUSED) {
		refuse(result, intent);
		return;
	}
	succeed(result, intent, keep_attempt(core, intent, attempt, job));
	if (attempt == ATTEMPT_DECLINED) {
		result->status = 402;
		result->kind = ANSWER_DECLINED;
	}
}

static struct intent *make_intent(
	struct core *core, const struct parameters *parameters, struct provider_error *error)
{
	struct intent *intent = calloc(1, sizeof *intent);
	if (!intent)
		core_give_up("memory is short");
	if (!parameters_merge_metadata(parameters->form, NULL, &intent->metadata, error)) {
		free(intent);
		return NULL;
	}
	object_id_make("pi_", intent->id);
	random_text_make(intent->secret, sizeof intent->secret);
	memcpy(intent->currency, parameters->currency, sizeof intent->currency);
	intent->amount = parameters->amount;
	intent->capture = parameters->capture;
	intent->card = parameters->card;
	intent->created_s = core->now_ms / 1000;
	intent->status =
		intent->card ? INTENT_REQUIRES_CONFIRMATION : INTENT_REQUIRES_PAYMENT_METHOD;
	if (parameters->description.size > 0)
		intent->description =
			strndup(parameters->description.data, parameters->description.size);
	core_must(state_add_intent(&core->state, intent), "memory is short");
	return intent;
}

static void create(struct core *core, struct job *job, struct result *result)
{
	const struct parameters *parameters = &job->parameters;
	struct intent *intent = make_intent(core, parameters, &result->error);
	if (!intent) {
		refuse(result, NULL);
		return;
	}
	struct span span = keep(core, intent);
	outbox_add(core, EVENT_INTENT_CREATED, span, job);
	succeed(result, intent, span);
	if (!parameters->confirm)
		return;
	struct step step = step_of(core);
	conclude_attempt(
		core, job, intent, intent_confirm(intent, NULL, &step, &result->error), result);
}

static void confirm(
	struct core *core, struct job *job, struct intent *intent, struct result *result)
{
	struct step step = step_of(core);
	conclude_attempt(core, job, intent,
		intent_confirm(intent, job->parameters.card, &step, &result->error), result);
}

static void capture(
	struct core *core, struct job *job, struct intent *intent, struct result *result)
{
	int64_t released;
	char *metadata = NULL;
	if (!parameters_merge_metadata(
		    job->parameters.form, intent->metadata, &metadata, &result->error) ||
		!intent_capture(intent, job->parameters.amount, &released, &result->error)) {
		free(metadata);
		refuse(result, intent);
		return;
	}
	free(intent->metadata);
	intent->metadata = metadata;
	struct span span = keep(core, intent);
	enter(core, LEDGER_CAPTURE, intent, NULL, intent->received);
	if (released > 0)
		enter(core, LEDGER_RELEASE, intent, NULL, released);
	outbox_add(core, EVENT_INTENT_SUCCEEDED, span, job);
	succeed(result, intent, span);
}

static void cancel(struct core *core, struct job *job, struct intent *intent, struct result *result)
{
	int64_t voided;
	if (!intent_cancel(intent, job->parameters.reason, core->now_ms, &voided, &result->error)) {
		refuse(result, intent);
		return;
	}
	struct span span = keep(core, intent);
	if (voided > 0)
		enter(core, LEDGER_VOID, intent, NULL, voided);
	outbox_add(core, EVENT_INTENT_CANCELED, span, job);
	succeed(result, intent, span);
}

static struct refund *make_refund(
	struct core *core, const struct parameters *parameters, struct intent *intent)
{
	struct refund *refund = calloc(1, sizeof *refund);
	if (!refund)
		core_give_up("memory is short");
	object_id_make("re_", refund->id);
	refund->intent = intent;
	refund->amount = parameters->amount;
	refund->created_s = core->now_ms / 1000;
	refund->reason = cancel_reason_names[parameters->reason];
	return refund;
}

static void refund(struct core *core, struct job *job, struct intent *intent, struct result *result)
{
	struct refund *made = make_refund(core, &job->parameters, intent);
	if (!parameters_merge_metadata(
		    job->parameters.form, NULL, &made->metadata, &result->error) ||
		!intent_refund(intent, &made->amount, &result->error)) {
		refund_free(made);
		refuse(result, NULL);
		return;
	}
	struct span span = keep(core, intent);
	core_must(state_add_refund(&core->state, made), "memory is short");
	*result = (struct result){.status = 200,
		.kind = ANSWER_REFUND,
		.refund = made,
		.span = record_refund(core->journal, made)};
	enter(core, LEDGER_REFUND, intent, made, made->amount);
	outbox_add(core, EVENT_CHARGE_REFUNDED, span, job);
}

static void missing(struct result *result, unsigned status, const char *what, const char *param,
	struct slice id)
{
	bool shows = slice_is_id(id, OBJECT_ID_SIZE);
	provider_refuse(&result->error, status, "resource_missing", param, "No such %s: '%.*s'",
		what, shows ? (int)id.size : 0, id.data);
	refuse(result, NULL);
}

static void retrieve(struct core *core, struct job *job, struct result *result)
{
	if (job->target_is_refund) {
		result->refund = state_find_refund(&core->state, job->target);
		result->kind = ANSWER_REFUND;
	} else if (job->target_is_charge) {
		result->intent = state_find_charge(&core->state, job->target);
		result->is_charge = true;
	} else {
		result->intent = state_find_intent(&core->state, job->target);
		result->kind = ANSWER_INTENT;
	}
	result->status = 200;
	if (result->refund || result->intent)
		return;
	*result = (struct result){.kind = ANSWER_TEXT};
	if (job->target_is_refund)
		missing(result, 404, "refund", "id", job->target);
	else if (job->target_is_charge)
		missing(result, 404, "charge", "id", job->target);
	else
		missing(result, 404, "payment_intent", "intent", job->target);
}

/* Refunds name their intent, or its charge, among the parameters. */
static void find_and_refund(struct core *core, struct job *job, struct result *result)
{
	const struct parameters *parameters = &job->parameters;
	bool by_charge = parameters->charge.size > 0;
	struct intent *intent = by_charge
		? state_find_charge(&core->state, parameters->charge)
		: state_find_intent(&core->state, parameters->payment_intent);
	if (intent)
		refund(core, job, intent, result);
	else if (by_charge)
		missing(result, 400, "charge", "charge", parameters->charge);
	else
		missing(result, 400, "payment_intent", "payment_intent",
			parameters->payment_intent);
}

void execute_operation(struct core *core, struct job *job, struct result *result)
{
	static void (*const steps[OPERATION_COUNT])(
		struct core *, struct job *, struct intent *, struct result *) = {
		[OPERATION_CONFIRM] = confirm,
		[OPERATION_CAPTURE] = capture,
		[OPERATION_CANCEL] = cancel,
	};
	struct intent *intent;
	switch (job->operation) {
	case OPERATION_CREATE:
		create(core, job, result);
		break;
	case OPERATION_REFUND:
		find_and_refund(core, job, result);
		break;
	case OPERATION_RETRIEVE:
		retrieve(core, job, result);
		break;
	default:
		intent = state_find_intent(&core->state, job->target);
		if (intent)
			steps[job->operation](core, job, intent, result);
		else
			missing(result, 404, "payment_intent", "intent", job->target);
	}
}

/* ---- What no client asks for ---- */

enum attempt execute_authentication(struct core *core, struct intent *intent, enum attempt outcome,
	struct provider_error *error)
{
	struct step step = step_of(core);
	enum attempt attempt = intent_authenticate(intent, outcome, &step, error);
	if (attempt != ATTEMPT_REFUSED)
		keep_attempt(core, intent, attempt, NULL);
	return attempt;
}

void execute_expiry(struct core *core, struct intent *intent)
{
	int64_t held = intent_expire(intent, core->now_ms);
	struct span span = keep(core, intent);
	enter(core, LEDGER_EXPIRY, intent, NULL, held);
	outbox_add(core, EVENT_INTENT_CANCELED, span, NULL);
}
