/* What the waiting room counts, and how each room stands. The rooms come and go while the program
 * runs, so they are no metrics of the registry, which is closed by then; they are written in front
 * of it. There are at most WAITING_ROOM_EVENTS_MAX of a lane, and only the admin makes them. */
#include "tech-waiting-room/waiting_room_front.h"

static struct metrics_counter *counter(
	struct metrics *registry, const char *name, const char *help, const char *outcome)
{
	const struct metrics_label label = {.name = "outcome", .value = outcome};
	return metrics_add_counter(registry,
		&(struct metrics_description){.name = name,
			.help = help,
			.labels = &label,
			.label_count = outcome ? 1 : 0});
}

void front_metrics_open(struct front_metrics *metrics, struct metrics *registry)
{
	static const char joins[] = "waiting_room_joins", joins_help[] = "Requests to join.";
	static const char polls[] = "waiting_room_polls", polls_help[] = "Places asked for.";
	*metrics = (struct front_metrics){
		.joins_new = counter(registry, joins, joins_help, "new"),
		.joins_again = counter(registry, joins, joins_help, "again"),
		.joins_restored = counter(registry, joins, joins_help, "restored"),
		.joins_refused = counter(registry, joins, joins_help, "refused"),
		.joins_limited = counter(registry, joins, joins_help, "limited"),
		.polls_from_memory = counter(registry, polls, polls_help, "memory"),
		.polls_asked = counter(registry, polls, polls_help, "asked"),
		.admissions = counter(registry, "waiting_room_admissions",
			"People called by this process.", NULL),
		.passes_told = counter(
			registry, "waiting_room_passes_told", "Passes sent to streams.", NULL),
		.verified = counter(
			registry, "waiting_room_passes_verified", "Passes asked about.", NULL),
		.claimed = counter(
			registry, "waiting_room_passes_claimed", "Passes first used.", NULL),
		.left = counter(registry, "waiting_room_left",
			"Places and slots given back by request.", NULL),
		.calls_failed = counter(registry, "waiting_room_calls_failed",
			"Calls that the technology did not answer.", NULL),
	};
}

static const struct gauge {
	const char *name, *help;
	size_t offset;
} gauges[] = {
	{"waiting_room_waiting", "People in line or in the lobby.",
		offsetof(struct waiting_room_view, waiting)},
	{"waiting_room_active", "People admitted and not finished.",
		offsetof(struct waiting_room_view, active)},
	{"waiting_room_serving", "The largest place called.",
		offsetof(struct waiting_room_view, serving)},
	{"waiting_room_tail", "The largest place given.", offsetof(struct waiting_room_view, tail)},
	{"waiting_room_epoch", "How often the room has lost its memory, and one.",
		offsetof(struct waiting_room_view, epoch)},
};

static void add_gauge(
	struct buffer *buffer, struct waiting_room_routes *routes, const struct gauge *gauge)
{
	buffer_add_format(
		buffer, "# TYPE %s gauge\n# HELP %s %s\n", gauge->name, gauge->name, gauge->help);
	for (size_t i = 0; i < routes->lane_count; i++) {
		struct front_lane *lane = &routes->lanes[i];
		size_t count = atomic_load_explicit(&lane->room_count, memory_order_acquire);
		for (size_t j = 0; j < count; j++) {
			struct room_snapshot snapshot;
			int64_t value;
			listed_room_read(&lane->rooms[j]->listed, &snapshot);
			memcpy(&value, (const char *)&snapshot.view + gauge->offset, sizeof value);
			/* An event's id needs no escaping. */
			buffer_add_format(buffer, "%s{event=\"%s\"} %lld\n", gauge->name,
				lane->rooms[j]->listed.event, (long long)value);
		}
	}
}

void waiting_room_reply_metrics(struct http_exchange *exchange)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct buffer buffer;
	buffer_init(&buffer, METRICS_RENDERED_SIZE_MAX);
	for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
		add_gauge(&buffer, routes, &gauges[i]);
	metrics_render(routes->options.metrics, &buffer);
	const char *copy =
		buffer.failed ? NULL : arena_copy(http_arena(exchange), buffer_slice(&buffer));
	if (copy)
		http_reply(exchange, 200, metrics_content_type,
			(struct slice){.data = copy, .size = buffer.size});
	else
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
	buffer_release(&buffer);
}
