#include "lib/batch/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t read_wall_ms(struct clock *clock)
{
	return atomic_load(&((struct test_clock *)clock)->now_ns) / 1000000;
}

static int64_t read_monotonic_ns(struct clock *clock)
{
	return atomic_load(&((struct test_clock *)clock)->now_ns);
}

int fixture_set_up(void **state)
{
	static const struct clock_ops ops = {
		.wall_ms = read_wall_ms, .monotonic_ns = read_monotonic_ns};
	struct fixture *fixture = calloc(1, sizeof *fixture);
	if (!fixture)
		return -1;
	fixture->clock.base.ops = &ops;
	atomic_store(&fixture->clock.now_ns, (int64_t)FIXTURE_START_MS * 1000000);
	fixture->metrics = metrics_new();
	pthread_mutex_init(&fixture->mutex, NULL);
	pthread_cond_init(&fixture->changed, NULL);
	for (int i = 0; i < FIXTURE_ITEMS_MAX; i++)
		fixture->items[i].number = i;
	*state = fixture;
	return 0;
}

int fixture_tear_down(void **state)
{
	struct fixture *fixture = *state;
	fixture_open_gate(fixture);
	lane_close(fixture->lane);
	metrics_free(fixture->metrics);
	pthread_cond_destroy(&fixture->changed);
	pthread_mutex_destroy(&fixture->mutex);
	free(fixture);
	return 0;
}

void fixture_open(struct fixture *fixture, struct lane_options options)
{
	if (!options.ops)
		options.ops = &fixture_ops;
	if (!options.clock)
		options.clock = &fixture->clock.base;
	if (!options.name)
		options.name = "test";
	options.context = fixture;
	assert_int_equal(STATUS_OK, lane_open(&options, &fixture->lane));
}

void fixture_advance(struct fixture *fixture, int64_t ms)
{
	atomic_fetch_add(&fixture->clock.now_ns, ms * 1000000);
}

enum status fixture_submit(struct fixture *fixture, int number, int64_t within_ms)
{
	struct lane_item *item = &fixture->items[number].item;
	item->deadline_ms = within_ms == LANE_NEVER
		? LANE_NEVER
		: clock_monotonic_ms(&fixture->clock.base) + within_ms;
	return lane_submit(fixture->lane, item);
}

void fixture_submit_range(struct fixture *fixture, int first, int last)
{
	for (int number = first; number <= last; number++)
		assert_int_equal(STATUS_OK, fixture_submit(fixture, number, LANE_NEVER));
}

void fixture_wait_entered(struct fixture *fixture, size_t count)
{
	pthread_mutex_lock(&fixture->mutex);
	while (fixture->entered < count)
		pthread_cond_wait(&fixture->changed, &fixture->mutex);
	pthread_mutex_unlock(&fixture->mutex);
}

void fixture_permit(struct fixture *fixture)
{
	pthread_mutex_lock(&fixture->mutex);
	fixture->permits++;
	pthread_cond_broadcast(&fixture->changed);
	pthread_mutex_unlock(&fixture->mutex);
}

void fixture_open_gate(struct fixture *fixture)
{
	pthread_mutex_lock(&fixture->mutex);
	fixture->open = true;
	pthread_cond_broadcast(&fixture->changed);
	pthread_mutex_unlock(&fixture->mutex);
}

void fixture_assert_trace(struct fixture *fixture, const char *expected)
{
	fixture_open_gate(fixture);
	lane_stop(fixture->lane);
	assert_string_equal(expected, fixture->trace);
}

/* Words past the end of the trace are left out: an endless ticker must not end the test. */
void fixture_note(struct fixture *fixture, char kind, struct lane_item *const items[], size_t count)
{
	char word[FIXTURE_ITEMS_MAX * 4] = {kind};
	size_t size = 1;
	for (size_t i = 0; i < count; i++) {
		const struct test_item *item = (const struct test_item *)items[i];
		size += (size_t)snprintf(
			word + size, sizeof word - size, "%s%d", i > 0 ? "," : "", item->number);
	}
	pthread_mutex_lock(&fixture->mutex);
	size_t left = sizeof fixture->trace - fixture->trace_size;
	if (size + 2 <= left)
		fixture->trace_size += (size_t)snprintf(fixture->trace + fixture->trace_size, left,
			"%s%s", fixture->trace_size > 0 ? " " : "", word);
	pthread_mutex_unlock(&fixture->mutex);
}

void fixture_pass_gate(struct fixture *fixture)
{
	pthread_mutex_lock(&fixture->mutex);
	fixture->entered++;
	pthread_cond_broadcast(&fixture->changed);
	while (!fixture->open && fixture->permits == 0)
		pthread_cond_wait(&fixture->changed, &fixture->mutex);
	if (!fixture->open)
		fixture->permits--;
	pthread_mutex_unlock(&fixture->mutex);
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)thread;
	fixture_note(context, 'A', items, count);
	fixture_pass_gate(context);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	fixture_note(context, 'L', items, count);
}

const struct lane_ops fixture_ops = {.apply = apply, .late = late};
