/* See order_feed.h. */
#include "tech-two-phase-payments/order_feed.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/batch/lane.h"
#include "lib/postgres/postgres.h"
#include "tech-two-phase-payments/order_statements.sql.h"

static const struct postgres_statement read_events = {
	.name = "read_events", .sql = sql_read_events, .effect = POSTGRES_READS};

enum {
	BATCH_MAX = 256,
	READ_MAX = 1024,  /* Orders read by one statement. */
	FORGET_TURNS = 8, /* Visits in which an order that may be forgotten was not named. */
};

/* What the lane is told. */
struct notice {
	struct lane_item item;
	enum notice_kind { NOTICE_OPENED, NOTICE_FOLLOWED, NOTICE_CHANGED, NOTICE_ENDED } kind;
	size_t count; /* FOLLOWED: several. The others: 1. */
	struct id *ids;
	int64_t version;
	struct slice event;
};

/* An order that is followed, and the version that was told last; 0: none. */
struct followed {
	struct id id;
	bool used;
	bool due; /* What the next reading finds is told at once. */
	int64_t version;
	int64_t seen;  /* By the last reading. */
	uint64_t turn; /* Of the visit that has named it last. */
};

struct order_feed {
	struct postgres *pg;
	struct http_channel *channel;
	struct lane *lane;
	struct followed *slots, *spare;
	size_t slot_count; /* A power of two, at least twice the most that are followed. */
	size_t followed_count, followed_max;
	uint64_t turn, forgot_turn; /* Of the visits; of the last forgetting. */
	int64_t poll_ms;
};

static void apply_notices(
	void *context, size_t thread, struct lane_item *const items[], size_t count);
static void drop_notices(void *context, struct lane_item *const items[], size_t count);
static int64_t poll_followed(void *context, int64_t now_ms);
static void on_keys(void *context, const struct slice keys[], size_t count);
static void read_and_tell(struct order_feed *feed, struct notice *const notices[], size_t count);
static void tell_change(struct order_feed *feed, const struct notice *notice);
static struct followed *find(struct order_feed *feed, struct id id);
static struct followed *note(struct order_feed *feed, struct id id);
static void forget_old(struct order_feed *feed);

static const struct lane_ops lane_ops = {
	.apply = apply_notices, .late = drop_notices, .tick = poll_followed};

enum status order_feed_open(const struct order_feed_options *options, struct order_feed **result)
{
	struct order_feed *feed = calloc(1, sizeof *feed);
	if (!feed)
		return STATUS_UNAVAILABLE;
	feed->channel = options->channel;
	feed->poll_ms = options->poll_ms > 0 ? options->poll_ms : ORDER_FEED_POLL_MS;
	feed->followed_max =
		options->followed_max > 0 ? options->followed_max : ORDER_FEED_FOLLOWED_MAX;
	for (feed->slot_count = 1; feed->slot_count < 2 * feed->followed_max;)
		feed->slot_count *= 2;
	feed->slots = calloc(feed->slot_count, sizeof *feed->slots);
	feed->spare = calloc(feed->slot_count, sizeof *feed->spare);
	feed->pg = postgres_open(&(struct postgres_options){.url = options->database_url,
		.application_name = "orders-feed",
		.connect_ms_max = options->database_ms,
		.call_ms_max = options->database_ms});
	const struct lane_options lane = {.name = "order_feed",
		.ops = &lane_ops,
		.context = feed,
		.queue_max = options->queue_max > 0 ? options->queue_max : ORDER_FEED_QUEUE_MAX,
		.batch_max = BATCH_MAX,
		.metrics = options->metrics};
	if (!feed->slots || !feed->spare || !feed->pg ||
		lane_open(&lane, &feed->lane) != STATUS_OK) {
		order_feed_close(feed);
		return STATUS_UNAVAILABLE;
	}
	*result = feed;
	return STATUS_OK;
}

void order_feed_stop(struct order_feed *feed)
{
	lane_stop(feed->lane);
}

void order_feed_close(struct order_feed *feed)
{
	if (!feed)
		return;
	lane_close(feed->lane);
	postgres_close(feed->pg);
	free(feed->slots);
	free(feed->spare);
	free(feed);
}

void order_feed_register_metrics(struct metrics *metrics)
{
	lane_register_metrics(metrics, "order_feed");
}

/* ---- Telling the lane ---- */

/* A notice with room for what follows it. */
static struct notice *notice_new(size_t id_count, struct slice event)
{
	struct notice *notice =
		calloc(1, sizeof *notice + id_count * sizeof(struct id) + event.size);
	if (!notice)
		return NULL;
	notice->item.deadline_ms = LANE_NEVER;
	notice->ids = (struct id *)(notice + 1);
	char *copy = (char *)(notice->ids + id_count);
	if (event.size > 0)
		memcpy(copy, event.data, event.size);
	notice->event = (struct slice){.data = copy, .size = event.size};
	return notice;
}

/* Whether the lane takes it. */
static bool notice_send(struct order_feed *feed, struct notice *notice)
{
	bool taken = lane_submit(feed->lane, &notice->item) == STATUS_OK;
	if (!taken)
		free(notice);
	return taken;
}

void order_feed_follow(struct order_feed *feed, struct http_exchange *exchange, struct id order_id)
{
	char key[ID_TEXT_SIZE];
	id_format(order_id, key);
	struct notice *notice = notice_new(1, (struct slice){.data = NULL});
	if (!notice) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	notice->kind = NOTICE_OPENED;
	notice->ids[0] = order_id;
	notice->count = 1;
	/* First, since no visit could tell this stream from those that were told the state before.
	 * Whatever the lane sends at once reaches this loop when it is through here. */
	if (notice_send(feed, notice))
		http_stream_begin_keyed(exchange, feed->channel, slice_of(key), (struct slice){0});
	else
		http_reply_problem(
			exchange, &http_problem_unavailable, "There is too much to tell just now.");
}

/* Tell the lane of something that this process has done with an order. A stream that begins
 * meanwhile reads the state after that commit, or a visit finds it. */
static void notice_order(struct order_feed *feed, enum notice_kind kind, struct id order_id,
	int64_t version, struct slice event)
{
	if (http_channel_stream_count(feed->channel) == 0)
		return;
	struct notice *notice = notice_new(1, event);
	if (!notice)
		return;
	notice->kind = kind;
	notice->ids[0] = order_id;
	notice->count = 1;
	notice->version = version;
	(void)notice_send(feed, notice); /* Else a visit finds it. */
}

void order_feed_changed(
	struct order_feed *feed, struct id order_id, int64_t version, struct slice event)
{
	notice_order(feed, NOTICE_CHANGED, order_id, version, event);
}

void order_feed_ended(struct order_feed *feed, struct id order_id)
{
	notice_order(feed, NOTICE_ENDED, order_id, 0, (struct slice){.data = NULL});
}

/* On a loop. */
static void on_keys(void *context, const struct slice keys[], size_t count)
{
	struct order_feed *feed = context;
	struct notice *notice = notice_new(count, (struct slice){.data = NULL});
	if (!notice)
		return;
	notice->kind = NOTICE_FOLLOWED;
	for (size_t i = 0; i < count; i++)
		if (id_parse(keys[i], &notice->ids[notice->count]))
			notice->count++;
	(void)notice_send(feed, notice); /* Else there is the next visit. */
}

/* ---- The lane ---- */

static int64_t poll_followed(void *context, int64_t now_ms)
{
	struct order_feed *feed = context;
	const struct http_key_visit visit = {.visit = on_keys, .context = feed};
	if (http_channel_stream_count(feed->channel) > 0) {
		feed->turn++;
		/* Where memory is short, the next time will do. */
		(void)!http_channel_visit_keys(feed->channel, &visit);
	}
	return now_ms + feed->poll_ms;
}

static void drop_notices(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		free(items[i]);
}

static void apply_notices(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct order_feed *feed = context;
	struct notice *reading[BATCH_MAX];
	size_t reading_count = 0;
	(void)thread;
	for (size_t i = 0; i < count; i++) {
		struct notice *notice = (struct notice *)items[i];
		if (notice->kind == NOTICE_CHANGED)
			tell_change(feed, notice);
		else
			reading[reading_count++] = notice;
	}
	if (reading_count > 0)
		read_and_tell(feed, reading, reading_count);
	drop_notices(feed, items, count);
}

static void tell_change(struct order_feed *feed, const struct notice *notice)
{
	struct followed *followed = find(feed, notice->ids[0]);
	char key[ID_TEXT_SIZE];
	if (!followed->used || followed->version >= notice->version)
		return;
	id_format(notice->ids[0], key);
	if (http_channel_send(feed->channel, slice_of(key), "order", notice->event) == STATUS_OK)
		followed->version = notice->version;
}

static const char missing[] =
	"{\"status\":404,\"title\":\"Not found\",\"detail\":\"There is no such order.\"}";
static const char too_many[] = "{\"status\":503,\"title\":\"Service unavailable\","
			       "\"detail\":\"Too many orders are followed just now.\"}";

static void tell_error(struct order_feed *feed, struct id id, const char *error)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	/* Where memory is short, the next visit finds the stream again. */
	(void)!http_channel_finish(feed->channel, slice_of(text), "error", slice_of(error));
}

/* One order of the database's answer.
 *
 * What a visit finds new is told by the next one, unless it was told by then: the thread that has
 * made the change may just be about to tell all steps of it.
 *
 * The end of a story always comes with its event, also when it was told before: streams that were
 * told take no second, and one that has begun since would otherwise end without a word. */
static void tell_state(struct order_feed *feed, const struct postgres_result *result, size_t row)
{
	struct id id = postgres_get_uuid(result, row, 0);
	struct followed *followed = note(feed, id);
	int64_t version = postgres_get_bigint(result, row, 1);
	bool is_new = followed && followed->version < version;
	bool waits = is_new && !followed->due && followed->version > 0 &&
		followed->seen <= followed->version;
	if (followed) {
		followed->seen = version;
		followed->due = false;
	}
	if (waits)
		return;
	bool over = postgres_get_boolean(result, row, 3);
	struct slice event = postgres_get_text(result, row, 2);
	char text[ID_TEXT_SIZE];
	enum status status = STATUS_OK;
	id_format(id, text);
	if (over)
		status = http_channel_finish(feed->channel, slice_of(text), "order", event);
	else if (!followed)
		tell_error(feed, id, too_many);
	else if (is_new)
		status = http_channel_send(feed->channel, slice_of(text), "order", event);
	if (is_new && status == STATUS_OK)
		followed->version = version;
}

static bool is_among(const struct postgres_result *result, struct id id)
{
	for (size_t row = 0; row < result->row_count; row++) {
		struct id found = postgres_get_uuid(result, row, 0);
		if (memcmp(found.bytes, id.bytes, sizeof id.bytes) == 0)
			return true;
	}
	return false;
}

static void read_some(struct order_feed *feed, const struct id ids[], size_t count)
{
	struct postgres_result result;
	enum status status = postgres_execute(feed->pg, &read_events,
		POSTGRES_PARAMETERS(postgres_uuid_array(ids, count)), &result);
	if (status == STATUS_OK) {
		for (size_t row = 0; row < result.row_count; row++)
			tell_state(feed, &result, row);
		/* Several streams may follow one order, so fewer rows need not say much. */
		for (size_t i = 0; i < count && result.row_count < count; i++)
			if (!is_among(&result, ids[i]))
				tell_error(feed, ids[i], missing);
	}
	postgres_result_release(&result);
}

/* What the notice says of an order that is to be read. False: nobody follows it. */
static bool note_reading(struct order_feed *feed, const struct notice *notice, struct id id)
{
	struct followed *followed = notice->kind == NOTICE_ENDED ? find(feed, id) : note(feed, id);
	if (!followed || !followed->used)
		return notice->kind != NOTICE_ENDED;
	switch (notice->kind) {
	case NOTICE_OPENED:
		followed->turn = feed->turn;
		followed->version = 0; /* The new stream was told nothing. */
		break;
	case NOTICE_ENDED:
		followed->due = true;
		break;
	default:
		followed->turn = feed->turn;
	}
	return true;
}

/* When the database does not answer, the next visit comes anyway. */
static void read_and_tell(struct order_feed *feed, struct notice *const notices[], size_t count)
{
	struct id ids[READ_MAX];
	size_t id_count = 0;
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < notices[i]->count; j++) {
			if (!note_reading(feed, notices[i], notices[i]->ids[j]))
				continue;
			ids[id_count++] = notices[i]->ids[j];
			if (id_count == READ_MAX) {
				read_some(feed, ids, id_count);
				id_count = 0;
			}
		}
	}
	if (id_count > 0)
		read_some(feed, ids, id_count);
}

/* ---- The orders that are followed: a hash with open addressing ---- */

/* The slot that has the id, or the free one where it would be. The last bytes of our ids are
 * random; strangers' are whatever they are, and only make it slower. */
static struct followed *slot_of(const struct order_feed *feed, struct followed *slots, struct id id)
{
	uint32_t hash;
	memcpy(&hash, id.bytes + sizeof id.bytes - sizeof hash, sizeof hash);
	size_t mask = feed->slot_count - 1, i = hash & mask;
	while (slots[i].used && memcmp(slots[i].id.bytes, id.bytes, sizeof id.bytes) != 0)
		i = (i + 1) & mask;
	return &slots[i];
}

static struct followed *find(struct order_feed *feed, struct id id)
{
	return slot_of(feed, feed->slots, id);
}

/* The order's slot, taken where it had none; NULL when there are too many. */
static struct followed *note(struct order_feed *feed, struct id id)
{
	struct followed *slot = find(feed, id);
	if (slot->used)
		return slot;
	if (feed->followed_count == feed->followed_max) {
		forget_old(feed);
		slot = find(feed, id);
	}
	if (feed->followed_count == feed->followed_max)
		return NULL;
	*slot = (struct followed){.id = id, .used = true, .turn = feed->turn};
	feed->followed_count++;
	return slot;
}

/* Orders that no visit has named for a while make room, and only where there is none: a loop that
 * stands still names nobody either, and who is forgotten is told the state again. */
static void forget_old(struct order_feed *feed)
{
	struct followed *kept = feed->spare;
	if (feed->forgot_turn == feed->turn)
		return; /* Nothing has become old since. */
	feed->forgot_turn = feed->turn;
	memset(kept, 0, feed->slot_count * sizeof *kept);
	feed->followed_count = 0;
	for (size_t i = 0; i < feed->slot_count; i++) {
		const struct followed *old = &feed->slots[i];
		if (!old->used || feed->turn - old->turn > FORGET_TURNS)
			continue;
		*slot_of(feed, kept, old->id) = *old;
		feed->followed_count++;
	}
	feed->spare = feed->slots;
	feed->slots = kept;
}
