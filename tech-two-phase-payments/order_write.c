/* See order_write.h. */
#include "tech-two-phase-payments/order_write.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/ticketing/order.h"
#include "tech-two-phase-payments/order_points.h"

enum {
	QUEUE_MAX = 4096,
	BATCH_MAX = 256,
	SWEEP_MAX = 1000,
	EXPIRE_MS = 250,       /* Between two looks for orders whose time is over. */
	FORGET_TURNS = 20,     /* Of these after which old keys are forgotten. */
	UNKNOWN_TRIES_MAX = 2, /* Of a statement whose answer was lost. */
};

static const char *const kind_names[ORDER_WRITE_KINDS] = {
	[ORDER_WRITE_CREATE] = "create",
	[ORDER_WRITE_CONFIRM] = "confirm",
	[ORDER_WRITE_FINALIZE] = "finalize",
	[ORDER_WRITE_CANCEL] = "cancel",
	[ORDER_WRITE_WAKE] = "wake",
};

static const struct http_problem status_problem = {
	409, "order-status", "The order's status does not allow this"};
static const struct http_problem over_problem = {
	410, "order-over", "The order is over, or is being ended"};

struct order_writer {
	struct order_writer_options options;
	struct postgres_statement statements[ORDER_WRITE_KINDS]; /* `sql` NULL: no such kind. */
	struct postgres_statement answers, expire, forget_keys;
	struct postgres *pg;
	struct lane *lane;
	struct slice legal[ORDER_WRITE_KINDS][ORDER_STATUS_COUNT]; /* Where each is allowed. */
	size_t legal_count[ORDER_WRITE_KINDS];
	unsigned turns;
};

/* Requests of one kind, and those of them that are answered and go back together. */
struct pile {
	enum order_write_kind kind;
	struct order_write *writes[BATCH_MAX]; /* NULL: answered. */
	size_t count;
	struct http_burst answered;
};

static void apply_writes(
	void *context, size_t thread, struct lane_item *const items[], size_t count);
static void refuse_late(void *context, struct lane_item *const items[], size_t count);
static int64_t sweep(void *context, int64_t now_ms);
static void write_pile(struct order_writer *writer, struct pile *pile);
static enum status send_pile(
	struct order_writer *writer, const struct pile *pile, struct postgres_result *result);
static void write_halves(struct order_writer *writer, const struct pile *pile);
static void take_applied(
	struct order_writer *writer, struct pile *pile, const struct postgres_result *result);
static void answer_rest(struct order_writer *writer, struct pile *pile);
static void fail_pile(struct pile *pile, enum status status);
static void collect_legal(struct order_writer *writer);

static const struct lane_ops lane_ops = {.apply = apply_writes, .late = refuse_late, .tick = sweep};

static void name_statements(struct order_writer *writer, const struct order_writer_sql *sql)
{
	const char *const texts[ORDER_WRITE_KINDS] = {
		[ORDER_WRITE_CREATE] = sql->create,
		[ORDER_WRITE_CONFIRM] = sql->confirm,
		[ORDER_WRITE_FINALIZE] = sql->finalize,
		[ORDER_WRITE_CANCEL] = sql->cancel,
		[ORDER_WRITE_WAKE] = sql->wake,
	};
	for (int kind = 0; kind < ORDER_WRITE_KINDS; kind++)
		writer->statements[kind] =
			(struct postgres_statement){.name = kind_names[kind], .sql = texts[kind]};
	writer->answers = (struct postgres_statement){
		.name = "answers", .sql = sql->answers, .effect = POSTGRES_READS};
	writer->expire = (struct postgres_statement){.name = "expire", .sql = sql->expire};
	writer->forget_keys =
		(struct postgres_statement){.name = "forget_keys", .sql = sql->forget_keys};
}

enum status order_writer_open(
	const struct order_writer_options *options, struct order_writer **result)
{
	struct order_writer *writer = calloc(1, sizeof *writer);
	if (!writer)
		return STATUS_UNAVAILABLE;
	writer->options = *options;
	name_statements(writer, &options->sql);
	collect_legal(writer);
	writer->pg = postgres_open(&(struct postgres_options){.url = options->database_url,
		.application_name = "orders-write",
		.settings = options->database_settings,
		.connect_ms_max = options->database_ms,
		.call_ms_max = options->database_ms});
	const struct lane_options lane = {.name = "order_write",
		.ops = &lane_ops,
		.context = writer,
		.queue_max = QUEUE_MAX,
		.batch_max = BATCH_MAX,
		.metrics = options->metrics};
	if (!writer->pg || lane_open(&lane, &writer->lane) != STATUS_OK) {
		order_writer_close(writer);
		return STATUS_UNAVAILABLE;
	}
	*result = writer;
	return STATUS_OK;
}

void order_writer_close(struct order_writer *writer)
{
	if (!writer)
		return;
	lane_close(writer->lane);
	postgres_close(writer->pg);
	free(writer);
}

void order_writer_register_metrics(struct metrics *metrics)
{
	lane_register_metrics(metrics, "order_write");
}

static void refuse_item(struct lane_item *item)
{
	struct http_exchange *exchange = ((struct order_write *)item)->exchange;
	http_reply_problem(exchange, &http_problem_unavailable,
		"There is too much to do just now; nothing was done.");
	http_complete(exchange);
}

void order_writer_submit(struct order_writer *writer, struct order_write *write)
{
	assert(writer->statements[write->kind].sql && write->order.size <= ORDER_KEY_SIZE_MAX);
	write->item.deadline_ms = http_deadline_ms(write->exchange);
	(void)sodium_bin2hex(write->fingerprint, sizeof write->fingerprint,
		write->idempotency.fingerprint, sizeof write->idempotency.fingerprint);
	http_submit(write->exchange, writer->lane, &write->item, refuse_item);
}

/* The states in which the table allows a kind, as the statements take them. */
static void collect_legal(struct order_writer *writer)
{
	static const enum order_event events[ORDER_WRITE_KINDS] = {
		[ORDER_WRITE_CONFIRM] = ORDER_CONFIRM, [ORDER_WRITE_FINALIZE] = ORDER_FINALIZE};
	for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
		enum order_status from = (enum order_status)status, to;
		struct slice name = slice_of(order_status_name(from));
		for (int kind = ORDER_WRITE_CONFIRM; kind <= ORDER_WRITE_CANCEL; kind++) {
			bool legal = kind == ORDER_WRITE_CANCEL
				? order_cancel(from) != ORDER_CANCEL_OVER
				: order_transition(from, events[kind], &to);
			if (legal)
				writer->legal[kind][writer->legal_count[kind]++] = name;
		}
	}
}

static bool is_legal(
	const struct order_writer *writer, enum order_write_kind kind, struct slice status)
{
	for (size_t i = 0; i < writer->legal_count[kind]; i++)
		if (slice_equal(writer->legal[kind][i], status))
			return true;
	return false;
}

/* ---- The lane ---- */

static void apply_writes(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct order_writer *writer = context;
	struct pile piles[ORDER_WRITE_KINDS];
	(void)thread;
	for (int kind = 0; kind < ORDER_WRITE_KINDS; kind++)
		piles[kind] = (struct pile){.kind = (enum order_write_kind)kind};
	for (size_t i = 0; i < count; i++) {
		struct order_write *write = (struct order_write *)items[i];
		struct pile *pile = &piles[write->kind];
		pile->writes[pile->count++] = write;
	}
	/* Nobody has heard an answer to any of them yet, so any order among kinds will do. */
	for (int kind = 0; kind < ORDER_WRITE_KINDS; kind++)
		if (piles[kind].count > 0)
			write_pile(writer, &piles[kind]);
}

static void refuse_late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct order_write *write = (struct order_write *)items[i];
		http_reply_problem(write->exchange, &http_problem_unavailable,
			"It took too long until it was this request's turn; nothing was done.");
		http_complete(write->exchange);
	}
}

/* Whether there may be more of them. */
static bool expire_some(struct order_writer *writer)
{
	struct postgres_result result;
	bool has_more = false;
	order_point_reach("expire", "before-write");
	if (postgres_execute(writer->pg, &writer->expire,
		    POSTGRES_PARAMETERS(postgres_integer(SWEEP_MAX)), &result) == STATUS_OK &&
		result.affected_count > 0) {
		order_point_reach("expire", "after-write");
		writer->options.written(writer->options.context, ORDER_WRITE_CANCEL);
		has_more = result.affected_count == SWEEP_MAX;
	}
	postgres_result_release(&result);
	return has_more;
}

static bool forget_some(struct order_writer *writer)
{
	struct postgres_result result;
	bool has_more = false;
	if (postgres_execute(writer->pg, &writer->forget_keys,
		    POSTGRES_PARAMETERS(postgres_integer(SWEEP_MAX)), &result) != STATUS_OK) {
		log_warning("orders.sweep", LOG_TEXT("why", postgres_error(writer->pg)->message));
	} else if (result.affected_count == SWEEP_MAX) {
		writer->turns = 0;
		has_more = true;
	}
	postgres_result_release(&result);
	return has_more;
}

/* What is due by itself: orders whose time is over, and keys that are old. Where there was more
 * than one statement takes, the next turn comes at once; a lane with work goes on with that
 * between. A database that does not answer is asked again at the next turn. */
static int64_t sweep(void *context, int64_t now_ms)
{
	struct order_writer *writer = context;
	bool has_more = writer->expire.sql && expire_some(writer);
	if (writer->turns++ % FORGET_TURNS == 0 && writer->forget_keys.sql)
		has_more = forget_some(writer) || has_more;
	return has_more ? now_ms : now_ms + EXPIRE_MS;
}

/* ---- One kind ---- */

/* Answer one request, which leaves the pile. */
static void finish(struct pile *pile, size_t index)
{
	struct http_exchange *exchange = pile->writes[index]->exchange;
	pile->writes[index] = NULL;
	http_burst_add(&pile->answered, exchange);
}

static void fail_pile(struct pile *pile, enum status status)
{
	for (size_t i = 0; i < pile->count; i++) {
		if (!pile->writes[i])
			continue;
		struct http_exchange *exchange = pile->writes[i]->exchange;
		if (status == STATUS_UNAVAILABLE)
			http_reply_problem(exchange, &http_problem_unavailable,
				"The database does not answer; nothing was done.");
		else if (status == STATUS_UNKNOWN)
			http_reply_problem(exchange, &http_problem_unavailable,
				"The database's answer was lost. Repeat the request with the same "
				"Idempotency-Key to learn what became of it.");
		else
			http_reply_problem(exchange, &http_problem_internal, NULL);
		finish(pile, i);
	}
}

static void write_pile(struct order_writer *writer, struct pile *pile)
{
	struct postgres_result result = {0};
	enum status status;
	int tries = 0;
	order_point_reach(kind_names[pile->kind], "before-write");
	do {
		postgres_result_release(&result);
		status = send_pile(writer, pile, &result);
	} while (status == STATUS_UNKNOWN && ++tries < UNKNOWN_TRIES_MAX);
	order_point_reach(kind_names[pile->kind], "after-write");
	if (status == STATUS_OK)
		take_applied(writer, pile, &result);
	postgres_result_release(&result);

	/* A key that another process has written at the same moment is found by reading. */
	bool key_taken = status == STATUS_REFUSED && pile->count == 1 &&
		postgres_violated(writer->pg, "idempotency_keys_pkey");
	if (status == STATUS_OK || key_taken)
		answer_rest(writer, pile);
	else if (status == STATUS_REFUSED && pile->count > 1)
		write_halves(writer, pile);
	else
		fail_pile(pile, status);
	http_burst_complete(&pile->answered);
}

/* One bad request must not fail its neighbours. */
static void write_halves(struct order_writer *writer, const struct pile *pile)
{
	size_t half = pile->count / 2;
	struct pile part = {.kind = pile->kind, .count = half};
	memcpy(part.writes, pile->writes, half * sizeof *part.writes);
	write_pile(writer, &part);
	part.count = pile->count - half;
	memcpy(part.writes, pile->writes + half, part.count * sizeof *part.writes);
	write_pile(writer, &part);
}

/* What the statements take of each request. */
struct columns {
	struct slice orders[BATCH_MAX], callers[BATCH_MAX];
	struct slice keys[BATCH_MAX], fingerprints[BATCH_MAX];
	struct slice contents[BATCH_MAX], methods[BATCH_MAX], references[BATCH_MAX];
};

static void fill_columns(const struct pile *pile, struct columns *columns)
{
	for (size_t i = 0; i < pile->count; i++) {
		const struct order_write *write = pile->writes[i];
		columns->orders[i] = write->order;
		columns->callers[i] = write->caller;
		columns->keys[i] = write->idempotency.key;
		columns->fingerprints[i] = slice_of(write->fingerprint);
		columns->contents[i] = write->content;
		columns->methods[i] = write->payment_method;
		columns->references[i] = write->reference;
	}
}

static enum status send_pile(
	struct order_writer *writer, const struct pile *pile, struct postgres_result *result)
{
	struct columns columns;
	size_t count = pile->count;
	enum order_write_kind kind = pile->kind;
	const struct postgres_statement *statement = &writer->statements[kind];
	struct slice operation = pile->writes[0]->idempotency.operation;
	fill_columns(pile, &columns);
	if (kind == ORDER_WRITE_WAKE)
		return postgres_execute(writer->pg, statement,
			POSTGRES_PARAMETERS(postgres_text_array(columns.references, count)),
			result);
	if (kind == ORDER_WRITE_CREATE)
		return postgres_execute(writer->pg, statement,
			POSTGRES_PARAMETERS(postgres_text_array(columns.orders, count),
				postgres_text_array(columns.callers, count),
				postgres_text_array(columns.contents, count),
				postgres_text_array(columns.keys, count),
				postgres_text_array(columns.fingerprints, count),
				postgres_text(operation),
				postgres_bigint(writer->options.confirm_ms)),
			result);
	const struct postgres_parameter parameters[] = {
		postgres_text_array(columns.orders, count),
		postgres_text_array(columns.callers, count),
		postgres_text_array(columns.keys, count),
		postgres_text_array(columns.fingerprints, count),
		postgres_text(operation),
		postgres_text_array(writer->legal[kind], writer->legal_count[kind]),
		postgres_text_array(columns.methods, count),
	};
	size_t parameter_count = sizeof parameters / sizeof *parameters;
	if (kind != ORDER_WRITE_CONFIRM)
		parameter_count--; /* There are no payment methods. */
	return postgres_execute(writer->pg, statement, parameters, parameter_count, result);
}

/* Answer those that the statement names, and all wakes. */
static void take_applied(
	struct order_writer *writer, struct pile *pile, const struct postgres_result *result)
{
	for (size_t i = 0; i < pile->count && pile->kind == ORDER_WRITE_WAKE; i++) {
		http_reply_empty(pile->writes[i]->exchange, 200);
		finish(pile, i);
	}
	for (size_t row = 0; row < result->row_count; row++) {
		size_t i = (size_t)postgres_get_bigint(result, row, 0) - 1;
		assert(i < pile->count && pile->writes[i]);
		http_reply_json_text(pile->writes[i]->exchange,
			pile->kind == ORDER_WRITE_CREATE ? 201 : 202,
			postgres_get_text(result, row, 2));
		/* Before the reply: the server, and with it the feed's channel, waits for that. */
		struct order_feed *feed = atomic_load(writer->options.feed);
		if (feed && pile->kind != ORDER_WRITE_CREATE)
			order_feed_changed(feed, pile->writes[i]->order,
				postgres_get_bigint(result, row, 1),
				postgres_get_text(result, row, 3));
		finish(pile, i);
	}
	if (result->row_count > 0 || result->affected_count > 0)
		writer->options.written(writer->options.context, pile->kind);
}

/* ---- Those that were not applied ---- */

void order_refuse(const struct order_refusal *refusal)
{
	struct http_exchange *exchange = refusal->write->exchange;
	struct slice status = refusal->status;
	if (!status.data)
		http_reply_problem(exchange, &http_problem_not_found, "There is no such order.");
	else if (slice_is(status, "expired") || (refusal->is_over && refusal->is_legal))
		http_reply_problem_with(exchange, &over_problem,
			json_pack("{s:s%}", "orderStatus", status.data, status.size), NULL);
	else
		http_reply_problem_with(exchange, &status_problem,
			json_pack("{s:s%}", "orderStatus", status.data, status.size),
			"The order is %.*s.", SLICE_PRINT(status));
}

static void answer_one(const struct order_writer *writer, const struct order_write *write,
	const struct postgres_result *rows, size_t row)
{
	if (!postgres_is_null(rows, row, 1)) {
		const struct http_idempotency_record known = {
			.fingerprint = postgres_get_bytes(rows, row, 1),
			.status = (unsigned)postgres_get_integer(rows, row, 2),
			.body = postgres_get_text(rows, row, 3),
		};
		http_idempotency_answer(write->exchange, &write->idempotency, &known);
		return;
	}
	struct slice status = postgres_get_text(rows, row, 4);
	const struct order_refusal refusal = {
		.write = write,
		.status = status,
		.is_over = status.data && postgres_get_boolean(rows, row, 5),
		.is_legal = status.data && is_legal(writer, write->kind, status),
		.rows = rows,
		.row = row,
	};
	writer->options.refuse(writer->options.context, &refusal);
}

/* By a statement of its own, which also sees what was committed while the first one waited. */
static void answer_rest(struct order_writer *writer, struct pile *pile)
{
	struct pile rest = {.kind = pile->kind};
	struct columns columns;
	size_t indexes[BATCH_MAX];
	for (size_t i = 0; i < pile->count; i++) {
		if (!pile->writes[i])
			continue;
		indexes[rest.count] = i;
		rest.writes[rest.count++] = pile->writes[i];
	}
	if (rest.count == 0)
		return;
	fill_columns(&rest, &columns);
	struct postgres_result rows;
	enum status status = postgres_execute(writer->pg, &writer->answers,
		POSTGRES_PARAMETERS(postgres_text_array(columns.callers, rest.count),
			postgres_text_array(columns.keys, rest.count),
			postgres_text_array(columns.orders, rest.count),
			postgres_text(rest.writes[0]->idempotency.operation),
			postgres_text_array(columns.contents, rest.count)),
		&rows);
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++) {
		size_t i = indexes[postgres_get_bigint(&rows, row, 0) - 1];
		answer_one(writer, pile->writes[i], &rows, row);
		finish(pile, i);
	}
	postgres_result_release(&rows);
	if (status != STATUS_OK)
		fail_pile(pile, status);
}
