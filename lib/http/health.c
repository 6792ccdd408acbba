/* See health.h. The threads are lanes that never get an item and only tick. */
#include "lib/http/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/http/internal.h"

enum { INTERVAL_MS_DEFAULT = 1000, STALE_MS_DEFAULT = 10000 };

struct checked {
	struct http_health *health;
	struct http_health_check check;
	struct lane *lane;
	atomic_bool there;
	atomic_int_fast64_t checked_ms; /* Monotonic; when the last check ended. */
};

struct http_health {
	int64_t interval_ms, stale_ms_max;
	size_t count;
	struct checked checked[];
};

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void check_now(struct checked *checked)
{
	bool there = checked->check.is_there(checked->check.context);
	bool before = atomic_exchange(&checked->there, there);
	atomic_store(&checked->checked_ms, now_ms());
	if (there && !before)
		log_info("health.answers_again", LOG_TEXT("check", checked->check.name));
	else if (!there && before)
		log_warning("health.does_not_answer", LOG_TEXT("check", checked->check.name));
}

static int64_t tick(void *context, int64_t began_ms)
{
	struct checked *checked = context;
	(void)began_ms;
	check_now(checked);
	return now_ms() + checked->health->interval_ms;
}

static void apply_nothing(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context, (void)thread, (void)items, (void)count;
}

static void late_nothing(void *context, struct lane_item *const items[], size_t count)
{
	(void)context, (void)items, (void)count;
}

static enum status checked_open(struct checked *checked)
{
	static const struct lane_ops ops = {
		.apply = apply_nothing, .late = late_nothing, .tick = tick};
	char name[LANE_NAME_SIZE];
	snprintf(name, sizeof name, "health-%s", checked->check.name);
	atomic_init(&checked->there, true);
	check_now(checked);
	return lane_open(
		&(struct lane_options){
			.name = name,
			.ops = &ops,
			.context = checked,
			.queue_max = 1,
			.batch_max = 1,
		},
		&checked->lane);
}

enum status http_health_open(const struct http_health_options *options, struct http_health **result)
{
	assert(options->check_count <= HTTP_HEALTH_CHECKS_MAX);
	struct http_health *health =
		calloc(1, sizeof *health + options->check_count * sizeof(struct checked));
	if (!health)
		return STATUS_UNAVAILABLE;
	health->interval_ms = options->interval_ms > 0 ? options->interval_ms : INTERVAL_MS_DEFAULT;
	health->stale_ms_max = options->stale_ms_max > 0 ? options->stale_ms_max : STALE_MS_DEFAULT;
	for (; health->count < options->check_count; health->count++) {
		struct checked *checked = &health->checked[health->count];
		checked->health = health;
		checked->check = options->checks[health->count];
		if (checked_open(checked) != STATUS_OK) {
			http_health_close(health);
			return STATUS_UNAVAILABLE;
		}
	}
	*result = health;
	return STATUS_OK;
}

void http_health_close(struct http_health *health)
{
	for (size_t i = 0; health && i < health->count; i++)
		lane_close(health->checked[i].lane);
	free(health);
}

void http_reply_healthz(struct http_exchange *exchange)
{
	http_reply_json(exchange, 200, json_pack("{s:s}", "status", "ok"));
}

static bool is_missing(const struct http_health *health, const struct checked *checked)
{
	return !atomic_load(&checked->there) ||
		now_ms() - atomic_load(&checked->checked_ms) > health->stale_ms_max;
}

void http_reply_readyz(struct http_exchange *exchange)
{
	const struct http_health *health = exchange->server->options.health;
	json_t *missing = json_array();
	for (size_t i = 0; health && i < health->count; i++)
		if (is_missing(health, &health->checked[i]))
			json_array_append_new(missing, json_string(health->checked[i].check.name));
	if (json_array_size(missing) > 0) {
		http_reply_problem_with(exchange, &http_problem_unavailable,
			json_pack("{s:O}", "missing", missing),
			"Something that this server needs does not answer.");
	} else {
		http_reply_json(exchange, 200, json_pack("{s:s}", "status", "ready"));
	}
	json_decref(missing);
}
