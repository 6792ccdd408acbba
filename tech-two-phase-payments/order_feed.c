/* See order_feed.h. */
#include "tech-two-phase-payments/order_feed.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/buffer.h"
#include "lib/batch/lane.h"
#include "lib/postgres/postgres.h"

enum {
	BATCH_MAX = 256,
	READ_MAX = 1024,  /* Orders read by one statement. */
	FORGET_TURNS = 8, /* Visits in which an order that may be forgotten was not named. */
};

/* What the key of a stream is made of: an order, and for whom it is followed; empty: for nobody in
 * particular. */
struct stream_name {
	char order[ORDER_KEY_SIZE_MAX + 1];
	char person[ORDER_PERSON_SIZE_MAX + 1];
};

struct stream_key {
	char text[HTTP_STREAM_KEY_SIZE_MAX + 1];
};

/* What the lane is told. */
struct notice {
	struct lane_item item;
	enum notice_kind { NOTICE_OPENED, NOTICE_FOLLOWED, NOTICE_CHANGED, NOTICE_ENDED } kind;
	size_t count; /* FOLLOWED: several. The others: 1. */
	struct stream_name *names;
	int64_t version;
	struct slice event;
};

/* An order that is followed, and the version that was told last; 0: none. */
struct followed {
	struct stream_name name; /* With its owner, once it was read. */
	bool used;
	bool is_read;
	bool due; /* What the next reading finds is told at once. */
	int64_t version;
	int64_t seen;     /* By the last reading. */
	uint64_t reading; /* That has found it last. */
	uint64_t turn;    /* Of the visit that has named it last. */
};

struct order_feed {
	struct postgres *pg;
	struct http_channel *channel;
	struct lane *lane;
	struct followed *slots, *spare;
	size_t slot_count; /* A power of two, at least twice the most that are followed. */
	size_t followed_count, followed_max;
	uint64_t turn, forgot_turn; /* Of the visits; of the last forgetting. */
	uint64_t reading;           /* How often the database was read. */
	int64_t poll_ms;
	struct postgres_statement read_events;
};

static void apply_notices(
	void *context, size_t thread, struct lane_item *const items[], size_t count);
static void drop_notices(void *context, struct lane_item *const items[], size_t count);
static int64_t poll_followed(void *context, int64_t now_ms);
static void on_keys(void *context, const struct slice keys[], size_t count);
static void read_and_tell(struct order_feed *feed, struct notice *const notices[], size_t count);
static void tell_change(struct order_feed *feed, const struct notice *notice);
static struct followed *find(struct order_feed *feed, const char *order);
static struct followed *note(struct order_feed *feed, const char *order);
static void forget_old(struct order_feed *feed);

static const struct lane_ops lane_ops = {
	.apply = apply_notices, .late = drop_notices, .tick = poll_followed};

enum status order_feed_open(const struct order_feed_options *options, struct order_feed **result)
{
	struct order_feed *feed = calloc(1, sizeof *feed);
	if (!feed)
		return STATUS_UNAVAILABLE;
	feed->channel = options->channel;
	feed->read_events = (struct postgres_statement){
		.name = "read_events", .sql = options->read_events, .effect = POSTGRES_READS};
	feed->poll_ms = options->poll_ms > 0 ? options->poll_ms : ORDER_FEED_POLL_MS;
	feed->followed_max =
		options->followed_max > 0 ? options->followed_max : ORDER_FEED_FOLLOWED_MAX;
	for (feed->slot_count = 1; feed->slot_count < 2 * feed->followed_max;)
		feed->slot_count *= 2;
	feed->slots = calloc(feed->slot_count, sizeof *feed->slots);
	feed->spare = calloc(feed->slot_count, sizeof *feed->spare);
	feed->pg = postgres_open(&(struct postgres_options){.url = options->database_url,
		.application_name = "orders-feed",
		.settings = options->database_settings,
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

/* ---- Names ---- */

/* Whether it has room for them; the lengths are whoever's who calls. */
static bool name_set(struct stream_name *name, struct slice order, struct slice person)
{
	if (order.size > ORDER_KEY_SIZE_MAX || person.size > ORDER_PERSON_SIZE_MAX)
		return false;
	*name = (struct stream_name){0};
	if (order.size > 0)
		memcpy(name->order, order.data, order.size);
	if (person.size > 0)
		memcpy(name->person, person.data, person.size);
	return true;
}

/* Neither has a space in it at which the other could begin. */
static struct slice name_key(const struct stream_name *name, struct stream_key *key)
{
	/* cppcheck-suppress ctuuninitvar ; only its address is used, the text is filled here */
	int size = snprintf(key->text, sizeof key->text, "%s%s%s", name->order,
		name->person[0] != '\0' ? " " : "", name->person);
	assert(size > 0 && (size_t)size < sizeof key->text);
	return (struct slice){key->text, (size_t)size};
}

static bool name_parse(struct stream_name *name, struct slice key)
{
	struct slice order;
	return slice_split(&key, ' ', &order) && name_set(name, order, key);
}

/* ---- Telling the lane ---- */

/* A notice with room for what follows it. */
static struct notice *notice_new(enum notice_kind kind, size_t name_count, struct slice event)
{
	struct notice *notice =
		calloc(1, sizeof *notice + name_count * sizeof *notice->names + event.size);
	if (!notice)
		return NULL;
	notice->item.deadline_ms = LANE_NEVER;
	notice->kind = kind;
	notice->names = (struct stream_name *)(notice + 1);
	char *copy = (char *)(notice->names + name_count);
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

void order_feed_follow(struct order_feed *feed, struct http_exchange *exchange, struct slice order,
	struct slice person)
{
	struct stream_key text;
	struct notice *notice = notice_new(NOTICE_OPENED, 1, (struct slice){.data = NULL});
	if (!notice) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	bool fits = name_set(&notice->names[0], order, person);
	assert(fits && !memchr(order.data, ' ', order.size));
	notice->count = 1;
	struct slice key = name_key(&notice->names[0], &text);
	/* First, since no visit could tell this stream from those that were told the state before.
	 * Whatever the lane sends at once reaches this loop when it is through here. */
	if (notice_send(feed, notice))
		http_stream_begin_keyed(exchange, feed->channel, key, (struct slice){0});
	else
		http_reply_problem(
			exchange, &http_problem_unavailable, "There is too much to tell just now.");
}

/* Tell the lane of something that this process has done with an order. A stream that begins
 * meanwhile reads the state after that commit, or a visit finds it. */
static void notice_order(struct order_feed *feed, enum notice_kind kind, struct slice order,
	int64_t version, struct slice event)
{
	if (http_channel_stream_count(feed->channel) == 0)
		return;
	struct notice *notice = notice_new(kind, 1, event);
	if (!notice)
		return;
	bool fits = name_set(&notice->names[0], order, (struct slice){.data = NULL});
	assert(fits);
	notice->count = 1;
	notice->version = version;
	(void)notice_send(feed, notice); /* Else a visit finds it. */
}

void order_feed_changed(
	struct order_feed *feed, struct slice order, int64_t version, struct slice event)
{
	notice_order(feed, NOTICE_CHANGED, order, version, event);
}

void order_feed_ended(struct order_feed *feed, struct slice order)
{
	notice_order(feed, NOTICE_ENDED, order, 0, (struct slice){.data = NULL});
}

/* Whether the order's story may be over; whether it is, the feed reads. */
static bool may_end(const char *status)
{
	enum order_status named;
	return order_status_parse(slice_of(status), &named) &&
		(order_is_terminal(named) || named == ORDER_PAID);
}

void order_feed_tell(struct order_feed *feed, const struct order_change *change)
{
	struct buffer event;
	if (may_end(change->status)) {
		order_feed_ended(feed, change->key);
		return;
	}
	buffer_init(&event, ORDER_FEED_EVENT_SIZE_MAX);
	buffer_add_format(&event, "{\"orderId\":\"%.*s\",\"status\":\"%s\",\"version\":%lld",
		SLICE_PRINT(change->key), change->status, (long long)change->version);
	if (change->reason.data) {
		buffer_add_text(&event, ",\"reason\":");
		buffer_add_json(&event, change->reason);
	}
	if (change->next_action_url.data) {
		buffer_add_text(&event, ",\"nextActionUrl\":");
		buffer_add_json(&event, change->next_action_url);
	}
	buffer_add_text(&event, "}");
	if (!event.failed)
		order_feed_changed(feed, change->key, change->version, buffer_slice(&event));
	buffer_release(&event);
}

/* On a loop. */
static void on_keys(void *context, const struct slice keys[], size_t count)
{
	struct order_feed *feed = context;
	struct notice *notice = notice_new(NOTICE_FOLLOWED, count, (struct slice){.data = NULL});
	if (!notice)
		return;
	for (size_t i = 0; i < count; i++)
		if (name_parse(&notice->names[notice->count], keys[i]))
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
	struct followed *followed = find(feed, notice->names[0].order);
	struct stream_key key;
	if (!followed->used || !followed->is_read || followed->version >= notice->version)
		return;
	if (http_channel_send(feed->channel, name_key(&followed->name, &key), "order",
		    notice->event) == STATUS_OK)
		followed->version = notice->version;
}

static const char missing[] =
	"{\"status\":404,\"title\":\"Not found\",\"detail\":\"There is no such order.\"}";
static const char too_many[] = "{\"status\":503,\"title\":\"Service unavailable\","
			       "\"detail\":\"Too many orders are followed just now.\"}";

static void tell_error(struct order_feed *feed, const struct stream_name *name, const char *error)
{
	struct stream_key key;
	/* Where memory is short, the next visit finds the stream again. */
	(void)!http_channel_finish(feed->channel, name_key(name, &key), "error", slice_of(error));
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
	struct stream_name name;
	struct stream_key text;
	if (!name_set(&name, postgres_get_text(result, row, 0), postgres_get_text(result, row, 4)))
		return; /* Its owner cannot have followed it. */
	struct followed *followed = note(feed, name.order);
	int64_t version = postgres_get_bigint(result, row, 1);
	bool is_new = followed && followed->version < version;
	bool waits = is_new && !followed->due && followed->version > 0 &&
		followed->seen <= followed->version;
	if (followed) {
		followed->name = name;
		followed->is_read = true;
		followed->reading = feed->reading;
		followed->seen = version;
		followed->due = false;
	}
	if (waits)
		return;
	bool over = postgres_get_boolean(result, row, 3);
	struct slice event = postgres_get_text(result, row, 2), key = name_key(&name, &text);
	enum status status = STATUS_OK;
	if (over)
		status = http_channel_finish(feed->channel, key, "order", event);
	else if (!followed)
		tell_error(feed, &name, too_many);
	else if (is_new)
		status = http_channel_send(feed->channel, key, "order", event);
	if (is_new && status == STATUS_OK)
		followed->version = version;
}

/* Whether the stream is about an order that there is, and its owner's. */
static bool may_follow(struct order_feed *feed, const struct stream_name *name,
	const struct postgres_result *result)
{
	const struct followed *followed = find(feed, name->order);
	if (followed->used && followed->is_read && followed->reading == feed->reading)
		return strcmp(followed->name.person, name->person) == 0;
	/* There is none, or there was no room for it. */
	for (size_t row = 0; row < result->row_count; row++)
		if (slice_is(postgres_get_text(result, row, 0), name->order)) {
			struct slice owner = postgres_get_text(result, row, 4);
			return slice_equal(owner, slice_of(name->person));
		}
	return false;
}

static void read_some(
	struct order_feed *feed, const struct stream_name *const names[], size_t count)
{
	struct slice orders[READ_MAX];
	struct postgres_result result;
	for (size_t i = 0; i < count; i++)
		orders[i] = slice_of(names[i]->order);
	enum status status = postgres_execute(feed->pg, &feed->read_events,
		POSTGRES_PARAMETERS(postgres_text_array(orders, count)), &result);
	if (status == STATUS_OK) {
		feed->reading++;
		for (size_t row = 0; row < result.row_count; row++)
			tell_state(feed, &result, row);
		for (size_t i = 0; i < count; i++)
			if (!may_follow(feed, names[i], &result))
				tell_error(feed, names[i], missing);
	}
	postgres_result_release(&result);
}

/* What the notice says of an order that is to be read. False: nobody follows it. */
static bool note_reading(
	struct order_feed *feed, const struct notice *notice, const struct stream_name *name)
{
	struct followed *followed =
		notice->kind == NOTICE_ENDED ? find(feed, name->order) : note(feed, name->order);
	if (!followed || !followed->used)
		return notice->kind != NOTICE_ENDED;
	switch (notice->kind) {
	case NOTICE_OPENED:
		followed->turn = feed->turn;
		/* The new stream was told nothing. A stranger's makes the owner hear nothing twice.
		 */
		if (!followed->is_read || strcmp(followed->name.person, name->person) == 0)
			followed->version = 0;
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
	const struct stream_name *names[READ_MAX];
	size_t name_count = 0;
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < notices[i]->count; j++) {
			if (!note_reading(feed, notices[i], &notices[i]->names[j]))
				continue;
			names[name_count++] = &notices[i]->names[j];
			if (name_count == READ_MAX) {
				read_some(feed, names, name_count);
				name_count = 0;
			}
		}
	}
	if (name_count > 0)
		read_some(feed, names, name_count);
}

/* ---- The orders that are followed: a hash with open addressing ---- */

/* FNV-1a (Fowler, Noll, Vo). Strangers may give keys that meet, which only makes it slower. */
static uint32_t hash_of(const char *order)
{
	uint32_t hash = 2166136261U;
	for (; *order != '\0'; order++)
		hash = (hash ^ (unsigned char)*order) * 16777619U;
	return hash;
}

/* The slot that has the order, or the free one where it would be. */
static struct followed *slot_of(
	const struct order_feed *feed, struct followed *slots, const char *order)
{
	size_t mask = feed->slot_count - 1, i = hash_of(order) & mask;
	while (slots[i].used && strcmp(slots[i].name.order, order) != 0)
		i = (i + 1) & mask;
	return &slots[i];
}

static struct followed *find(struct order_feed *feed, const char *order)
{
	return slot_of(feed, feed->slots, order);
}

/* The order's slot, taken where it had none; NULL when there are too many. */
static struct followed *note(struct order_feed *feed, const char *order)
{
	struct followed *slot = find(feed, order);
	if (slot->used)
		return slot;
	if (feed->followed_count == feed->followed_max) {
		forget_old(feed);
		slot = find(feed, order);
	}
	if (feed->followed_count == feed->followed_max)
		return NULL;
	*slot = (struct followed){.used = true, .turn = feed->turn};
	memcpy(slot->name.order, order, strlen(order));
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
		*slot_of(feed, kept, old->name.order) = *old;
		feed->followed_count++;
	}
	feed->spare = feed->slots;
	feed->slots = kept;
}
