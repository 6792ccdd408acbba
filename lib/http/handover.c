/* Handing over in bursts, both ways.
 *
 * Each hand-over to another thread takes a lock for which both sides queue and, where the other
 * side sleeps, a system call and a change of threads. A lane that is quicker than the loop would be
 * woken for every request and find only that one. So a round's requests go to their lane together,
 * and a batch's replies come back to each loop together. There is no timer: a round with a single
 * request hands it over when the round ends, which is at once. */
#include "lib/http/internal.h"

static void flush(struct http_outbox *outbox)
{
	struct http_outbox full = *outbox;
	*outbox = (struct http_outbox){0};
	struct lane_item *refused = full.first ? lane_submit_all(full.lane, full.first) : NULL;
	for (struct lane_item *next; refused; refused = next) {
		next = refused->next;
		full.refuse(refused);
	}
}

/* The outbox of this lane; where all are taken by others, the last is emptied for it. */
static struct http_outbox *outbox_of(
	struct http_loop *loop, struct lane *lane, void (*refuse)(struct lane_item *item))
{
	struct http_outbox *outbox = loop->outboxes;
	struct http_outbox *last = &loop->outboxes[HTTP_OUTBOXES - 1];
	while (outbox < last && outbox->lane && outbox->lane != lane)
		outbox++;
	if (outbox->lane && (outbox->lane != lane || outbox->refuse != refuse))
		flush(outbox);
	outbox->lane = lane;
	outbox->refuse = refuse;
	return outbox;
}

void http_submit(struct http_exchange *exchange, struct lane *lane, struct lane_item *item,
	void (*refuse)(struct lane_item *item))
{
	http_defer(exchange);
	struct http_outbox *outbox = outbox_of(exchange->loop, lane, refuse);
	item->next = NULL;
	if (outbox->last)
		outbox->last->next = item;
	else
		outbox->first = item;
	outbox->last = item;
	if (++outbox->count == HTTP_OUTBOX_ITEMS_MAX)
		flush(outbox);
}

void http_loop_hand_over(struct http_loop *loop)
{
	for (size_t i = 0; i < HTTP_OUTBOXES; i++)
		if (loop->outboxes[i].lane)
			flush(&loop->outboxes[i]);
}

void http_burst_add(struct http_burst *burst, struct http_exchange *exchange)
{
	assert(exchange->owner != HTTP_OWNED_BY_LOOP);
	exchange->next = NULL;
	if (burst->last)
		burst->last->next = exchange;
	else
		burst->first = exchange;
	burst->last = exchange;
}

/* Take the exchanges of one loop out of the burst and give them to it. */
static void complete_one_loop(struct http_burst *burst)
{
	struct http_loop *loop = burst->first->loop;
	struct http_burst own = {0}, others = {0};
	for (struct http_exchange *exchange = burst->first, *next; exchange; exchange = next) {
		next = exchange->next;
		http_burst_add(exchange->loop == loop ? &own : &others, exchange);
	}
	*burst = others;
	http_loop_complete(loop, own.first, own.last);
}

void http_burst_complete(struct http_burst *burst)
{
	while (burst->first)
		complete_one_loop(burst);
}
