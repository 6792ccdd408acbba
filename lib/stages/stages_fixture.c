#include "lib/stages/stages_fixture.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/stages/stages_test.sql.h"

enum {
	WAIT_MS_MAX = 1000,
	PATIENCE_MS = 60000, /* On a busy machine no call fails for lack of time. */
};

const char *const provider_schema = test_schema;
const char *const provider_judge = test_judge;
const struct stage_sql provider_marked = {.claim = test_claim_marked, .move = test_move_marked};

static bool read_job(
	void *context, struct stage_row *base, const struct postgres_result *result, size_t index);
static void act_on_jobs(void *context, struct stage_row *const rows[], size_t count);
static void submit_jobs(void *context, struct stage_row *const rows[], size_t count);
static size_t collect_jobs(void *context, int64_t timeout_ms, struct stage_row *done[], size_t max);
static void wake_provider(void *context);
static void on_moved(void *context, struct stage_row *const rows[], size_t count);
static void on_reached(void *context, enum stage_point point);

static const struct stage_ops submitting = {.read = read_job,
	.submit = submit_jobs,
	.collect = collect_jobs,
	.wake = wake_provider,
	.moved = on_moved,
	.at = on_reached};
static const struct stage_ops acting = {
	.read = read_job, .act = act_on_jobs, .moved = on_moved, .at = on_reached};

enum status provider_open(
	struct provider *provider, const char *state, const char *worker, const char *url)
{
	*provider = (struct provider){.state = state, .worker = worker};
	provider->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	provider->pg = postgres_open(
		&(struct postgres_options){.url = url, .application_name = "provider"});
	return provider->wake_fd >= 0 && provider->pg ? STATUS_OK : STATUS_UNAVAILABLE;
}

void provider_close(struct provider *provider)
{
	if (!provider->state)
		return;
	(void)close(provider->wake_fd);
	postgres_close(provider->pg);
	*provider = (struct provider){.state = NULL};
}

struct stage_options provider_options(struct provider *provider, const char *url,
	enum provider_form form, enum provider_fence fence)
{
	return (struct stage_options){.name = provider->state,
		.state = provider->state,
		.sql = {.claim = test_claim,
			.renew = test_renew,
			.move = fence == PROVIDER_FENCED ? test_move : test_move_unguarded,
			.data_count = 1},
		.ops = form == PROVIDER_SUBMITS ? &submitting : &acting,
		.context = provider,
		.row_size = sizeof(struct job_row),
		.database_url = url,
		.in_flight_max = 1000,
		.call_ms_max = PATIENCE_MS,
		.connect_ms_max = PATIENCE_MS,
		.poll_ms = 50,
		.backoff_ms_min = 1,
		.backoff_ms_max = 20};
}

void provider_let_go(struct provider *provider)
{
	atomic_store(&provider->lets_go, true);
	wake_provider(provider);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void copy_text(char *to, size_t size, struct slice text)
{
	(void)snprintf(to, size, "%.*s", SLICE_PRINT(text));
}

static bool read_job(
	void *context, struct stage_row *base, const struct postgres_result *result, size_t index)
{
	struct job_row *job = (struct job_row *)base;
	(void)context;
	assert(job->due_ms == 0 && !job->next && base->outcome == STAGE_NO_OUTCOME);
	job->act_ms = postgres_get_bigint(result, index, 2);
	copy_text(job->fault, sizeof job->fault, postgres_get_text(result, index, 3));
	job->round = postgres_get_bigint(result, index, 4);
	return strcmp(job->fault, "unreadable") != 0;
}

static const char *state_behind(const char *state)
{
	if (strcmp(state, "one") == 0)
		return "two";
	return strcmp(state, "two") == 0 ? "three" : "done";
}

static void end_job(struct provider *provider, struct job_row *job)
{
	struct stage_row *row = &job->base;
	const char *next = state_behind(provider->state);
	const char *fault = job->fault;
	(void)snprintf(job->answer, sizeof job->answer, "%lld", (long long)job->round);
	if (strcmp(fault, "bad") == 0 || strcmp(fault, "worse") == 0)
		(void)snprintf(job->answer, sizeof job->answer, "not a number");
	row->data[0] = slice_of(job->answer);
	if (strcmp(fault, "poison") == 0)
		stage_retry(row, "poison", 0);
	else if (strcmp(fault, "stuck") == 0)
		stage_give_up(row, "no good: \x01\xff");
	else if (strcmp(fault, "wait") == 0 && atomic_fetch_sub(&provider->waits, 1) > 0)
		stage_wait(row, 1);
	else if (strcmp(fault, "silent") != 0)
		stage_done(row, next, strcmp(next, "done") == 0 ? STAGE_AT_REST : STAGE_AT_ONCE);
}

/* The act's effect on the outside. A record that is lost because the database is being restarted
 * would only make the judge complain, so it is insisted on. */
static void record(struct provider *provider, struct stage_row *const rows[], size_t count)
{
	static const struct postgres_statement act = {.name = "act", .sql = test_act};
	struct slice keys[STAGE_BATCH_MAX];
	enum status status;
	for (size_t i = 0; i < count; i++)
		keys[i] = rows[i]->key;
	do {
		status = postgres_execute(provider->pg, &act,
			POSTGRES_PARAMETERS(postgres_text_array(keys, count),
				postgres_text(slice_of(provider->state)),
				postgres_text(slice_of(provider->worker))),
			NULL);
	} while (status != STATUS_OK);
}

static void act_on_jobs(void *context, struct stage_row *const rows[], size_t count)
{
	struct provider *provider = context;
	record(provider, rows, count);
	for (size_t i = 0; i < count; i++)
		end_job(provider, (struct job_row *)rows[i]);
}

static void submit_jobs(void *context, struct stage_row *const rows[], size_t count)
{
	struct provider *provider = context;
	record(provider, rows, count);
	for (size_t i = 0; i < count; i++) {
		struct job_row *job = (struct job_row *)rows[i];
		if (strcmp(job->fault, "die") == 0)
			(void)kill(getpid(), SIGKILL);
		job->due_ms = now_ms() + job->act_ms;
		job->next = provider->first;
		provider->first = job;
	}
	atomic_fetch_add(&provider->under_way, (int)count);
}

static bool is_due(struct provider *provider, const struct job_row *job)
{
	return job->act_ms >= 0 ? now_ms() >= job->due_ms : atomic_load(&provider->lets_go);
}

static size_t take_due(struct provider *provider, struct stage_row *done[], size_t max)
{
	size_t count = 0;
	struct job_row **link = &provider->first;
	while (*link && count < max) {
		struct job_row *job = *link;
		if (!is_due(provider, job)) {
			link = &job->next;
			continue;
		}
		*link = job->next;
		end_job(provider, job);
		done[count++] = &job->base;
	}
	atomic_fetch_sub(&provider->under_way, (int)count);
	return count;
}

static size_t collect_jobs(void *context, int64_t timeout_ms, struct stage_row *done[], size_t max)
{
	struct provider *provider = context;
	int64_t end_ms = now_ms() + timeout_ms;
	for (;;) {
		uint64_t wakes;
		size_t count = take_due(provider, done, max);
		bool woken = read(provider->wake_fd, &wakes, sizeof wakes) == sizeof wakes;
		int64_t next_ms = now_ms() + WAIT_MS_MAX;
		if (count > 0 || woken || now_ms() >= end_ms)
			return count;
		for (struct job_row *job = provider->first; job; job = job->next)
			if (job->act_ms >= 0 && job->due_ms < next_ms)
				next_ms = job->due_ms;
		next_ms = next_ms < end_ms ? next_ms : end_ms;
		int64_t wait_ms = next_ms - now_ms();
		struct pollfd ready = {.fd = provider->wake_fd, .events = POLLIN};
		(void)poll(&ready, 1, wait_ms > 0 ? (int)wait_ms : 0);
	}
}

static void wake_provider(void *context)
{
	struct provider *provider = context;
	const uint64_t one = 1;
	ssize_t written = write(provider->wake_fd, &one, sizeof one);
	assert(written == sizeof one);
}

static void on_moved(void *context, struct stage_row *const rows[], size_t count)
{
	struct provider *provider = context;
	for (size_t i = 0; i < count; i++)
		assert(rows[i]->outcome != STAGE_NO_OUTCOME);
	atomic_fetch_add(&provider->moved, (int)count);
	if (provider->wakes)
		stage_wake(provider->wakes);
}

static void on_reached(void *context, enum stage_point point)
{
	struct provider *provider = context;
	atomic_fetch_add(&provider->reached[point], 1);
	if (provider->on_point)
		provider->on_point(point);
	/* To this thread: sent to the process, another one might take it, and this one go on. */
	if (provider->signal && point == provider->point && --provider->count == 0)
		(void)raise(provider->signal);
}
