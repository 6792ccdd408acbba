/* Counting: sums over threads, buckets, what is found again, and which descriptions are bugs. */
#include "lib/metrics/metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 8, UPDATES = 20000 };

static struct metrics *metrics;

static int open_registry(void **state)
{
	(void)state;
	metrics = metrics_new();
	return metrics ? 0 : -1;
}

static int close_registry(void **state)
{
	(void)state;
	metrics_free(metrics);
	return 0;
}

static struct metrics_description described(const char *name)
{
	return (struct metrics_description){.name = name, .help = "For a test."};
}

static struct metrics_counter *counter_of(const char *name)
{
	struct metrics_description description = described(name);
	return metrics_add_counter(metrics, &description);
}

struct shared {
	struct metrics_counter *counter;
	struct metrics_gauge *gauge;
	struct metrics_histogram *histogram;
};

static void *update(void *context)
{
	const struct shared *shared = context;
	for (int64_t i = 0; i < UPDATES; i++) {
		metrics_counter_add(shared->counter, 3);
		metrics_gauge_add(shared->gauge, i % 2 == 0 ? 2 : -1);
		metrics_histogram_record(shared->histogram, i % 5000);
	}
	return NULL;
}

static void *render_meanwhile(void *context)
{
	(void)context;
	struct buffer buffer;
	buffer_init(&buffer, METRICS_RENDERED_SIZE_MAX);
	for (int i = 0; i < 50; i++) {
		buffer_reset(&buffer);
		metrics_render(metrics, &buffer);
		assert_false(buffer.failed);
	}
	buffer_release(&buffer);
	return NULL;
}

/* More threads than shards, so that some shard is certainly shared. */
static void nothing_is_lost_between_threads(void **state)
{
	(void)state;
	struct metrics_description gauge = described("level"), histogram = described("sizes");
	struct shared shared = {
		.counter = counter_of("things"),
		.gauge = metrics_add_gauge(metrics, &gauge),
		.histogram = metrics_add_histogram(metrics, &histogram, &metrics_batch_buckets),
	};
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));

	pthread_t threads[THREADS + 1], renderer;
	assert_int_equal(0, pthread_create(&renderer, NULL, render_meanwhile, NULL));
	for (size_t i = 0; i <= THREADS; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, update, &shared));
	for (size_t i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(renderer, NULL);

	uint64_t updates = (uint64_t)(THREADS + 1) * UPDATES;
	assert_int_equal(3 * updates, metrics_counter_value(shared.counter));
	assert_int_equal(updates / 2, metrics_gauge_value(shared.gauge));
	assert_int_equal(updates, metrics_histogram_count(shared.histogram));
	assert_int_equal(
		updates / 5000 * (4999 * 5000 / 2), metrics_histogram_sum(shared.histogram));
}

static void the_same_labels_find_the_same_metric(void **state)
{
	(void)state;
	struct metrics_label first[] = {{"lane", "join"}}, second[] = {{"lane", "hold"}};
	struct metrics_description description = described("late");
	description.labels = first;
	description.label_count = 1;
	struct metrics_counter *join = metrics_add_counter(metrics, &description);
	description.labels = second;
	struct metrics_counter *hold = metrics_add_counter(metrics, &description);
	assert_ptr_not_equal(join, hold);
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));

	assert_ptr_equal(hold, metrics_add_counter(metrics, &description));
	description.labels = first;
	assert_ptr_equal(join, metrics_add_counter(metrics, &description));
}

static void without_a_registry_nothing_happens(void **state)
{
	(void)state;
	struct metrics_description description = described("things");
	assert_null(metrics_add_counter(NULL, &description));
	assert_null(metrics_add_gauge(NULL, &description));
	assert_null(metrics_add_histogram(NULL, &description, &metrics_latency_buckets));
	metrics_add_gauge_callback(NULL, &description, NULL, NULL);
	metrics_counter_add(NULL, 1);
	metrics_gauge_set(NULL, 1);
	metrics_gauge_add(NULL, 1);
	metrics_histogram_record(NULL, 1);
	assert_int_equal(0, metrics_counter_value(NULL));
	assert_int_equal(0, metrics_gauge_value(NULL));
	assert_int_equal(0, metrics_histogram_count(NULL));
	assert_int_equal(0, metrics_histogram_sum(NULL));
	metrics_free(NULL);
}

static void a_negative_value_counts_as_zero(void **state)
{
	(void)state;
	struct metrics_description description = described("waiting");
	struct metrics_histogram *histogram =
		metrics_add_histogram(metrics, &description, &metrics_latency_buckets);
	metrics_histogram_record(histogram, -5);
	metrics_histogram_record(histogram, INT64_MIN);
	assert_int_equal(2, metrics_histogram_count(histogram));
	assert_int_equal(0, metrics_histogram_sum(histogram));
}

/* Run it in a child, which has to end by the assert. */
static void assert_is_a_bug(void (*act)(void))
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL); /* Not cmocka's. */
		int nothing = open("/dev/null", O_WRONLY);
		dup2(nothing, STDERR_FILENO);
		act();
		_exit(0);
	}
	int ended;
	assert_int_equal(child, waitpid(child, &ended, 0));
	assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
}

static const char *tried;

static void try_counter_name(void)
{
	counter_of(tried);
}

static void try_label_name(void)
{
	struct metrics_label labels[] = {{tried, "x"}, {"known", "y"}};
	struct metrics_description description = described("things");
	description.labels = labels;
	description.label_count = 2;
	metrics_add_counter(metrics, &description);
}

static void try_unit(void)
{
	struct metrics_description description = described("waiting_seconds");
	description.unit = tried;
	metrics_add_counter(metrics, &description);
}

static void bad_names_are_bugs(void **state)
{
	(void)state;
	static char too_long[METRICS_NAME_SIZE_MAX + 2];
	memset(too_long, 'a', sizeof too_long - 1);
	const char *names[] = {"", "9lives", "_x", "Upper", "with-dash", "new\nline", "a b", "x:y",
		"\xC3\xA9", "things_total", "things_created", "things_count", "things_sum",
		"things_bucket", "things_info", too_long};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		tried = names[i];
		assert_is_a_bug(try_counter_name);
	}
	const char *labels[] = {"", "le", "quantile", "__name", "a=b", "known"};
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		tried = labels[i];
		assert_is_a_bug(try_label_name);
	}
	const char *units[] = {"bytes", "econds", "waiting_seconds", ""};
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		tried = units[i];
		assert_is_a_bug(try_unit);
	}
}

static void add_too_late(void)
{
	(void)!metrics_freeze(metrics);
	counter_of("things");
}

static void render_too_early(void)
{
	struct buffer buffer;
	buffer_init(&buffer, METRICS_RENDERED_SIZE_MAX);
	metrics_render(metrics, &buffer);
}

static void make_it_a_gauge(void)
{
	struct metrics_description description = described("things");
	counter_of("things");
	metrics_add_gauge(metrics, &description);
}

static void change_the_buckets(void)
{
	struct metrics_description description = described("things");
	struct metrics_label label = {"lane", "join"};
	metrics_add_histogram(metrics, &description, &metrics_latency_buckets);
	description.labels = &label;
	description.label_count = 1;
	metrics_add_histogram(metrics, &description, &metrics_batch_buckets);
}

static void bounds_that_fall(void)
{
	struct metrics_description description = described("things");
	metrics_add_histogram(metrics, &description,
		&(struct metrics_buckets){.bounds = (const int64_t[]){1, 3, 3}, .count = 3});
}

static void misuse_is_a_bug(void **state)
{
	(void)state;
	assert_is_a_bug(add_too_late);
	assert_is_a_bug(render_too_early);
	assert_is_a_bug(make_it_a_gauge);
	assert_is_a_bug(change_the_buckets);
	assert_is_a_bug(bounds_that_fall);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_registry, close_registry)
	const struct CMUnitTest tests[] = {
		TEST(bad_names_are_bugs),
		TEST(misuse_is_a_bug),
		TEST(nothing_is_lost_between_threads),
		TEST(the_same_labels_find_the_same_metric),
		TEST(without_a_registry_nothing_happens),
		TEST(a_negative_value_counts_as_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
