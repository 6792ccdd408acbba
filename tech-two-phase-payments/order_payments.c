/* See order_payments.h. Rows that need no call, or for which the provider has no room, are handed
 * back by the next collect. */
#include "tech-two-phase-payments/order_payments.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/stages/stages.h"
#include "tech-two-phase-payments/order_points.h"

enum {
	POLL_MS = 250,
	BACKOFF_MS_MIN = 100,
	ATTEMPTS_MAX = 10000, /* A provider that is gone is waited for; a person is told earlier, by
			       * stage_retried. */
	COLLECT_MAX = STAGE_BATCH_MAX,
	NUMBER_SIZE = 24,
};

/* The texts of a transition, as the statement `move` takes them. */
enum {
	DATA_INTENT,
	DATA_REASON,
	DATA_URL,
	DATA_STAY,
	DATA_BEFORE,
	DATA_LOOK_UP,
	DATA_ATTEMPT,
	DATA_AMOUNT
};

_Static_assert(DATA_AMOUNT + 1 == ORDER_PAYMENTS_DATA, "move takes all of them");
_Static_assert((int)ORDER_PAYMENTS_DATA <= (int)STAGE_DATA_MAX, "a transition has room for them");

struct order_row {
	struct stage_row base;
	struct order_payment payment;
	struct payment_call call;
	struct slice intent, payment_method;
	struct order_row *next; /* Among those handed back. */
	int64_t version;
	unsigned payment_attempt;
	char currency[CURRENCY_TEXT_SIZE];
	char key[PAYMENT_KEY_SIZE];
};

struct order_stage {
	struct order_payments *payments;
	const char *name;
	struct stage *stage;
	struct payment_provider *provider;
	struct order_row *handed_back;
	struct metrics_histogram *seconds[PAYMENT_OPERATION_COUNT];
	struct metrics_counter *outcomes[PAYMENT_OPERATION_COUNT][PAYMENT_OUTCOME_COUNT];
	struct metrics_counter *failures[PAYMENT_OPERATION_COUNT][STATUS_REFUSED + 1];
};

struct order_payments {
	struct order_payments_options options;
	struct order_stage stages[ORDER_STAGES];
};

static bool read_order(
	void *context, struct stage_row *base, const struct postgres_result *result, size_t index);
static void submit_orders(void *context, struct stage_row *const rows[], size_t count);
static size_t collect_orders(
	void *context, int64_t timeout_ms, struct stage_row *done[], size_t max);
static void wake_provider(void *context);
static void tell_moved(void *context, struct stage_row *const rows[], size_t count);
static void reach_point(void *context, enum stage_point point);
static void begin(struct order_stage *stage, struct order_row *row);
static void make_call(
	struct order_stage *stage, struct order_row *row, const struct order_verdict *verdict);
static void settle(struct order_stage *stage, struct order_row *row);
static void carry_out(struct order_row *row, const struct order_verdict *verdict);
static void tell(struct order_payments *payments, const struct order_row *row, const char *status,
	int64_t version);
static void open_metrics(struct order_stage *stage, struct metrics *metrics);

static const struct stage_ops stage_ops = {.read = read_order,
	.submit = submit_orders,
	.collect = collect_orders,
	.wake = wake_provider,
	.moved = tell_moved,
	.at = reach_point};

/* The state "ending" is no status: its statements do not look at it. */
static const struct {
	const char *name, *state;
} kinds[ORDER_STAGES] = {
	[ORDER_STAGE_AUTHORIZE] = {"authorize", "authorizing"},
	[ORDER_STAGE_ACTION] = {"action", "requires_action"},
	[ORDER_STAGE_CAPTURE] = {"capture", "capturing"},
	[ORDER_STAGE_ENDING] = {"ending", "ending"},
};

static enum status open_stage(struct order_payments *payments, size_t index)
{
	struct order_stage *stage = &payments->stages[index];
	const struct order_payments_options *options = &payments->options;
	*stage = (struct order_stage){.payments = payments,
		.name = kinds[index].name,
		.provider = options->providers[index]};
	open_metrics(stage, options->metrics);
	return stage_open(&(struct stage_options){.name = kinds[index].name,
				  .state = kinds[index].state,
				  .sql = {.claim = options->sql.claim[index],
					  .renew = options->sql.renew,
					  .move = options->sql.move,
					  .data_count = ORDER_PAYMENTS_DATA},
				  .ops = &stage_ops,
				  .context = stage,
				  .row_size = sizeof(struct order_row),
				  .database_url = options->database_url,
				  .database_settings = options->database_settings,
				  .in_flight_max = options->in_flight_max,
				  .lease_ms = options->lease_ms,
				  .poll_ms = POLL_MS,
				  .backoff_ms_min = BACKOFF_MS_MIN,
				  .backoff_ms_max = options->backoff_ms_max,
				  .attempts_max = ATTEMPTS_MAX,
				  .call_ms_max = options->database_ms,
				  .connect_ms_max = options->database_ms,
				  .metrics = options->metrics},
		&stage->stage);
}

enum status order_payments_open(
	const struct order_payments_options *options, struct order_payments **result)
{
	struct order_payments *payments = calloc(1, sizeof *payments);
	if (!payments)
		return STATUS_UNAVAILABLE;
	payments->options = *options;
	const struct payment_traits *traits = &options->providers[0]->traits;
	payments->options.rules.key_ms_min = traits->key_ms_min;
	payments->options.rules.authorization_ms_min = traits->authorization_ms_min;
	for (size_t i = 0; i < ORDER_STAGES; i++) {
		if (open_stage(payments, i) == STATUS_OK)
			continue;
		for (size_t j = 0; j <= i; j++)
			payments->stages[j].provider = NULL;
		order_payments_close(payments);
		return STATUS_UNAVAILABLE;
	}
	*result = payments;
	return STATUS_OK;
}

enum status order_payments_start(struct order_payments *payments)
{
	for (size_t i = 0; i < ORDER_STAGES; i++)
		if (stage_start(payments->stages[i].stage) != STATUS_OK)
			return STATUS_UNAVAILABLE;
	return STATUS_OK;
}

void order_payments_wake(struct order_payments *payments, enum order_stage_kind stage)
{
	stage_wake(payments->stages[stage].stage);
}

void order_payments_stop(struct order_payments *payments, int64_t timeout_ms)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + timeout_ms;
	for (size_t i = 0; i < ORDER_STAGES; i++) {
		int64_t left_ms = end_ms - clock_monotonic_ms(clock_system());
		if (payments->stages[i].stage)
			(void)stage_stop(payments->stages[i].stage, left_ms > 0 ? left_ms : 0);
	}
}

void order_payments_close(struct order_payments *payments)
{
	if (!payments)
		return;
	order_payments_stop(payments, 0);
	for (size_t i = 0; i < ORDER_STAGES; i++)
		payment_close(payments->stages[i].provider); /* Its calls point into rows. */
	for (size_t i = 0; i < ORDER_STAGES; i++)
		stage_close(payments->stages[i].stage);
	free(payments);
}

/* ---- A stage's ops, on its thread ---- */

static struct slice copy_column(
	struct stage_row *row, const struct postgres_result *result, size_t index, size_t column)
{
	struct slice text = postgres_get_text(result, index, column);
	return text.data ? (struct slice){arena_copy(&row->arena, text), text.size} : text;
}

static int64_t age_column(const struct postgres_result *result, size_t index, size_t column)
{
	return postgres_is_null(result, index, column) ? 0
						       : postgres_get_bigint(result, index, column);
}

/* The columns are those of `claim`. */
static bool read_order(
	void *context, struct stage_row *base, const struct postgres_result *result, size_t index)
{
	struct order_stage *stage = context;
	struct order_row *row = (struct order_row *)base;
	struct order_payment *payment = &row->payment;
	struct slice currency = postgres_get_text(result, index, 5);
	if (!order_status_parse(postgres_get_text(result, index, 2), &payment->status) ||
		currency.size >= sizeof row->currency)
		return false;
	memcpy(row->currency, currency.data, currency.size);
	row->version = postgres_get_bigint(result, index, 3);
	row->payment_method = copy_column(base, result, index, 6);
	row->intent = copy_column(base, result, index, 7);
	row->payment_attempt = (unsigned)postgres_get_integer(result, index, 8);
	payment->has_intent = row->intent.data != NULL;
	payment->total = postgres_get_bigint(result, index, 4);
	payment->look_up = order_look_up_parse(postgres_get_text(result, index, 9));
	payment->ending = order_ending_parse(postgres_get_text(result, index, 10));
	payment->captured = postgres_get_bigint(result, index, 11);
	payment->refunded = postgres_get_bigint(result, index, 12);
	payment->age_ms = age_column(result, index, 13);
	payment->key_age_ms = age_column(result, index, 14);
#ifdef ORDERS_WITHOUT_KEYS
	/* The negative control: neither keys nor the stored intent hold a repetition back. Once is
	 * enough, and lets the order go on. */
	static atomic_bool has_forgotten;
	if (base->attempts > 1 && payment->status == ORDER_AUTHORIZING &&
		!atomic_exchange(&has_forgotten, true))
		payment->has_intent = false;
#endif
	/* The claim itself has made it so. */
	if (payment->status == ORDER_CAPTURING && base->attempts == 1)
		tell(stage->payments, row, "capturing", row->version);
	return true;
}

static void hand_back(struct order_stage *stage, struct order_row *row)
{
	row->next = stage->handed_back;
	stage->handed_back = row;
}

static void submit_orders(void *context, struct stage_row *const rows[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		begin(context, (struct order_row *)rows[i]);
}

static size_t collect_orders(
	void *context, int64_t timeout_ms, struct stage_row *done[], size_t max)
{
	struct order_stage *stage = context;
	struct payment_call *calls[COLLECT_MAX];
	size_t count = 0;
	for (; stage->handed_back && count < max; count++) {
		done[count] = &stage->handed_back->base;
		stage->handed_back = stage->handed_back->next;
	}
	size_t room = max - count < COLLECT_MAX ? max - count : COLLECT_MAX;
	size_t called = payment_collect(stage->provider, count > 0 ? 0 : timeout_ms, calls, room);
	for (size_t i = 0; i < called; i++) {
		struct order_row *row = calls[i]->context;
		order_point_reach(stage->name, "after-call");
		settle(stage, row);
		done[count++] = &row->base;
	}
	return count;
}

static void wake_provider(void *context)
{
	struct order_stage *stage = context;
	payment_wakeup(stage->provider);
}

static void tell_moved(void *context, struct stage_row *const rows[], size_t count)
{
	struct order_stage *stage = context;
	for (size_t i = 0; i < count; i++) {
		const struct order_row *row = (const struct order_row *)rows[i];
		if (row->base.outcome == STAGE_DONE)
			tell(stage->payments, row, row->base.next_state, row->version + 1);
	}
	order_point_reach(stage->name, "after-tell");
}

static void reach_point(void *context, enum stage_point point)
{
	const struct order_stage *stage = context;
	order_point_reach(stage->name, stage_point_name(point));
}

/* ---- One order ---- */

static struct order_rules rules_now(const struct order_stage *stage)
{
	struct order_rules rules = stage->payments->options.rules;
	rules.now_ms = clock_wall_ms(clock_system());
	return rules;
}

static void begin(struct order_stage *stage, struct order_row *row)
{
	const struct order_rules rules = rules_now(stage);
	struct order_verdict verdict;
	order_step_begin(&row->payment, &rules, &verdict);
	if (verdict.kind == ORDER_CALLS) {
		make_call(stage, row, &verdict);
		return;
	}
	carry_out(row, &verdict);
	hand_back(stage, row);
}

/* The key is made of the order, the step and the payment attempt, and of nothing that another
 * claimant would have otherwise. */
static struct slice make_key(struct order_row *row, enum payment_operation operation)
{
#ifdef ORDERS_WITHOUT_KEYS
	(void)operation;
	char random[ID_TEXT_SIZE];
	id_format(id_new(clock_wall_ms(clock_system())), random);
	(void)snprintf(row->key, sizeof row->key, "%s", random);
	return slice_of(row->key);
#else
	return payment_key(row->key, row->base.key, operation, row->payment_attempt);
#endif
}

static void make_call(
	struct order_stage *stage, struct order_row *row, const struct order_verdict *verdict)
{
	const char *return_url = stage->payments->options.return_url;
	row->call = (struct payment_call){.order_id = row->base.key,
		.reference = row->payment.has_intent ? row->intent : (struct slice){.data = NULL},
		.amount = {.minor = verdict->amount},
		.context = row};
	memcpy(row->call.amount.currency, row->currency, sizeof row->currency);
	if (verdict->operation != PAYMENT_LOOK_UP)
		row->call.key = make_key(row, verdict->operation);
	if (verdict->operation == PAYMENT_AUTHORIZE) {
		row->call.payment_method = row->payment_method;
		row->call.return_url = slice_of(return_url ? return_url : "");
	}
	order_point_reach(stage->name, "before-call");
	if (payment_submit(stage->provider, &row->call, verdict->operation) == STATUS_OK)
		return;
	stage_retry(&row->base, "there were too many calls to the provider", 0);
	hand_back(stage, row);
}

static void count_call(const struct order_stage *stage, const struct payment_call *call)
{
	const struct payment_result *result = &call->result;
	enum payment_operation operation = call->own.operation;
	metrics_histogram_record(stage->seconds[operation], result->took_us * 1000);
	if (result->status == STATUS_OK)
		metrics_counter_add(stage->outcomes[operation][result->outcome], 1);
	else
		metrics_counter_add(stage->failures[operation][result->status], 1);
}

static void settle(struct order_stage *stage, struct order_row *row)
{
	const struct order_rules rules = rules_now(stage);
	struct order_verdict verdict;
	count_call(stage, &row->call);
	order_step_settle(
		&row->payment, row->call.own.operation, &row->call.result, &rules, &verdict);
	carry_out(row, &verdict);
}

static struct slice number(struct order_row *row, int64_t value)
{
	return arena_format(&row->base.arena, "%lld", (long long)value);
}

/* What the transition writes. The result's texts live in the row as long as it does. */
static void fill_data(struct order_row *row, const struct order_verdict *verdict)
{
	struct slice *data = row->base.data;
	const char *look_up = order_look_up_name(verdict->look_up);
	data[DATA_LOOK_UP] = slice_of(look_up ? look_up : "none");
	if (verdict->stores_intent)
		data[DATA_INTENT] = slice_of(row->call.result.reference);
	if (verdict->reason)
		data[DATA_REASON] = slice_of(verdict->reason);
	if (verdict->next_action_url)
		data[DATA_URL] = slice_of(verdict->next_action_url);
	if (verdict->stay_ms >= 0)
		data[DATA_STAY] = number(row, verdict->stay_ms);
	if (verdict->capture_before_ms > 0)
		data[DATA_BEFORE] = number(row, verdict->capture_before_ms);
	if (verdict->next_attempt)
		data[DATA_ATTEMPT] = number(row, (int64_t)row->payment_attempt + 1);
	if (verdict->amount >= 0)
		data[DATA_AMOUNT] = number(row, verdict->amount);
}

/* Only 3-D Secure has a stage of its own behind it; the other statuses are left by people, whose
 * deadline is the row's expires_at. */
static void carry_out(struct order_row *row, const struct order_verdict *verdict)
{
	fill_data(row, verdict);
	switch (verdict->kind) {
	case ORDER_MOVES:
		stage_done(&row->base, order_status_name(verdict->next),
			verdict->next == ORDER_REQUIRES_ACTION ? STAGE_AT_ONCE : STAGE_AT_REST);
		break;
	case ORDER_WAITS:
		stage_wait(&row->base, verdict->delay_ms);
		break;
	case ORDER_RETRIES:
		stage_retry(&row->base, verdict->note, verdict->delay_ms);
		break;
	case ORDER_GIVES_UP:
	case ORDER_CALLS:
		stage_give_up(&row->base, verdict->note);
	}
}

static void tell(struct order_payments *payments, const struct order_row *row, const char *status,
	int64_t version)
{
	const struct order_change change = {.key = row->base.key,
		.status = status,
		.version = version,
		.reason = row->base.data[DATA_REASON],
		.next_action_url = row->base.data[DATA_URL]};
	if (payments->options.changed)
		payments->options.changed(payments->options.context, &change);
}

/* ---- Metrics ---- */

static struct metrics_counter *add_calls(
	struct metrics *metrics, const char *operation, const char *outcome)
{
	const struct metrics_label labels[] = {
		{.name = "operation", .value = operation}, {.name = "outcome", .value = outcome}};
	return metrics_add_counter(metrics,
		&(struct metrics_description){.name = "payment_calls",
			.help = "Calls to the payment provider.",
			.labels = labels,
			.label_count = 2});
}

static void open_metrics(struct order_stage *stage, struct metrics *metrics)
{
	for (int i = 0; i < PAYMENT_OPERATION_COUNT; i++) {
		const char *operation = payment_operation_name((enum payment_operation)i);
		const struct metrics_label label = {.name = "operation", .value = operation};
		for (int j = PAYMENT_CREATED; j < PAYMENT_OUTCOME_COUNT; j++)
			stage->outcomes[i][j] = add_calls(
				metrics, operation, payment_outcome_name((enum payment_outcome)j));
		stage->failures[i][STATUS_UNAVAILABLE] =
			add_calls(metrics, operation, "unavailable");
		stage->failures[i][STATUS_UNKNOWN] = add_calls(metrics, operation, "unknown");
		stage->failures[i][STATUS_REFUSED] = add_calls(metrics, operation, "refused");
		stage->seconds[i] = metrics_add_histogram(metrics,
			&(struct metrics_description){.name = "payment_call_seconds",
				.help = "Time of calls to the payment provider.",
				.unit = "seconds",
				.labels = &label,
				.label_count = 1},
			&metrics_latency_buckets);
	}
}
