/* See order_step.h. First what is asked for, then, for each thing that can be wanted, what each
 * answer makes of it. */
#include "tech-two-phase-payments/order_step.h"

enum {
	KEY_MARGIN_MS = 3600 * 1000, /* A key counts as forgotten so long before it may be. */
	PAUSE_MS_MIN = 1000,         /* Between two looks at a payment that somebody else is at. */
	PAUSE_MS_MAX = 60000,
	PAUSES_PER_AGE = 4,                           /* The longer it takes, the less often. */
	REFUND_PENDING_MS_MAX = 7 * 24 * 3600 * 1000, /* Then a person has to look. */
};

/* An answer while it is judged. */
struct judging {
	const struct order_payment *payment;
	enum payment_operation operation;
	const struct payment_result *result;
	const struct order_rules *rules;
	struct order_verdict *verdict;
};

static void begin_ending(
	const struct order_payment *payment, bool asks_first, struct order_verdict *verdict);
static void move_because(
	const struct judging *judging, enum order_event event, const char *otherwise);
static void settle_lost(const struct judging *judging);
static void settle_authorizing(const struct judging *judging);
static void settle_capturing(const struct judging *judging);
static void settle_void(const struct judging *judging);
static void settle_refund(const struct judging *judging);

static struct order_verdict nothing(const struct order_payment *payment)
{
	return (struct order_verdict){
		.kind = ORDER_GIVES_UP, .look_up = payment->look_up, .amount = -1, .stay_ms = -1};
}

static void call(struct order_verdict *verdict, enum payment_operation operation, int64_t amount)
{
	verdict->kind = ORDER_CALLS;
	verdict->operation = operation;
	verdict->amount = amount;
}

static void give_up(struct order_verdict *verdict, const char *note)
{
	verdict->kind = ORDER_GIVES_UP;
	verdict->note = note;
}

/* By the table of lib/ticketing, which knows what is legal. */
static void move(
	const struct order_payment *payment, enum order_event event, struct order_verdict *verdict)
{
	if (order_transition(payment->status, event, &verdict->next))
		verdict->kind = ORDER_MOVES;
	else
		give_up(verdict, "the order's status does not allow what has happened");
}

static enum order_event ending_event(const struct order_payment *payment)
{
	return payment->ending == ORDER_ENDS_BY_EXPIRY ? ORDER_EXPIRE : ORDER_CANCEL;
}

static bool is_ending(const struct order_payment *payment)
{
	return payment->ending != ORDER_GOES_ON && payment->status != ORDER_CAPTURING;
}

/* Nothing has to be reserved, taken or given back: the provider is not asked. */
static void begin_free(const struct order_payment *payment, const struct order_rules *rules,
	struct order_verdict *verdict)
{
	verdict->amount = 0;
	if (is_ending(payment)) {
		move(payment, payment->status == ORDER_PAID ? ORDER_REFUND : ending_event(payment),
			verdict);
		return;
	}
	verdict->stay_ms = rules->finalize_ms;
	move(payment, payment->status == ORDER_CAPTURING ? ORDER_PAY : ORDER_AUTHORIZE, verdict);
}

void order_step_begin(const struct order_payment *payment, const struct order_rules *rules,
	struct order_verdict *verdict)
{
	bool worn = payment->key_age_ms > rules->key_ms_min - KEY_MARGIN_MS;
	bool asks_first = payment->has_intent && (payment->look_up != ORDER_LOOK_UP_NONE || worn);
	*verdict = nothing(payment);
	if (payment->total == 0) {
		begin_free(payment, rules, verdict);
		return;
	}
	if (is_ending(payment)) {
		begin_ending(payment, asks_first, verdict);
		return;
	}
	switch (payment->status) {
	case ORDER_AUTHORIZING:
		if (!payment->has_intent)
			call(verdict, PAYMENT_CREATE_INTENT, payment->total);
		else
			call(verdict, asks_first ? PAYMENT_LOOK_UP : PAYMENT_AUTHORIZE, 0);
		break;
	case ORDER_REQUIRES_ACTION:
		verdict->kind = ORDER_WAITS; /* Nobody is through with it at once. */
		verdict->delay_ms = PAUSE_MS_MIN;
		if (payment->age_ms >= PAUSE_MS_MIN / 2)
			call(verdict, PAYMENT_LOOK_UP, 0);
		break;
	case ORDER_CAPTURING:
		call(verdict, asks_first ? PAYMENT_LOOK_UP : PAYMENT_CAPTURE, payment->total);
		break;
	default:
		give_up(verdict, "there is nothing to do in this status");
	}
}

/* Whatever order_cancel() would allow at once: with an intent the provider is told, so that nothing
 * can be reserved under it later by a call that is still on its way. */
static void begin_ending(
	const struct order_payment *payment, bool asks_first, struct order_verdict *verdict)
{
	switch (order_cancel(payment->status)) {
	case ORDER_CANCEL_AT_ONCE:
	case ORDER_CANCEL_VOID:
	case ORDER_CANCEL_WAIT: /* Whoever claimed the order owns its call. */
		if (!payment->has_intent)
			move(payment, ending_event(payment), verdict);
		else
			call(verdict, asks_first ? PAYMENT_LOOK_UP : PAYMENT_VOID_AUTHORIZATION, 0);
		break;
	case ORDER_CANCEL_REFUND:
		call(verdict, asks_first ? PAYMENT_LOOK_UP : PAYMENT_REFUND,
			payment->captured - payment->refunded);
		break;
	case ORDER_CANCEL_OVER:
		give_up(verdict, "the order is over already");
	}
}

void order_step_settle(const struct order_payment *payment, enum payment_operation operation,
	const struct payment_result *result, const struct order_rules *rules,
	struct order_verdict *verdict)
{
	/* cppcheck-suppress ctuuninitvar ; only its address is kept, the next line fills it */
	const struct judging judging = {payment, operation, result, rules, verdict};
	*verdict = nothing(payment);
	if (result->status == STATUS_REFUSED && operation == PAYMENT_CREATE_INTENT)
		move_because(&judging, ORDER_DECLINE, "refused"); /* Too small, or too large. */
	else if (result->status == STATUS_REFUSED)
		give_up(verdict, result->detail);
	else if (result->status != STATUS_OK)
		settle_lost(&judging);
	else if (operation == PAYMENT_CREATE_INTENT && result->outcome == PAYMENT_CREATED) {
		verdict->kind = ORDER_WAITS; /* Stored and committed; then it goes on. */
		verdict->stores_intent = true;
	} else if (is_ending(payment) && payment->status == ORDER_PAID)
		settle_refund(&judging);
	else if (is_ending(payment))
		settle_void(&judging);
	else if (payment->status == ORDER_CAPTURING)
		settle_capturing(&judging);
	else
		settle_authorizing(&judging);
}

/* ---- What most answers have in common ---- */

/* The step was not applied, and its key cannot be used again. */
static void try_anew(const struct judging *judging, enum order_verdict_kind kind)
{
	judging->verdict->kind = kind;
	judging->verdict->next_attempt = true;
	judging->verdict->look_up = ORDER_LOOK_UP_NONE;
	judging->verdict->note = judging->result->detail;
}

/* No answer, or none that settles anything. */
static void settle_lost(const struct judging *judging)
{
	struct order_verdict *verdict = judging->verdict;
	bool looks_up = judging->result->next == PAYMENT_NEXT_LOOK_UP;
	verdict->kind = ORDER_RETRIES;
	verdict->note = judging->result->detail;
	verdict->delay_ms = judging->result->retry_after_ms;
	if (looks_up && judging->operation == PAYMENT_CREATE_INTENT)
		try_anew(judging, ORDER_RETRIES); /* What was made is never reserved under. */
	else if (looks_up)
		verdict->look_up = ORDER_LOOK_UP_WORN;
}

/* The provider or a person is at it. */
static void wait(const struct judging *judging)
{
	int64_t pause_ms = judging->payment->age_ms / PAUSES_PER_AGE;
	if (pause_ms < PAUSE_MS_MIN)
		pause_ms = PAUSE_MS_MIN;
	judging->verdict->kind = ORDER_WAITS;
	judging->verdict->delay_ms = pause_ms < PAUSE_MS_MAX ? pause_ms : PAUSE_MS_MAX;
	judging->verdict->look_up = ORDER_LOOK_UP_PENDING;
}

static void move_because(
	const struct judging *judging, enum order_event event, const char *otherwise)
{
	const char *reason = judging->result->reason;
	judging->verdict->reason = reason[0] != '\0' ? reason : otherwise;
	move(judging->payment, event, judging->verdict);
}

static void surprise(const struct judging *judging)
{
	static const char *const notes[PAYMENT_OUTCOME_COUNT] = {
		[PAYMENT_CREATED] = "the provider says that nothing is reserved",
		[PAYMENT_CAPTURED] = "the provider says that it was captured",
		[PAYMENT_REFUNDED] = "the provider says that it was refunded",
		[PAYMENT_REFUND_FAILED] = "the provider could not give the money back",
		[PAYMENT_NOT_FOUND] = "the provider does not know the payment",
		[PAYMENT_VOIDED] = "the provider says that it was voided",
	};
	const char *note = notes[judging->result->outcome];
	give_up(judging->verdict, note ? note : "the provider's answer makes no sense here");
}

/* Whether the state was asked for because nobody knows if the step was applied. */
static bool is_doubted(const struct judging *judging)
{
	return judging->operation == PAYMENT_LOOK_UP &&
		judging->payment->look_up != ORDER_LOOK_UP_PENDING &&
		judging->payment->status != ORDER_REQUIRES_ACTION;
}

/* ---- Reserving ---- */

static void authorized(const struct judging *judging)
{
	const struct order_rules *rules = judging->rules;
	struct order_verdict *verdict = judging->verdict;
	int64_t expires_ms = judging->result->expires_ms;
	if (expires_ms == 0)
		expires_ms = rules->now_ms + rules->authorization_ms_min;
	int64_t stay_ms = expires_ms - rules->margin_ms - rules->now_ms;
	stay_ms = stay_ms < rules->finalize_ms ? stay_ms : rules->finalize_ms;
	verdict->stay_ms = stay_ms > 0 ? stay_ms : 0;
	verdict->capture_before_ms = expires_ms;
	move(judging->payment, ORDER_AUTHORIZE, verdict);
}

static void settle_authorizing(const struct judging *judging)
{
	struct order_verdict *verdict = judging->verdict;
	bool acted = judging->payment->status == ORDER_REQUIRES_ACTION;
	switch (judging->result->outcome) {
	case PAYMENT_AUTHORIZED:
		authorized(judging);
		break;
	case PAYMENT_CREATED:
	case PAYMENT_DECLINED:
		/* Of an earlier attempt, perhaps; nothing is reserved, so trying anew is safe. */
		if (is_doubted(judging))
			try_anew(judging, ORDER_WAITS);
		else
			move_because(judging, ORDER_DECLINE, "not_authorized");
		break;
	case PAYMENT_REQUIRES_ACTION:
		if (acted) {
			wait(judging);
			break;
		}
		verdict->stay_ms = judging->rules->action_ms;
		if (judging->result->next_action_url[0] != '\0')
			verdict->next_action_url = judging->result->next_action_url;
		move(judging->payment, ORDER_REQUIRE_ACTION, verdict);
		break;
	case PAYMENT_PENDING:
		wait(judging);
		break;
	case PAYMENT_VOIDED:
		move_because(judging, ORDER_CANCEL, "voided");
		break;
	default:
		surprise(judging);
	}
}

/* ---- Taking ---- */

static void settle_capturing(const struct judging *judging)
{
	switch (judging->result->outcome) {
	case PAYMENT_CAPTURED:
		judging->verdict->amount = judging->result->captured.minor;
		move(judging->payment, ORDER_PAY, judging->verdict);
		break;
	case PAYMENT_AUTHORIZED:
		if (judging->payment->look_up == ORDER_LOOK_UP_PENDING)
			wait(judging);
		else
			try_anew(judging,
				judging->operation == PAYMENT_LOOK_UP ? ORDER_WAITS
								      : ORDER_RETRIES);
		break;
	case PAYMENT_PENDING:
		wait(judging);
		break;
	case PAYMENT_VOIDED:
	case PAYMENT_DECLINED:
	case PAYMENT_CREATED:
		/* Nothing is reserved any more: the authorization has expired. */
		move_because(judging, ORDER_FAIL_CAPTURE, "authorization_expired");
		break;
	default:
		surprise(judging);
	}
}

/* ---- Giving back ---- */

static void settle_void(const struct judging *judging)
{
	switch (judging->result->outcome) {
	case PAYMENT_VOIDED:
		move_because(judging, ending_event(judging->payment), NULL);
		break;
	case PAYMENT_PENDING:
		wait(judging);
		break;
	case PAYMENT_CREATED:
	case PAYMENT_DECLINED:
	case PAYMENT_REQUIRES_ACTION:
	case PAYMENT_AUTHORIZED:
		try_anew(judging,
			judging->operation == PAYMENT_LOOK_UP ? ORDER_WAITS : ORDER_RETRIES);
		break;
	default:
		surprise(judging);
	}
}

/* A second refund really is a second one, so what was given back so far is subtracted first. */
static void settle_refund(const struct judging *judging)
{
	const struct payment_result *result = judging->result;
	bool asked = judging->operation == PAYMENT_LOOK_UP;
	bool pending = judging->payment->look_up == ORDER_LOOK_UP_PENDING;
	if (result->outcome == PAYMENT_REFUNDED) {
		judging->verdict->amount = judging->payment->captured;
		move(judging->payment, ORDER_REFUND, judging->verdict);
	} else if (result->outcome == PAYMENT_PENDING ||
		(asked && pending && result->outcome == PAYMENT_CAPTURED &&
			judging->payment->key_age_ms < REFUND_PENDING_MS_MAX)) {
		wait(judging);
	} else if (asked && !pending && result->outcome == PAYMENT_CAPTURED) {
		judging->verdict->amount = result->refunded.minor;
		try_anew(judging, ORDER_WAITS);
	} else {
		surprise(judging);
	}
}

/* ---- Names ---- */

const char *order_ending_name(enum order_ending ending)
{
	static const char *const names[] = {NULL, "cancel", "expire"};
	return names[ending];
}

const char *order_look_up_name(enum order_look_up look_up)
{
	static const char *const names[] = {NULL, "worn", "pending"};
	return names[look_up];
}

enum order_ending order_ending_parse(struct slice name)
{
	if (slice_is(name, "cancel"))
		return ORDER_ENDS_BY_CANCEL;
	return slice_is(name, "expire") ? ORDER_ENDS_BY_EXPIRY : ORDER_GOES_ON;
}

enum order_look_up order_look_up_parse(struct slice name)
{
	if (slice_is(name, "worn"))
		return ORDER_LOOK_UP_WORN;
	return slice_is(name, "pending") ? ORDER_LOOK_UP_PENDING : ORDER_LOOK_UP_NONE;
}
