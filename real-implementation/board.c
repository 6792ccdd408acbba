/* See board.h. */
#include "real-implementation/board.h"

#include <assert.h>
#include <stdlib.h>

static bool allocate(struct board *board);

/* ---- Sales ---- */

enum sale_state event_sale_state(const struct event_facts *facts, int64_t now_wall_ms)
{
	if (facts->canceled)
		return SALE_CANCELED;
	if (now_wall_ms >= facts->starts_at_ms)
		return SALE_ENDED;
	return now_wall_ms < facts->on_sale_at_ms ? SALE_UPCOMING : SALE_ON;
}

const char *sale_state_name(enum sale_state state)
{
	static const char *const names[] = {
		[SALE_UPCOMING] = "upcoming",
		[SALE_ON] = "on_sale",
		[SALE_ENDED] = "ended",
		[SALE_CANCELED] = "canceled",
	};
	return names[state];
}

/* ---- Making ---- */

struct board *board_new(struct venue_plan *plan)
{
	struct board *board = calloc(1, sizeof *board);
	if (!board)
		return NULL;
	board->plan = plan;
	board->seat_count = plan->plan->seat_count;
	if (!allocate(board)) {
		board->plan = NULL;
		board_free(board);
		return NULL;
	}
	for (uint32_t i = 0; i < board->seat_count; i++)
		board->version[i] = -1;
	return board;
}

static bool allocate(struct board *board)
{
	const struct seating_plan *plan = board->plan->plan;
	size_t count = board->seat_count ? board->seat_count : 1;
	size_t cells = (size_t)plan->zone_count * plan->category_count;
	board->status = calloc(count, sizeof *board->status);
	board->version = calloc(count, sizeof *board->version);
	board->price = calloc(count, sizeof *board->price);
	board->available = calloc(count, sizeof *board->available);
	board->changed = calloc(count, sizeof *board->changed);
	board->changes = calloc(count, sizeof *board->changes);
	board->counts = calloc(cells ? cells : 1, sizeof *board->counts);
	board->proposals = calloc(count, sizeof *board->proposals);
	return board->status && board->version && board->price && board->available &&
		board->changed && board->changes && board->counts && board->proposals;
}

void board_free(struct board *board)
{
	if (!board)
		return;
	venue_plan_release(board->plan);
	free(board->status);
	free(board->version);
	free(board->price);
	free(board->available);
	free(board->changed);
	free(board->changes);
	free(board->counts);
	free(board->proposals);
	free(board);
}

/* ---- Changes ---- */

static struct board_counts *counts_of(struct board *board, uint32_t index)
{
	const struct seating_plan *plan = board->plan->plan;
	const struct seating_seat *seat = &plan->seats[index];
	return &board->counts[(size_t)seat->zone_index * plan->category_count +
		seat->category_index];
}

bool board_set(struct board *board, struct slice seat, enum seat_status status, int64_t version,
	int64_t price)
{
	uint32_t i = venue_plan_seat(board->plan, seat);
	if (i == VENUE_PLAN_NO_SEAT || version <= board->version[i])
		return false;
	struct board_counts *counts = counts_of(board, i);
	if (board->version[i] >= 0) {
		counts->by_status[board->status[i]]--;
		board->total.by_status[board->status[i]]--;
		board->version_sum -= board->version[i];
	}
	counts->by_status[status]++;
	board->total.by_status[status]++;
	board->version_sum += version;
	board->status[i] = (uint8_t)status;
	board->version[i] = version;
	if (price >= 0)
		board->price[i] = price;
	board->available[i] = status == SEAT_AVAILABLE;
	if (!board->changed[i]) {
		board->changed[i] = true;
		board->changes[board->change_count++] = i;
	}
	return true;
}

void board_settle(struct board *board)
{
	for (size_t i = 0; i < board->change_count; i++)
		board->changed[board->changes[i]] = false;
	board->change_count = 0;
}

/* ---- Proposals ---- */

static size_t ring_place(const struct board *board, size_t offset)
{
	assert(board->seat_count > 0); /* Something was proposed. */
	return (board->proposal_first + offset) % board->seat_count;
}

/* A proposal ends; whether its seat was taken meanwhile is known by then. */
static void end_oldest(struct board *board)
{
	uint32_t seat = board->proposals[board->proposal_first].seat;
	board->available[seat] = board->version[seat] >= 0 && board->status[seat] == SEAT_AVAILABLE;
	board->proposal_first = ring_place(board, 1);
	board->proposal_count--;
}

static void end_proposals(struct board *board, int64_t now_ms)
{
	while (board->proposal_count > 0 &&
		board->proposals[board->proposal_first].ends_ms <= now_ms)
		end_oldest(board);
}

void board_propose(struct board *board, const struct best_available_wish *wish, int64_t now_ms,
	struct best_available_block *block)
{
	end_proposals(board, now_ms);
	best_available_find(board->plan->best, board->available, wish, block);
	while (block->level == BEST_AVAILABLE_NONE && board->proposal_count > 0) {
		while (board->proposal_count > 0)
			end_oldest(board);
		best_available_find(board->plan->best, board->available, wish, block);
	}
	for (uint32_t i = 0; i < block->seat_count; i++) {
		uint32_t seat = block->seats[i];
		board->available[seat] = false;
		/* A seat that came back and is proposed anew may stand there already. */
		if (board->proposal_count == board->seat_count)
			end_oldest(board);
		board->proposals[ring_place(board, board->proposal_count++)] =
			(struct board_proposal){seat, now_ms + BOARD_PROPOSAL_MS};
		board->available[seat] = false;
	}
}

/* ---- What is told ---- */

static void add_counts(struct buffer *text, const struct board_counts *counts)
{
	for (int status = 0; status < SEAT_STATUS_COUNT; status++)
		buffer_add_format(text, "%s\"%s\":%u", status > 0 ? "," : "",
			seat_status_name((enum seat_status)status), counts->by_status[status]);
}

static bool is_empty(const struct board_counts *counts)
{
	return counts->by_status[SEAT_AVAILABLE] + counts->by_status[SEAT_HELD] +
		counts->by_status[SEAT_SOLD] ==
		0;
}

static void add_section(const struct board *board, uint32_t zone, struct buffer *text)
{
	const struct seating_plan *plan = board->plan->plan;
	bool first = true;
	buffer_add_text(text, "{\"section\":");
	buffer_add_json(text, plan->zones[zone].name);
	buffer_add_text(text, ",\"categories\":[");
	for (uint32_t i = 0; i < plan->category_count; i++) {
		const struct board_counts *counts =
			&board->counts[(size_t)zone * plan->category_count + i];
		if (is_empty(counts))
			continue;
		buffer_add_text(text, first ? "{\"category\":" : ",{\"category\":");
		first = false;
		buffer_add_json(text, plan->categories[i].name);
		buffer_add_text(text, ",");
		add_counts(text, counts);
		buffer_add_text(text, "}");
	}
	buffer_add_text(text, "]}");
}

void board_availability(const struct board *board, struct buffer *text)
{
	buffer_add_format(text, "\"version\":%lld,\"total\":{", (long long)board->version_sum);
	add_counts(text, &board->total);
	buffer_add_text(text, "},\"sections\":[");
	for (uint32_t i = 0, told = 0; i < board->plan->plan->zone_count; i++) {
		if (board->plan->plan->zones[i].seat_count == 0)
			continue; /* Only drawn. */
		if (told++ > 0)
			buffer_add_text(text, ",");
		add_section(board, i, text);
	}
	buffer_add_text(text, "]");
}

bool board_tell(struct board *board, size_t max, struct buffer *text)
{
	if (board->change_count == 0)
		return false;
	size_t count = board->change_count < max ? board->change_count : max;
	size_t rest = board->change_count - count;
	const uint32_t *told = board->changes + rest;
	buffer_add_format(text, "{\"version\":%lld", (long long)board->version_sum);
	for (int status = 0; status < SEAT_STATUS_COUNT; status++) {
		bool first = true;
		buffer_add_format(text, ",\"%s\":[", seat_status_name((enum seat_status)status));
		for (size_t i = 0; i < count; i++) {
			if (board->status[told[i]] != status)
				continue;
			buffer_add_format(text, first ? "%u" : ",%u", told[i]);
			first = false;
		}
		buffer_add_text(text, "]");
	}
	buffer_add_text(text, "}");
	for (size_t i = 0; i < count; i++)
		board->changed[told[i]] = false;
	board->change_count = rest;
	return true;
}
