/* stages-worker URL LEASE-MS STATES FENCE FORM [STATE POINT COUNT SIGNAL]: a process that tests
 * start, stop and kill.
 *
 *	STATES  "one" or "one,two,three": the stages that it runs, each on a thread
 *	FENCE   "fenced" or "unfenced"
 *	FORM    "submit" or "act"
 *	STATE POINT COUNT SIGNAL   at the COUNTth time that the stage of STATE reaches POINT, the
 *		process sends itself the signal with this number
 *
 * Prints "ready" when its stages run. SIGTERM ends it in order; then it prints, for each stage,
 * "lost STATE COUNT" and at last "left COUNT", the rows that were given up. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/stages/stages_fixture.h"

enum { STAGES_MAX = 3, ARGUMENTS = 6, ARGUMENTS_WITH_SIGNAL = 10, STOP_MS_MAX = 30000 };

static const char *const states[STAGES_MAX] = {"one", "two", "three"};
static struct provider providers[STAGES_MAX];
static struct stage *stages[STAGES_MAX];
static struct metrics *metrics;

static enum status open_stages(char **argv);
static bool set_signal(struct provider *provider, char **argv);
static enum status run_until_told(void);
static void print_result(void);

int main(int argc, char **argv)
{
	if (argc != ARGUMENTS && argc != ARGUMENTS_WITH_SIGNAL)
		return 2;
	metrics = metrics_new();
	if (open_stages(argv) != STATUS_OK)
		return 2;
	for (size_t i = 0; i < STAGES_MAX && argc == ARGUMENTS_WITH_SIGNAL; i++)
		if (strcmp(argv[6], states[i]) == 0 && !set_signal(&providers[i], argv))
			return 2;
	if (metrics_freeze(metrics) != STATUS_OK || run_until_told() != STATUS_OK)
		return 1;
	print_result();
	for (size_t i = 0; i < STAGES_MAX; i++) {
		stage_close(stages[i]);
		provider_close(&providers[i]);
	}
	metrics_free(metrics);
	return 0;
}

static int64_t number(const char *text)
{
	int64_t value = 0;
	return slice_to_integer(slice_of(text), 0, INT32_MAX, &value) ? value : 0;
}

static enum status open_stages(char **argv)
{
	enum provider_fence fence =
		strcmp(argv[4], "unfenced") == 0 ? PROVIDER_UNFENCED : PROVIDER_FENCED;
	enum provider_form form = strcmp(argv[5], "act") == 0 ? PROVIDER_ACTS : PROVIDER_SUBMITS;
	for (size_t i = 0; i < STAGES_MAX; i++) {
		if (!strstr(argv[3], states[i]))
			continue;
		if (provider_open(&providers[i], states[i], "worker", argv[1]) != STATUS_OK)
			return STATUS_UNAVAILABLE;
		struct stage_options options =
			provider_options(&providers[i], argv[1], form, fence);
		options.lease_ms = number(argv[2]);
		options.attempts_max = STAGE_ATTEMPTS_MAX; /* It is killed as often as that. */
		options.metrics = metrics;
		if (stage_open(&options, &stages[i]) != STATUS_OK)
			return STATUS_UNAVAILABLE;
	}
	for (size_t i = 0; i + 1 < STAGES_MAX; i++)
		providers[i].wakes = stages[i + 1];
	return STATUS_OK;
}

static bool set_signal(struct provider *provider, char **argv)
{
	for (int point = 0; point < STAGE_POINT_COUNT; point++) {
		if (strcmp(argv[7], stage_point_name((enum stage_point)point)) == 0) {
			provider->point = (enum stage_point)point;
			provider->count = (int)number(argv[8]);
			provider->signal = (int)number(argv[9]);
			return true;
		}
	}
	return false;
}

static enum status run_until_told(void)
{
	sigset_t terminate;
	int got;
	(void)sigemptyset(&terminate);
	(void)sigaddset(&terminate, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &terminate, NULL);
	for (size_t i = 0; i < STAGES_MAX; i++)
		if (stages[i] && stage_start(stages[i]) != STATUS_OK)
			return STATUS_UNAVAILABLE;
	(void)printf("ready\n");
	(void)fflush(stdout);
	(void)sigwait(&terminate, &got);
	return STATUS_OK;
}

static void print_result(void)
{
	size_t left = 0;
	for (size_t i = 0; i < STAGES_MAX; i++) {
		struct metrics_label label = {.name = "stage", .value = states[i]};
		struct metrics_description lost = {.name = "stage_lost",
			.help = "As in lib/stages.",
			.labels = &label,
			.label_count = 1};
		if (!stages[i])
			continue;
		left += stage_stop(stages[i], STOP_MS_MAX);
		(void)printf("lost %s %llu\n", states[i],
			(unsigned long long)metrics_counter_value(
				metrics_add_counter(metrics, &lost)));
	}
	(void)printf("left %zu\n", left);
	(void)fflush(stdout);
}
