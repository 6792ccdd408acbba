/* See conductor.h. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/batch/lane.h"
#include "lib/postgres/postgres.h"
#include "real-implementation/conductor_internal.h"
#include "real-implementation/conductor_statements.sql.h"

static const struct postgres_statement look = {.name = "conductor_look", .sql = sql_look};
static const struct postgres_statement holders = {
	.name = "conductor_holders", .sql = sql_holders, .effect = POSTGRES_READS};
static const struct postgres_statement write_wish = {.name = "conductor_wish", .sql = sql_wish};
static const struct postgres_statement people = {
	.name = "conductor_people", .sql = sql_people, .effect = POSTGRES_READS};
static const struct postgres_statement opened_by_demand = {
	.name = "conductor_opened_by_demand", .sql = sql_opened_by_demand};

enum {
	EVENTS_MAX = 1024, /* Watched at once: those that were asked for most lately. */
	QUEUE_MAX = 4096,
	BATCH_MAX = 256,
	BODY_BYTES_MAX = 4 << 10,
};

/* An event that is watched. */
struct watched {
	struct id event;
	char text[ID_TEXT_SIZE];
	struct live_standing standing;
	uint64_t asks; /* At the last look. */
	double holds_per_second;
	int64_t looked_ms, calm_since_ms; /* 0: it is not calm. */
};

/* What is asked by PUT; or, without an exchange and of the heap, an order that is paid. */
struct conductor_job {
	struct lane_item item;
	struct conductor *conductor;
	struct http_exchange *exchange;
	char order[ITEM_ID_SIZE];
	struct id event;
	char text[ID_TEXT_SIZE];
	struct room_asked asked;
};

struct conductor {
	struct conductor_options options;
	struct id server; /* This one, among those that tell of their demand. */
	struct live *live;
	struct holds *holds;
	struct waiting_room_routes *rooms;
	struct waiting_room *room;
	struct postgres *pg;
	struct lane *lane;
	struct watched *watched;
	size_t watched_count;
	bool complained;
	struct metrics_counter *opened, *closed;
};

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count);
static void late(void *context, struct lane_item *const items[], size_t count);
static int64_t tick(void *context, int64_t now_ms);

static const struct lane_ops lane_ops = {.apply = apply, .late = late, .tick = tick};

enum status conductor_open(const struct conductor_options *options, struct conductor **result)
{
	struct conductor *conductor = calloc(1, sizeof *conductor);
	if (!conductor)
		return STATUS_UNAVAILABLE;
	conductor->options = *options;
	conductor->server = id_new(clock_wall_ms(clock_system()));
	if (conductor->options.tick_ms == 0)
		conductor->options.tick_ms = CONDUCTOR_TICK_MS;
	if (conductor->options.calm_ms == 0)
		conductor->options.calm_ms = CONDUCTOR_CALM_MS;
	conductor->watched = calloc(EVENTS_MAX, sizeof *conductor->watched);
	conductor->pg = postgres_open(&(struct postgres_options){.url = options->database_url,
		.application_name = "onsale-conductor",
		.connect_ms_max = options->database_ms,
		.call_ms_max = options->database_ms,
		.fail_fast = true});
	if (!conductor->watched || !conductor->pg) {
		conductor_close(conductor);
		return STATUS_UNAVAILABLE;
	}
	if (options->metrics) {
		lane_register_metrics(options->metrics, "conductor");
		conductor->opened = metrics_add_counter(options->metrics,
			&(struct metrics_description){.name = "waiting_rooms_opened_by_demand",
				.help = "Waiting rooms that opened by themselves."});
		conductor->closed = metrics_add_counter(options->metrics,
			&(struct metrics_description){.name = "waiting_rooms_closed_by_calm",
				.help = "Waiting rooms that closed by themselves."});
	}
	*result = conductor;
	return STATUS_OK;
}

enum status conductor_start(struct conductor *conductor, struct live *live, struct holds *holds,
	struct waiting_room_routes *rooms, struct fault *fault)
{
	const struct waiting_room_opener *opener = &conductor->options.opener;
	conductor->live = live;
	conductor->holds = holds;
	conductor->rooms = rooms;
	enum status status = opener->open(opener->context, &conductor->room, fault);
	if (status != STATUS_OK)
		return status;
	return lane_open(&(struct lane_options){.name = "conductor",
				 .ops = &lane_ops,
				 .context = conductor,
				 .queue_max = QUEUE_MAX,
				 .batch_max = BATCH_MAX,
				 .metrics = conductor->options.metrics},
		&conductor->lane);
}

void conductor_stop(struct conductor *conductor)
{
	if (conductor->lane)
		lane_stop(conductor->lane);
}

void conductor_close(struct conductor *conductor)
{
	if (!conductor)
		return;
	lane_close(conductor->lane);
	waiting_room_close(conductor->room);
	postgres_close(conductor->pg);
	free(conductor->watched);
	free(conductor);
}

/* Once, and not for each call of an outage. */
static bool told(struct conductor *conductor, const char *what, enum status status)
{
	bool good = status == STATUS_OK;
	if (!good && !conductor->complained)
		log_warning("conductor.no_answer", LOG_TEXT("call", what),
			LOG_TEXT("status", status_name(status)));
	conductor->complained = !good;
	return good;
}

/* ---- Once a second ---- */

static struct watched *find_watched(struct conductor *conductor, struct id event)
{
	for (size_t i = 0; i < conductor->watched_count; i++)
		if (memcmp(conductor->watched[i].event.bytes, event.bytes, sizeof event.bytes) == 0)
			return &conductor->watched[i];
	return NULL;
}

/* One more event; where there are too many, in the place of one that nobody asks for. */
static struct watched *watch(struct conductor *conductor, struct id event)
{
	struct watched *watched = find_watched(conductor, event);
	if (watched)
		return watched;
	if (conductor->watched_count < EVENTS_MAX) {
		watched = &conductor->watched[conductor->watched_count++];
	} else {
		watched = conductor->watched;
		for (size_t i = 1; i < EVENTS_MAX; i++)
			if (conductor->watched[i].holds_per_second < watched->holds_per_second)
				watched = &conductor->watched[i];
	}
	*watched = (struct watched){.event = event};
	return watched;
}

static void visit(void *context, const struct live_standing *standing)
{
	struct conductor *conductor = context;
	struct waiting_room_view view;
	struct watched *watched = find_watched(conductor, standing->facts.event);
	if (!watched && standing->asks == 0 &&
		!waiting_room_known_view(conductor->rooms, slice_of(standing->text), &view))
		return;
	if (!watched) {
		watched = watch(conductor, standing->facts.event);
		memcpy(watched->text, standing->text, sizeof watched->text);
		watched->asks = standing->asks;
	}
	watched->standing = *standing;
}

/* Asks per second since the last look, and half of what it was before: one burst is no demand. */
static void measure(struct watched *watched, int64_t now_ms)
{
	int64_t passed_ms = now_ms - watched->looked_ms;
	if (watched->looked_ms > 0 && passed_ms > 0) {
		double rate =
			(double)(watched->standing.asks - watched->asks) * 1000 / (double)passed_ms;
		watched->holds_per_second = (watched->holds_per_second + rate) / 2;
	}
	watched->asks = watched->standing.asks;
	watched->looked_ms = now_ms;
}

static bool same_settings(
	const struct waiting_room_settings *a, const struct waiting_room_settings *b)
{
	return a->active_max == b->active_max && a->claim_seconds == b->claim_seconds &&
		a->heartbeat_seconds == b->heartbeat_seconds &&
		a->session_seconds == b->session_seconds &&
		fabs(a->rate_per_second - b->rate_per_second) < WAITING_ROOM_RATE_MIN / 2;
}

static void remember_opened(struct conductor *conductor, struct id event, bool open)
{
	(void)told(conductor, "opened",
		postgres_execute(conductor->pg, &opened_by_demand,
			POSTGRES_PARAMETERS(postgres_uuid(event), postgres_boolean(open)), NULL));
}

/* Set the room as is wished, or as demand wants it. */
static void set_room(struct conductor *conductor, struct watched *watched,
	const struct room_wish *wish, const struct room_demand *demand,
	const struct waiting_room_view *view, enum room_decision decision)
{
	struct waiting_room_settings settings = wish->settings;
	settings.active_max = room_active_max(wish, demand);
	if (view) {
		settings.state = view->settings.state;
		settings.starts_at_ms = view->settings.starts_at_ms;
	}
	if (decision == ROOM_OPENS)
		settings.state = WAITING_ROOM_OPEN;
	else if (decision == ROOM_CLOSES)
		settings.state = WAITING_ROOM_CLOSED;
	else if (!view || same_settings(&settings, &view->settings))
		return;
	/* First the reason, so that a room which demand has opened is never taken for another. */
	if (decision == ROOM_OPENS)
		remember_opened(conductor, watched->event, true);
	if (!told(conductor, "configure",
		    waiting_room_configure(
			    conductor->room, slice_of(watched->text), &settings, NULL)))
		return;
	waiting_room_refresh(conductor->rooms, NULL, 0, slice_of(watched->text));
	if (decision == ROOM_STAYS)
		return;
	watched->calm_since_ms = 0;
	metrics_counter_add(decision == ROOM_OPENS ? conductor->opened : conductor->closed, 1);
	log_info(decision == ROOM_OPENS ? "waiting_room.opened_by_demand"
					: "waiting_room.closed_by_calm",
		LOG_TEXT("event", watched->text),
		LOG_REAL("holds_per_second", demand->holds_per_second),
		LOG_INTEGER("lane_depth", demand->lane_depth));
	if (decision == ROOM_CLOSES)
		remember_opened(conductor, watched->event, false);
}

/* Who is in the way of others, unless all who may be inside find a free seat anyway: many holds
 * take long to count. */
static bool count_holders(struct conductor *conductor, const struct watched *watched,
	const struct room_wish *wish, struct room_demand *demand)
{
	struct postgres_result result;
	if (demand->available >= wish->settings.active_max)
		return true;
	enum status status = postgres_execute(conductor->pg, &holders,
		POSTGRES_PARAMETERS(postgres_uuid(watched->event),
			postgres_integer((int32_t)wish->settings.claim_seconds)),
		&result);
	if (!told(conductor, "holders", status))
		return false;
	demand->soon = postgres_get_bigint(&result, 0, 0);
	demand->holders = postgres_get_bigint(&result, 0, 1);
	postgres_result_release(&result);
	return true;
}

/* What is asked through this server, and what the others have told in this row. */
static void add_demand(struct conductor *conductor, const struct watched *watched,
	const struct postgres_result *result, size_t row, struct room_demand *demand)
{
	size_t deepest = (size_t)postgres_get_bigint(result, row, 4);
	demand->holds_per_second =
		watched->holds_per_second + (double)postgres_get_bigint(result, row, 3);
	demand->lane_depth = holds_depth(conductor->holds);
	if (demand->lane_depth < deepest)
		demand->lane_depth = deepest;
}

static void conduct(struct conductor *conductor, struct watched *watched,
	const struct postgres_result *result, size_t row, int64_t now_ms)
{
	struct room_wish wish;
	struct waiting_room_view view, *known = NULL;
	bool found = false;
	int64_t wall_ms = clock_wall_ms(clock_system());
	if (!room_wish_read(postgres_get_text(result, row, 1), &wish))
		return;
	if (!told(conductor, "view",
		    waiting_room_view(conductor->room, slice_of(watched->text), &view, &found)))
		return;
	if (found)
		known = &view;
	struct room_demand demand = {.available = watched->standing.available,
		.opened_by_demand = slice_is(postgres_get_text(result, row, 2), "demand")};
	add_demand(conductor, watched, result, row, &demand);
	if (!known || !room_is_calm(&wish, &demand, known))
		watched->calm_since_ms = 0;
	else if (watched->calm_since_ms == 0)
		watched->calm_since_ms = now_ms;
	else
		demand.calm_ms = now_ms - watched->calm_since_ms;
	enum room_decision decision =
		room_decide(&wish, &demand, known, conductor->options.calm_ms);
	/* Nobody has to wait for what cannot be bought. */
	if (decision == ROOM_OPENS &&
		event_sale_state(&watched->standing.facts, wall_ms) != SALE_ON)
		decision = ROOM_STAYS;
	if ((room_is_closed(known) && decision == ROOM_STAYS) ||
		!count_holders(conductor, watched, &wish, &demand))
		return;
	set_room(conductor, watched, &wish, &demand, known, decision);
}

static int64_t tick(void *context, int64_t now_ms)
{
	struct conductor *conductor = context;
	struct id events[EVENTS_MAX];
	int64_t asked[EVENTS_MAX];
	struct postgres_result result;
	live_visit(conductor->live, visit, conductor);
	for (size_t i = 0; i < conductor->watched_count; i++) {
		measure(&conductor->watched[i], now_ms);
		events[i] = conductor->watched[i].event;
		asked[i] = llround(conductor->watched[i].holds_per_second);
	}
	if (conductor->watched_count == 0)
		return now_ms + conductor->options.tick_ms;
	enum status status = postgres_execute(conductor->pg, &look,
		POSTGRES_PARAMETERS(postgres_uuid_array(events, conductor->watched_count),
			postgres_uuid(conductor->server),
			postgres_bigint_array(asked, conductor->watched_count),
			postgres_bigint((int64_t)holds_depth(conductor->holds))),
		&result);
	if (!told(conductor, "look", status))
		return now_ms + conductor->options.tick_ms;
	for (size_t row = 0; row < result.row_count; row++) {
		struct watched *watched =
			find_watched(conductor, postgres_get_uuid(&result, row, 0));
		if (watched)
			conduct(conductor, watched, &result, row, now_ms);
	}
	postgres_result_release(&result);
	return now_ms + conductor->options.tick_ms;
}

/* ---- PUT ---- */

static void refuse(struct conductor_job *job, const char *why)
{
	http_reply_problem(job->exchange, &http_problem_unavailable, "%s", why);
	http_complete(job->exchange);
}

static void refuse_item(struct lane_item *item)
{
	refuse((struct conductor_job *)item, "Too many requests are waiting; nothing was done.");
}

static void put_room(struct http_exchange *exchange)
{
	struct conductor *conductor = http_context(exchange);
	if (!conductor->options.admin(conductor->options.admin_context, exchange))
		return;
	struct conductor_job *job = arena_calloc(http_arena(exchange), 1, sizeof *job);
	if (!job || !conductor->lane) {
		http_reply_problem(exchange, &http_problem_unavailable, "The server is starting.");
		return;
	}
	job->conductor = conductor;
	job->exchange = exchange;
	job->item.deadline_ms = http_deadline_ms(exchange);
	if (!room_asked_read(exchange, &job->asked))
		return;
	if (!id_parse(http_parameter(exchange, "eventId"), &job->event)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		return;
	}
	id_format(job->event, job->text);
	http_submit(exchange, conductor->lane, &job->item, refuse_item);
}

const struct http_route conductor_route = {
	HTTP_PUT, "/events/{eventId}/waiting-room", HTTP_ON_LOOP, put_room, BODY_BYTES_MAX};

/* The whole wish, as it is now. False: it was replied. */
static bool note_wish(struct conductor_job *job, struct room_wish *wish)
{
	struct postgres_result result;
	bool good = false;
	enum status status = postgres_execute(job->conductor->pg, &write_wish,
		POSTGRES_PARAMETERS(postgres_uuid(job->event),
			postgres_jsonb(slice_of(job->asked.given)),
			postgres_boolean(job->asked.state != WAITING_ROOM_CLOSED)),
		&result);
	if (status != STATUS_OK)
		http_reply_problem(job->exchange, &http_problem_unavailable,
			"The database does not answer; to send the request again is safe.");
	else if (result.row_count == 0)
		http_reply_problem(
			job->exchange, &http_problem_not_found, "There is no such event.");
	else if (!room_wish_read(postgres_get_text(&result, 0, 0), wish))
		http_reply_problem(job->exchange, &http_problem_internal, NULL);
	else
		good = true;
	postgres_result_release(&result);
	return good;
}

/* Whoever replies completes the exchange. */
static void apply_one(struct conductor *conductor, struct conductor_job *job)
{
	struct http_exchange *exchange = job->exchange;
	struct slice event = slice_of(job->text);
	struct room_wish wish;
	struct waiting_room_view view;
	bool found;
	enum status status = waiting_room_view(conductor->room, event, &view, &found);
	if (!told(conductor, "view", status)) {
		http_reply_problem(exchange, &http_problem_unavailable,
			"The waiting room does not answer; nothing was done.");
		http_complete(exchange);
		return;
	}
	if (!note_wish(job, &wish)) {
		http_complete(exchange);
		return;
	}
	if (wish.settings.claim_seconds > wish.settings.session_seconds)
		wish.settings.claim_seconds = wish.settings.session_seconds;
	wish.settings.state = job->asked.state;
	wish.settings.starts_at_ms = job->asked.has_start ? job->asked.starts_at_ms
		: found                                   ? view.settings.starts_at_ms
							  : 0;
	status = waiting_room_configure(conductor->room, event, &wish.settings, &view);
	if (status == STATUS_REFUSED)
		http_reply_problem(exchange, &http_problem_conflict,
			"A room that was opened does not become a lobby again.");
	else if (!told(conductor, "configure", status))
		http_reply_problem(exchange, &http_problem_unavailable,
			"The waiting room does not answer; to send the request again is safe.");
	else {
		waiting_room_refresh(conductor->rooms, exchange, found ? 200 : 201, event);
		return;
	}
	http_complete(exchange);
}

/* ---- Orders that are paid ---- */

void conductor_order_paid(struct conductor *conductor, struct slice order)
{
	struct conductor_job *job = conductor->lane ? calloc(1, sizeof *job) : NULL;
	if (!job || order.size >= sizeof job->order) {
		free(job);
		return;
	}
	memcpy(job->order, order.data, order.size);
	job->item.deadline_ms = LANE_NEVER;
	if (lane_submit(conductor->lane, &job->item) != STATUS_OK)
		free(job);
}

static void let_out(struct conductor *conductor, const struct slice orders[], size_t count)
{
	struct postgres_result result;
	char event[ID_TEXT_SIZE];
	if (count == 0)
		return;
	enum status status = postgres_execute(conductor->pg, &people,
		POSTGRES_PARAMETERS(postgres_text_array(orders, count)), &result);
	for (size_t row = 0; status == STATUS_OK && row < result.row_count; row++) {
		id_format(postgres_get_uuid(&result, row, 0), event);
		waiting_room_let_out(
			conductor->rooms, slice_of(event), postgres_get_text(&result, row, 1));
	}
	postgres_result_release(&result);
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct slice orders[BATCH_MAX];
	size_t order_count = 0;
	(void)thread;
	for (size_t i = 0; i < count; i++) {
		struct conductor_job *job = (struct conductor_job *)items[i];
		if (!job->exchange) {
			orders[order_count++] = slice_of(job->order);
			continue;
		}
		apply_one(context, job);
	}
	let_out(context, orders, order_count);
	for (size_t i = 0; i < order_count; i++)
		free((char *)(uintptr_t)orders[i].data - offsetof(struct conductor_job, order));
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		refuse((struct conductor_job *)items[i],
			"The request waited too long for its turn; nothing was done.");
}
