/* Transactions by themselves and against each other: real deadlocks, real serialization failures.
 */
#include "lib/postgres/postgres_test.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

enum { CONTENDERS = 2 };

static struct postgres *other;

static int setup(void **state)
{
	(void)test_connect(state);
	other = test_open(0);
	assert_script("drop table if exists accounts cascade; create table accounts "
		      "(id bigint primary key, balance bigint not null); "
		      "insert into accounts values (1, 100), (2, 100)");
	return 0;
}

static int teardown(void **state)
{
	postgres_close(other);
	return test_disconnect(state);
}

static const struct postgres_statement add = {
	.name = "add", .sql = "update accounts set balance = balance + $2 where id = $1"};

static enum status add_to(struct postgres *to, int64_t id, int64_t amount)
{
	return postgres_execute(
		to, &add, POSTGRES_PARAMETERS(postgres_bigint(id), postgres_bigint(amount)), NULL);
}

static int64_t total(void)
{
	return test_number(pg, "total", "select sum(balance)::bigint from accounts");
}

static void commit_keeps_and_rollback_undoes(void **state)
{
	(void)state;
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_ok(add_to(pg, 1, 5));
	postgres_rollback(pg);
	assert_int_equal(200, total());
	assert_ok(postgres_begin(pg, POSTGRES_REPEATABLE_READ));
	assert_ok(add_to(pg, 1, 5));
	assert_ok(postgres_commit(pg));
	assert_int_equal(205, total());
	postgres_rollback(pg); /* Nothing to undo. */
	assert_int_equal(205, total());
}

static void failed_transaction_says_so_until_its_end(void **state)
{
	(void)state;
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_ok(add_to(pg, 1, 5));
	assert_status(pg, STATUS_REFUSED, postgres_run_script(pg, "select 1/0"));
	assert_status(pg, STATUS_REFUSED, add_to(pg, 1, 5));
	assert_string_equal("22012", postgres_error(pg)->sqlstate);
	assert_status(pg, STATUS_REFUSED, postgres_commit(pg));
	assert_string_equal("22012", postgres_error(pg)->sqlstate);
	assert_int_equal(200, total());
}

static void refusal_before_sending_fails_the_transaction_too(void **state)
{
	(void)state;
	static const struct postgres_statement text = {.name = "text", .sql = "select $1::text"};
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_ok(add_to(pg, 1, 5));
	assert_status(pg, STATUS_REFUSED,
		postgres_execute(
			pg, &text, POSTGRES_PARAMETERS(postgres_text(slice_of("\xff"))), NULL));
	assert_status(pg, STATUS_REFUSED, postgres_commit(pg));
	assert_int_equal(200, total());
}

static void deferred_constraint_speaks_at_commit(void **state)
{
	(void)state;
	assert_script("create table children (parent bigint constraint has_parent references "
		      "accounts deferrable initially deferred)");
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_script("insert into children values (77)");
	assert_status(pg, STATUS_REFUSED, postgres_commit(pg));
	assert_true(postgres_violated(pg, "has_parent"));
	assert_int_equal(0, test_number(pg, "children", "select count(*) from children"));
	assert_script("drop table children");
}

static void lock_is_waited_for_only_so_long(void **state)
{
	(void)state;
	struct postgres *hasty = postgres_open(&(struct postgres_options){
		.url = fixture.url, .call_ms_max = TEST_CALL_MS_MAX, .lock_ms_max = 50});
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_ok(add_to(pg, 1, 5));
	assert_status(hasty, STATUS_UNAVAILABLE, add_to(hasty, 1, 5));
	assert_int_equal(POSTGRES_RETRY, postgres_error(hasty)->class);
	assert_string_equal("55P03", postgres_error(hasty)->sqlstate);
	postgres_rollback(pg);
	assert_status(hasty, STATUS_OK, add_to(hasty, 1, 5));
	postgres_close(hasty);
}

static void serialization_failure_is_a_retry(void **state)
{
	(void)state;
	assert_ok(postgres_begin(pg, POSTGRES_SERIALIZABLE));
	assert_int_equal(200, total());
	assert_status(other, STATUS_OK, add_to(other, 1, 5));
	assert_status(pg, STATUS_UNAVAILABLE, add_to(pg, 1, 7));
	assert_int_equal(POSTGRES_RETRY, postgres_error(pg)->class);
	assert_string_equal("40001", postgres_error(pg)->sqlstate);
	assert_status(pg, STATUS_UNAVAILABLE, postgres_commit(pg));
	assert_int_equal(205, total());
}

/* Two threads lock the same two rows in opposite order. */
struct contender {
	pthread_barrier_t *barrier;
	struct postgres *pg;
	struct contender *rival;
	int64_t first;
	int attempts;
	int deadlocks;
	enum status status;
	atomic_bool ended;
};

static enum status move(struct postgres *to, void *context)
{
	struct contender *contender = context;
	/* Whoever was the victim leaves the other in peace. PostgreSQL gives a row to who asks
	 * first: before the other, who has waited for it, has woken up, the victim could take it
	 * again, and they would lock each other out once more. */
	while (contender->attempts > 0 && !atomic_load(&contender->rival->ended))
		(void)poll(NULL, 0, 1);
	enum status status = add_to(to, contender->first, 1);
	/* Only in the first attempt do both wait until each holds a row. */
	if (contender->attempts++ == 0)
		(void)pthread_barrier_wait(contender->barrier);
	if (status == STATUS_OK)
		status = add_to(to, 3 - contender->first, -1);
	if (strcmp(postgres_error(to)->sqlstate, "40P01") == 0)
		contender->deadlocks++;
	return status;
}

static void *contend(void *context)
{
	struct contender *contender = context;
	struct postgres_transaction transaction = {.work = move, .context = contender};
	contender->status = postgres_transact(contender->pg, &transaction);
	atomic_store(&contender->ended, true);
	return NULL;
}

static void deadlock_is_retried(void **state)
{
	(void)state;
	pthread_barrier_t barrier;
	pthread_t threads[CONTENDERS];
	struct contender contenders[CONTENDERS] = {
		{.barrier = &barrier, .pg = pg, .rival = &contenders[1], .first = 1},
		{.barrier = &barrier, .pg = other, .rival = &contenders[0], .first = 2},
	};
	assert_int_equal(0, pthread_barrier_init(&barrier, NULL, CONTENDERS));
	for (int i = 0; i < CONTENDERS; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, contend, &contenders[i]));
	for (int i = 0; i < CONTENDERS; i++)
		assert_int_equal(0, pthread_join(threads[i], NULL));
	(void)pthread_barrier_destroy(&barrier);
	assert_ok(contenders[0].status);
	assert_status(other, STATUS_OK, contenders[1].status);
	assert_int_equal(1, contenders[0].deadlocks + contenders[1].deadlocks);
	assert_int_equal(3, contenders[0].attempts + contenders[1].attempts);
	assert_int_equal(200, total());
}

/* Always meets another's change, so that the attempts run out. */
static enum status lose(struct postgres *to, void *context)
{
	int *attempts = context;
	++*attempts;
	(void)test_number(to, "total", "select sum(balance)::bigint from accounts");
	assert_status(other, STATUS_OK, add_to(other, 1, 5));
	return add_to(to, 1, 7);
}

static void attempts_are_bounded(void **state)
{
	(void)state;
	int attempts = 0;
	struct postgres_transaction transaction = {.isolation = POSTGRES_SERIALIZABLE,
		.attempts_max = 3,
		.work = lose,
		.context = &attempts};
	assert_status(pg, STATUS_UNAVAILABLE, postgres_transact(pg, &transaction));
	assert_int_equal(3, attempts);
	assert_int_equal(POSTGRES_RETRY, postgres_error(pg)->class);
	assert_int_equal(215, total());
}

static enum status refuse(struct postgres *to, void *context)
{
	int *attempts = context;
	++*attempts;
	assert_status(to, STATUS_OK, add_to(to, 1, 5));
	return STATUS_REFUSED;
}

static enum status give_back(struct postgres *to, void *context)
{
	(void)context;
	assert_status(to, STATUS_OK, add_to(to, 1, 5));
	postgres_rollback(to);
	return STATUS_OK;
}

/* The failure is swallowed, but must not be committed over. */
static enum status swallow(struct postgres *to, void *context)
{
	(void)context;
	assert_status(to, STATUS_OK, add_to(to, 1, 5));
	assert_status(to, STATUS_REFUSED, postgres_run_script(to, "select 1/0"));
	return STATUS_OK;
}

static void work_may_refuse_or_give_back(void **state)
{
	(void)state;
	int attempts = 0;
	struct postgres_transaction refused = {.work = refuse, .context = &attempts};
	assert_status(pg, STATUS_REFUSED, postgres_transact(pg, &refused));
	assert_int_equal(1, attempts);
	assert_int_equal(200, total());
	struct postgres_transaction given_back = {.work = give_back};
	assert_ok(postgres_transact(pg, &given_back));
	assert_int_equal(200, total());
	struct postgres_transaction swallowed = {.work = swallow};
	assert_status(pg, STATUS_REFUSED, postgres_transact(pg, &swallowed));
	assert_int_equal(200, total());
}

static int start_cluster(void **state)
{
	(void)state;
	return postgres_fixture_start(&fixture, "transaction") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(commit_keeps_and_rollback_undoes),
		test(failed_transaction_says_so_until_its_end),
		test(refusal_before_sending_fails_the_transaction_too),
		test(deferred_constraint_speaks_at_commit),
		test(lock_is_waited_for_only_so_long),
		test(serialization_failure_is_a_retry),
		test(deadlock_is_retried),
		test(attempts_are_bounded),
		test(work_may_refuse_or_give_back),
	};
	return cmocka_run_group_tests(tests, start_cluster, test_stop_cluster);
}
