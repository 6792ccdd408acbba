/* Several instances at once, each with its own thread. Part of the suite. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tech-waiting-room/suite_conformance.h"

enum { THREADS = 4, JOINS_PER_THREAD = 300, PEOPLE = THREADS * JOINS_PER_THREAD, ACTIVE_MAX = 7 };

/* What one thread does, with instances of its own, and what it has seen. */
struct worker {
	pthread_t thread;
	struct suite *suite;
	struct seen *seen;
	int number;
	const char *violation;
	char message[256];
};

/* What all have seen: by person. */
struct seen {
	int64_t places[PEOPLE + 1];
	int admitted[PEOPLE + 1];
	int active;     /* Admitted, and the answer has come; who leaves is out before asking. */
	int active_max; /* The most there ever were. */
	int admitted_count; /* Ever. */
};

static const char *start_worker(
	struct suite *suite, struct worker *worker, struct seen *seen, void *(*run)(void *))
{
	worker->seen = seen;
	worker->suite = suite_open(suite->factory, 0, worker->message, sizeof worker->message);
	CHECK(suite, worker->suite, "%s", worker->message);
	memcpy(worker->suite->event, suite->event, sizeof suite->event);
	random_init_stream(
		&worker->suite->random, random_next(&suite->random), (uint64_t)worker->number);
	CHECK(suite, pthread_create(&worker->thread, NULL, run, worker) == 0,
		"a thread cannot be started");
	return NULL;
}

/* Run the same in THREADS threads and wait for all. */
static const char *run_workers(struct suite *suite, struct seen *seen, void *(*run)(void *))
{
	struct worker workers[THREADS] = {0};
	const char *violation = NULL;
	int started = 0;
	for (; started < THREADS && !violation; started++) {
		workers[started].number = started;
		violation = start_worker(suite, &workers[started], seen, run);
	}
	for (int i = 0; i < started; i++) {
		if (workers[i].thread)
			pthread_join(workers[i].thread, NULL);
		if (workers[i].violation && !violation)
			violation = suite_violation(suite, "%s", workers[i].violation);
		suite_close(workers[i].suite);
	}
	return violation;
}

/* ---- joins ---- */

/* Each thread's own joins follow each other, so their places must grow. */
static const char *join_some(struct worker *worker)
{
	struct suite *suite = worker->suite;
	int64_t first = (int64_t)worker->number * JOINS_PER_THREAD + 1;
	int64_t last_place = 0;
	for (int64_t joined = 0; joined < JOINS_PER_THREAD;) {
		int64_t rest = JOINS_PER_THREAD - joined;
		size_t count = (size_t)random_between(&suite->random, 1, rest < 20 ? rest : 20);
		TRY(suite_join_range(suite, 0, first + joined, count));
		for (size_t i = 0; i < count; i++) {
			CHECK(suite,
				suite->joined[i].outcome == JOIN_NEW &&
					suite->joined[i].place > last_place,
				"place %" PRId64 " follows %" PRId64, suite->joined[i].place,
				last_place);
			last_place = suite->joined[i].place;
			worker->seen->places[first + joined + (int64_t)i] = last_place;
		}
		joined += (int64_t)count;
	}
	return NULL;
}

static void *join_thread(void *context)
{
	struct worker *worker = context;
	worker->violation = join_some(worker);
	return NULL;
}

static const char *expect_each_place_once(struct suite *suite, const struct seen *seen)
{
	bool taken[PEOPLE + 1] = {false};
	for (int person = 1; person <= PEOPLE; person++) {
		int64_t place = seen->places[person];
		CHECK(suite, place >= 1 && place <= PEOPLE && !taken[place],
			"place %" PRId64 " was given twice, or is none of %d", place, PEOPLE);
		taken[place] = true;
	}
	return NULL;
}

static const char *parallel_joins(struct suite *suite, struct seen *seen)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	TRY(run_workers(suite, seen, join_thread));
	if (suite->traits->position_is_exact)
		TRY(expect_each_place_once(suite, seen));
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view.waiting == PEOPLE, "%" PRId64 " wait after %d joins",
		suite->view.waiting, PEOPLE);
	return NULL;
}

const char *check_parallel_joins(struct suite *suite)
{
	struct seen *seen = calloc(1, sizeof *seen);
	const char *violation = seen ? parallel_joins(suite, seen) : "no memory";
	free(seen);
	return violation;
}

/* ---- admissions ---- */

/* An observer that stands outside. Whoever is asked to leave is taken off before the request is
 * sent, and who is admitted is counted after the answer has come: at no instant can it count
 * somebody who is not active, so more than the maximum is a violation. */
static void observe(struct seen *seen, const struct admission *admission)
{
	int64_t person = strtoll(admission->person + 1, NULL, 10);
	if (person < 1 || person > PEOPLE)
		return;
	__atomic_add_fetch(&seen->admitted[person], 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&seen->admitted_count, 1, __ATOMIC_SEQ_CST);
	int active = __atomic_add_fetch(&seen->active, 1, __ATOMIC_SEQ_CST);
	int most = __atomic_load_n(&seen->active_max, __ATOMIC_SEQ_CST);
	while (active > most &&
		!__atomic_compare_exchange_n(&seen->active_max, &most, active, false,
			__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static const char *leave_again(struct suite *suite, struct seen *seen, char *person)
{
	__atomic_sub_fetch(&seen->active, 1, __ATOMIC_SEQ_CST);
	TRY(suite_person(suite, 1, waiting_room_leave, slice_of(person)));
	CHECK(suite, suite->people[0].changed, "%s, who was admitted, cannot leave", person);
	return NULL;
}

static const char *admit_some(struct worker *worker)
{
	struct suite *suite = worker->suite;
	int64_t start_ms = suite_now_ms(suite);
	while (__atomic_load_n(&worker->seen->admitted_count, __ATOMIC_SEQ_CST) < PEOPLE) {
		TRY(suite_admit(suite, 0, (size_t)random_between(&suite->random, 1, ACTIVE_MAX)));
		for (size_t i = 0; i < suite->admission_count; i++)
			observe(worker->seen, &suite->admissions[i]);
		for (size_t i = 0; i < suite->admission_count; i++)
			TRY(leave_again(suite, worker->seen, suite->admissions[i].person));
		CHECK(suite, suite_now_ms(suite) - start_ms < SUITE_PATIENCE_MS,
			"not everybody is ever admitted");
	}
	return NULL;
}

static void *admit_thread(void *context)
{
	struct worker *worker = context;
	worker->violation = admit_some(worker);
	return NULL;
}

static const char *parallel_admissions(struct suite *suite, struct seen *seen)
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = ACTIVE_MAX;
	TRY(suite_configure(suite, &settings));
	TRY(suite_join_range(suite, 0, 1, PEOPLE / 2));
	TRY(suite_join_range(suite, 0, PEOPLE / 2 + 1, PEOPLE / 2));
	TRY(run_workers(suite, seen, admit_thread));
	for (int person = 1; person <= PEOPLE; person++)
		CHECK(suite, seen->admitted[person] == 1, "person %d was admitted %d times", person,
			seen->admitted[person]);
	CHECK(suite, seen->active_max <= ACTIVE_MAX, "%d were active at once, at most %d may be",
		seen->active_max, ACTIVE_MAX);
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view.active == 0 && suite->view.admitted == PEOPLE,
		"after all have left, %" PRId64 " are active", suite->view.active);
	return NULL;
}

const char *check_parallel_admissions(struct suite *suite)
{
	struct seen *seen = calloc(1, sizeof *seen);
	const char *violation = seen ? parallel_admissions(suite, seen) : "no memory";
	free(seen);
	return violation;
}
