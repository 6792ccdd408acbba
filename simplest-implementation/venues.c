/* Venues: a seating plan comes in, its seats go into the database in one statement. */
#include "lib/base/clock.h"
#include "lib/ticketing/seating_plan.h"
#include "simplest-implementation/app.h"
#include "simplest-implementation/statements.sql.h"

STATEMENT(venue_insert);
STATEMENT(venue_insert_seats);

struct venue_input {
	struct id id;
	const struct seating_plan *plan;
};

/* The seats as columns, which is how one statement takes them all. */
enum { SEAT_COLUMN_COUNT = 7 };

struct seat_columns {
	struct slice *column[SEAT_COLUMN_COUNT];
};

static enum status venue_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context);
static bool seat_columns_fill(
	struct seat_columns *columns, const struct seating_plan *plan, struct arena *arena);

void venue_create(struct http_exchange *exchange)
{
	struct fault fault;
	struct venue_input input;
	if (!http_body_is_json(exchange))
		return;
	enum status status =
		seating_plan_read(http_body(exchange), http_arena(exchange), &input.plan, &fault);
	if (status == STATUS_REFUSED) {
		json_t *members = json_pack("{s:s}", "path", fault.where);
		http_reply_problem_with(exchange, &http_problem_unprocessable, members, "%s: %s.",
			fault.where, fault.what);
		return;
	}
	if (status != STATUS_OK) {
		app_reply_failed(exchange, status);
		return;
	}
	input.id = id_new(clock_wall_ms(clock_system()));
	app_write(exchange, &(struct app_write){.work = venue_work, .input = &input});
}

static enum status venue_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context)
{
	const struct venue_input *input = context;
	const struct seating_plan *plan = input->plan;
	struct seat_columns columns;
	if (!seat_columns_fill(&columns, plan, http_arena(exchange)))
		return STATUS_UNAVAILABLE;
	enum status status = postgres_execute(pg, &venue_insert,
		POSTGRES_PARAMETERS(postgres_uuid(input->id), postgres_text(plan->name),
			postgres_integer((int32_t)plan->zone_count),
			postgres_integer((int32_t)plan->seat_count),
			postgres_text(http_body(exchange))),
		NULL);
	if (status != STATUS_OK)
		return status;
	struct postgres_parameter parameters[1 + SEAT_COLUMN_COUNT] = {postgres_uuid(input->id)};
	for (size_t i = 0; i < SEAT_COLUMN_COUNT; i++)
		parameters[1 + i] = postgres_text_array(columns.column[i], plan->seat_count);
	status = postgres_execute(pg, &venue_insert_seats, parameters, 1 + SEAT_COLUMN_COUNT, NULL);
	if (status != STATUS_OK)
		return status;
	char id[ID_TEXT_SIZE];
	id_format(input->id, id);
	http_reply_json(exchange, 201,
		json_pack("{s:s, s:s%, s:i, s:i}", "venueId", id, "name", plan->name.data,
			plan->name.size, "sections", (int)plan->zone_count, "seats",
			(int)plan->seat_count));
	return STATUS_OK;
}

static bool seat_columns_fill(
	struct seat_columns *columns, const struct seating_plan *plan, struct arena *arena)
{
	for (size_t i = 0; i < SEAT_COLUMN_COUNT; i++) {
		columns->column[i] = arena_calloc(arena, plan->seat_count, sizeof(struct slice));
		if (!columns->column[i])
			return false;
	}
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		const struct seating_seat *seat = &plan->seats[i];
		columns->column[0][i] = seat->guid;
		columns->column[1][i] = plan->zones[seat->zone_index].name;
		columns->column[2][i] = plan->rows[seat->row_index].number;
		columns->column[3][i] = seat->number;
		columns->column[4][i] = plan->categories[seat->category_index].name;
		columns->column[5][i] = arena_format(arena, "%.3f", seat->x);
		columns->column[6][i] = arena_format(arena, "%.3f", seat->y);
		if (!columns->column[6][i].data)
			return false;
	}
	return true;
}
