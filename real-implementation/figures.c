/* See figures.h. */
#include "real-implementation/figures.h"

#include "real-implementation/figures_statements.sql.h"

static const struct postgres_statement read_event = {
	.name = "figures_event", .sql = sql_event, .effect = POSTGRES_READS};

/* How the room stands is in memory; the rest is the database's. */
static void add_room(struct figures *figures, struct slice event, json_t *json)
{
	struct waiting_room_view view;
	if (!figures->rooms || !waiting_room_known_view(figures->rooms, event, &view))
		return;
	json_object_set_new(json, "room",
		json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "state",
			waiting_room_state_name(view.settings.state), "waiting",
			(json_int_t)view.waiting, "active", (json_int_t)view.active, "activeMax",
			(json_int_t)view.settings.active_max, "serving", (json_int_t)view.serving,
			"tail", (json_int_t)view.tail, "admitted", (json_int_t)view.admitted,
			"ratePerSecond", view.settings.rate_per_second));
}

static void show_event(struct http_exchange *exchange)
{
	struct figures *figures = http_context(exchange);
	struct postgres_result result = {0};
	struct id event;
	char text[ID_TEXT_SIZE];
	if (!admin_asks(figures->admin, exchange))
		return;
	enum status status = STATUS_OK;
	bool named = id_parse(http_parameter(exchange, "eventId"), &event);
	if (named)
		status = postgres_execute(figures->readers[http_worker(exchange)], &read_event,
			POSTGRES_PARAMETERS(postgres_uuid(event)), &result);
	if (status != STATUS_OK) {
		http_reply_problem(
			exchange, &http_problem_unavailable, "The database does not answer.");
	} else if (result.row_count == 0) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
	} else {
		struct slice found = postgres_get_text(&result, 0, 0);
		json_t *json = json_loadb(found.data, found.size, 0, NULL);
		id_format(event, text);
		if (json)
			add_room(figures, slice_of(text), json);
		http_reply_json(exchange, 200, json);
	}
	postgres_result_release(&result);
}

const struct http_route figures_route_table[] = {
	{HTTP_GET, "/admin/events/{eventId}", HTTP_ON_WORKER, show_event, 0},
};
const size_t figures_route_count = sizeof figures_route_table / sizeof *figures_route_table;
