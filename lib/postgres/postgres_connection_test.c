/* Connections that cannot be made, are lost, or keep silent; and the way back. */
#include "lib/postgres/postgres_test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/testkit/fault_proxy.h"

/* What must happen is waited for as long as PATIENCE_MS, since the machine may be busy; what ends
 * within HASTE_MS was not waited for. */
enum { URL_SIZE = 400, PATIENCE_MS = 20000, HASTE_MS = TEST_CALL_MS_MAX / 2 };

static struct postgres *other;

static int setup(void **state)
{
	(void)test_connect(state);
	other = test_open(0);
	assert_script("create table if not exists marks (mark text); delete from marks");
	return 0;
}

static int teardown(void **state)
{
	postgres_close(other);
	return test_disconnect(state);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static int64_t mark_count(struct postgres *from)
{
	return test_number(from, "marks", "select count(*) from marks");
}

static int64_t backend_of(struct postgres *from)
{
	return test_number(from, "backend", "select pg_backend_pid()::bigint");
}

/* End a server process as an operator would, and wait until it has gone. */
static void terminate(int64_t backend)
{
	static const struct postgres_statement end = {
		.name = "terminate", .sql = "select pg_terminate_backend($1::integer, 20000)"};
	assert_status(other, STATUS_OK,
		postgres_execute(other, &end,
			POSTGRES_PARAMETERS(postgres_integer((int32_t)backend)), NULL));
}

/* Wait until so many statements that contain "pg_sleep" are running. */
static void wait_sleeping(int64_t count)
{
	for (int64_t end_ms = now_ms() + PATIENCE_MS; now_ms() < end_ms; (void)poll(NULL, 0, 5))
		if (test_number(other, "sleeping",
			    "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") ==
			count)
			return;
	fail_msg("%lld sleepers never came or went", (long long)count);
}

/* --- Connecting --- */

/* Try a URL; the fault must not tell the password. */
static enum status try_url(const char *url, int64_t ms_max)
{
	struct fault fault = {.what = ""};
	struct postgres *tried = postgres_open(&(struct postgres_options){
		.url = url, .connect_ms_max = ms_max, .call_ms_max = ms_max});
	assert_non_null(tried);
	enum status status = postgres_connect(tried, &fault);
	assert_int_equal(status == STATUS_OK, fault.what[0] == '\0');
	assert_null(strstr(fault.what, "sesame"));
	struct postgres_statement one = {.name = "one", .sql = "select 1"};
	if (status != STATUS_OK) {
		assert_status(tried, STATUS_UNAVAILABLE,
			postgres_execute(tried, &one, POSTGRES_NO_PARAMETERS, NULL));
		assert_int_equal(POSTGRES_CONNECTION, postgres_error(tried)->class);
	}
	postgres_close(tried);
	return status;
}

static void what_cannot_work_is_refused_at_once(void **state)
{
	(void)state;
	char url[URL_SIZE];
	const char *address = strchr(fixture.url, '@');
	assert_non_null(address);
	(void)snprintf(url, sizeof url, "postgresql://onsale:sesame%s", address);
	int64_t start_ms = now_ms();
	assert_int_equal(STATUS_REFUSED, try_url(url, TEST_CALL_MS_MAX));
	(void)snprintf(url, sizeof url, "%s_not", fixture.url);
	assert_int_equal(STATUS_REFUSED, try_url(url, TEST_CALL_MS_MAX));
	assert_int_equal(STATUS_REFUSED, try_url("postgresql://a:sesame@[::1/x", TEST_CALL_MS_MAX));
	assert_int_equal(STATUS_REFUSED, try_url("sesame", TEST_CALL_MS_MAX));
	assert_true(now_ms() - start_ms < HASTE_MS);
}

/* A socket with a port of its own, and the URL of a database on it. */
static int bound_socket(char url[URL_SIZE])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0, bind(fd, (struct sockaddr *)&address, size));
	assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &size));
	(void)snprintf(url, URL_SIZE, "postgresql://onsale:sesame@127.0.0.1:%u/onsale",
		ntohs(address.sin_port));
	return fd;
}

static void nobody_there_ends_at_the_deadline(void **state)
{
	(void)state;
	char url[URL_SIZE];
	int nobody = bound_socket(url);
	int64_t start_ms = now_ms();
	assert_int_equal(STATUS_UNAVAILABLE, try_url(url, 300));
	assert_true(now_ms() - start_ms >= 600); /* Connecting, then the call. */
	assert_true(now_ms() - start_ms < HASTE_MS);
	(void)close(nobody);
}

static void silent_listener_ends_at_the_deadline(void **state)
{
	(void)state;
	char url[URL_SIZE];
	int listener = bound_socket(url);
	assert_int_equal(0, listen(listener, 8));
	int64_t start_ms = now_ms();
	assert_int_equal(STATUS_UNAVAILABLE, try_url(url, 300));
	assert_true(now_ms() - start_ms < HASTE_MS);
	(void)close(listener);
}

static void settings_of_the_url_win(void **state)
{
	(void)state;
	char url[URL_SIZE];
	(void)snprintf(url, sizeof url, "%s?options=-c%%20statement_timeout%%3D7777", fixture.url);
	struct postgres *opened = postgres_open(&(struct postgres_options){.url = url});
	assert_int_equal(7777,
		test_number(opened, "timeout",
			"select setting::bigint from pg_settings where name = "
			"'statement_timeout'"));
	assert_int_equal(5000,
		test_number(opened, "lock",
			"select setting::bigint from pg_settings where name = 'lock_timeout'"));
	postgres_close(opened);
}

/* --- Silence --- */

/* Run a harmless script until it succeeds: on a busy machine a hasty call may be late by itself,
 * and the next one comes only after a pause of ten times as long. */
static void run_soon(struct postgres *hasty, const char *sql)
{
	enum status status;
	int64_t end_ms = now_ms() + 6 * PATIENCE_MS;
	do
		status = postgres_run_script(hasty, sql);
	while (status != STATUS_OK && now_ms() < end_ms);
	assert_status(hasty, STATUS_OK, status);
}

/* The server's own time-out would be sooner than ours, so it is turned off. */
static struct postgres *open_patient_server(int64_t call_ms_max)
{
	char url[URL_SIZE];
	(void)snprintf(url, sizeof url, "%s?options=-c%%20statement_timeout%%3D0", fixture.url);
	struct postgres *opened = postgres_open(&(struct postgres_options){
		.url = url, .connect_ms_max = TEST_CALL_MS_MAX, .call_ms_max = call_ms_max});
	assert_non_null(opened);
	run_soon(opened, "select 1");
	return opened;
}

static void begin_soon(struct postgres *hasty)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (postgres_begin(hasty, POSTGRES_READ_COMMITTED) != STATUS_OK)
		assert_true(now_ms() < end_ms);
}

static const struct postgres_statement sleep_and_mark = {
	.name = "sleep_and_mark", .sql = "insert into marks select 'slept' from pg_sleep(60)"};
static const struct postgres_statement sleep_and_read = {
	.name = "sleep_and_read", .sql = "select pg_sleep(60)", .effect = POSTGRES_READS};

static void deadline_ends_a_call(void **state)
{
	(void)state;
	const struct {
		const struct postgres_statement *statement;
		enum status status;
	} cases[] = {
		{&sleep_and_mark, STATUS_UNKNOWN},
		{&sleep_and_read, STATUS_UNAVAILABLE},
	};
	for (size_t i = 0; i < 2; i++) {
		struct postgres *hasty = open_patient_server(300);
		int64_t start_ms = now_ms();
		assert_status(hasty, cases[i].status,
			postgres_execute(hasty, cases[i].statement, POSTGRES_NO_PARAMETERS, NULL));
		assert_int_equal(POSTGRES_CONNECTION, postgres_error(hasty)->class);
		assert_true(now_ms() - start_ms >= 300);
		assert_true(now_ms() - start_ms < HASTE_MS);
		/* The next call has a connection again, and the server lets go of the old one. */
		run_soon(hasty, "select 1");
		wait_sleeping(0);
		assert_int_equal(0, mark_count(pg));
		postgres_close(hasty);
	}
}

static void deadline_within_a_transaction_applies_nothing(void **state)
{
	(void)state;
	struct postgres *hasty = open_patient_server(300);
	begin_soon(hasty);
	assert_status(hasty, STATUS_UNAVAILABLE,
		postgres_execute(hasty, &sleep_and_mark, POSTGRES_NO_PARAMETERS, NULL));
	assert_status(hasty, STATUS_UNAVAILABLE, postgres_commit(hasty));
	wait_sleeping(0);
	assert_int_equal(0, mark_count(pg));
	postgres_close(hasty);
}

/* --- Haste --- */

/* A server that takes connections and says nothing. Each call could wait for it for an hour, so
 * that this ends at all is because no attempt takes longer than it may. */
static void server_that_hangs_takes_a_tenth_of_the_time(void **state)
{
	enum { ATTEMPT_MS = 300, ATTEMPTS = 3, SHARE = 10, ROUNDING_MS = 2 };
	(void)state;
	struct fault_proxy *proxy = fault_proxy_open(fixture.url);
	assert_non_null(proxy);
	struct postgres *hasty =
		postgres_open(&(struct postgres_options){.url = fault_proxy_url(proxy),
			.connect_ms_max = POSTGRES_MS_MAX,
			.call_ms_max = POSTGRES_MS_MAX,
			.fail_fast = true,
			.attempt_ms_max = ATTEMPT_MS});
	assert_non_null(hasty);
	run_soon(hasty, "select 1");
	fault_proxy_stall(proxy);
	fault_proxy_cut(proxy);
	int64_t before = fault_proxy_connection_count(proxy), start_ms = now_ms();
	for (int64_t attempts = 1; attempts <= ATTEMPTS;) {
		assert_status(hasty, STATUS_UNAVAILABLE,
			postgres_run_script(hasty, "insert into marks values ('never')"));
		assert_true(now_ms() - start_ms < attempts * PATIENCE_MS);
		if (fault_proxy_connection_count(proxy) - before < attempts) {
			(void)poll(NULL, 0, 1);
			continue;
		}
		/* On a slow machine they are only further apart. */
		assert_true(
			now_ms() - start_ms >= (attempts - 1) * (SHARE * ATTEMPT_MS - ROUNDING_MS));
		attempts++;
	}
	fault_proxy_pass(proxy);
	run_soon(hasty, "insert into marks values ('at last')");
	assert_int_equal(1, mark_count(pg));
	postgres_close(hasty);
	fault_proxy_close(proxy);
}

/* --- Loss --- */

static void idle_loss_is_not_noticed_by_callers(void **state)
{
	(void)state;
	int64_t backend = backend_of(pg);
	terminate(backend);
	assert_script("insert into marks values ('again')");
	assert_true(backend != backend_of(pg));
	assert_int_equal(1, mark_count(pg));
}

static void loss_within_a_transaction_holds_until_its_end(void **state)
{
	(void)state;
	int64_t backend = backend_of(pg);
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_script("insert into marks values ('lost')");
	terminate(backend);
	for (int i = 0; i < 3; i++) {
		assert_status(pg, STATUS_UNAVAILABLE,
			postgres_run_script(pg, "insert into marks values ('silently')"));
		assert_int_equal(POSTGRES_CONNECTION, postgres_error(pg)->class);
	}
	postgres_rollback(pg);
	assert_int_equal(0, mark_count(pg));
}

static void loss_before_commit_applies_nothing(void **state)
{
	(void)state;
	int64_t backend = backend_of(pg);
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_script("insert into marks values ('lost')");
	terminate(backend);
	assert_status(pg, STATUS_UNAVAILABLE, postgres_commit(pg));
	assert_int_equal(0, mark_count(pg));
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_ok(postgres_commit(pg));
}

/* A call made by another thread while this one ends what it talks to. */
struct worker {
	pthread_t thread;
	enum status (*call)(struct postgres *pg);
	enum status status;
};

static void *work(void *context)
{
	struct worker *worker = context;
	worker->status = worker->call(pg);
	return NULL;
}

static void begin_work(struct worker *worker, enum status (*call)(struct postgres *pg))
{
	worker->call = call;
	assert_int_equal(0, pthread_create(&worker->thread, NULL, work, worker));
	wait_sleeping(1);
}

static enum status end_work(struct worker *worker)
{
	assert_int_equal(0, pthread_join(worker->thread, NULL));
	return worker->status;
}

static enum status mark_slowly(struct postgres *to)
{
	return postgres_execute(to, &sleep_and_mark, POSTGRES_NO_PARAMETERS, NULL);
}

static void loss_during_commit_is_unknown(void **state)
{
	(void)state;
	struct worker worker;
	assert_script("create or replace function doze() returns trigger language plpgsql as "
		      "$$ begin perform pg_sleep(60); return null; end $$;"
		      "create constraint trigger dozes after insert on marks deferrable initially "
		      "deferred for each row execute function doze()");
	int64_t backend = backend_of(pg);
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_script("insert into marks values ('perhaps')");
	begin_work(&worker, postgres_commit);
	terminate(backend);
	assert_status(pg, STATUS_UNKNOWN, end_work(&worker));
	assert_int_equal(POSTGRES_CONNECTION, postgres_error(pg)->class);
	assert_string_equal("57P01", postgres_error(pg)->sqlstate);
	assert_int_equal(0, mark_count(pg));
	assert_script("drop trigger dozes on marks");
}

static void loss_during_a_statement_is_unknown(void **state)
{
	(void)state;
	struct worker worker;
	int64_t backend = backend_of(pg);
	begin_work(&worker, mark_slowly);
	terminate(backend);
	assert_status(pg, STATUS_UNKNOWN, end_work(&worker));
	assert_int_equal(0, mark_count(pg));
}

struct only {
	int attempts;
	enum status status; /* Of the last attempt's work, before its commit. */
};

static enum status never_again(struct postgres *to, void *context)
{
	struct only *only = context;
	only->attempts++;
	only->status = postgres_run_script(to, "insert into marks values ('once')");
	return only->status;
}

/* The commit takes a minute and the call less. On a busy machine it may be over before it has come
 * as far as the commit; then it gets more time. */
static void unknown_is_never_tried_again(void **state)
{
	(void)state;
	struct only only = {.status = STATUS_UNAVAILABLE};
	struct postgres_transaction transaction = {.work = never_again, .context = &only};
	assert_script("create constraint trigger dozes after insert on marks deferrable initially "
		      "deferred for each row execute function doze()");
	for (int64_t ms = 400; only.status != STATUS_OK && ms < PATIENCE_MS; ms *= 2) {
		struct postgres *hasty = open_patient_server(ms);
		only.attempts = 0;
		enum status status = postgres_transact(hasty, &transaction);
		if (only.status == STATUS_OK)
			assert_status(hasty, STATUS_UNKNOWN, status);
		postgres_close(hasty);
	}
	assert_int_equal(STATUS_OK, only.status);
	assert_int_equal(1, only.attempts);
	wait_sleeping(0);
	assert_script("drop trigger dozes on marks");
}

static void server_stops_and_starts_between_calls(void **state)
{
	(void)state;
	assert_script("insert into marks values ('kept')");
	assert_int_equal(STATUS_OK, postgres_fixture_restart(&fixture));
	assert_int_equal(1, mark_count(pg));
}

/* It does not wait for a server that has gone as long as the others here. */
static struct postgres *open_hasty(int64_t ms_max)
{
	struct postgres *opened = postgres_open(&(struct postgres_options){
		.url = fixture.url, .connect_ms_max = ms_max, .call_ms_max = ms_max});
	assert_non_null(opened);
	run_soon(opened, "select 1");
	return opened;
}

static void server_that_is_down_comes_back(void **state)
{
	(void)state;
	struct postgres *hasty = open_hasty(400);
	begin_soon(hasty);
	assert_int_equal(STATUS_OK, postgres_fixture_halt(&fixture));
	assert_status(hasty, STATUS_UNAVAILABLE, postgres_commit(hasty));
	for (int i = 0; i < 2; i++)
		assert_status(hasty, STATUS_UNAVAILABLE,
			postgres_run_script(hasty, "insert into marks values ('never')"));
	assert_status(hasty, STATUS_UNAVAILABLE, postgres_begin(hasty, POSTGRES_READ_COMMITTED));
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture));
	run_soon(hasty, "select 1");
	assert_int_equal(0, mark_count(pg));
	postgres_close(hasty);
}

static void server_is_killed_during_a_statement(void **state)
{
	(void)state;
	struct worker worker;
	assert_script("insert into marks values ('kept')");
	begin_work(&worker, mark_slowly);
	assert_int_equal(STATUS_OK, postgres_fixture_kill(&fixture));
	assert_status(pg, STATUS_UNKNOWN, end_work(&worker));
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture));
	assert_int_equal(1, mark_count(pg));
}

static int start_cluster(void **state)
{
	(void)state;
	return postgres_fixture_start(&fixture, "connection") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_cannot_work_is_refused_at_once),
		test(nobody_there_ends_at_the_deadline),
		test(silent_listener_ends_at_the_deadline),
		test(settings_of_the_url_win),
		test(deadline_ends_a_call),
		test(deadline_within_a_transaction_applies_nothing),
		test(server_that_hangs_takes_a_tenth_of_the_time),
		test(idle_loss_is_not_noticed_by_callers),
		test(loss_within_a_transaction_holds_until_its_end),
		test(loss_before_commit_applies_nothing),
		test(loss_during_a_statement_is_unknown),
		test(loss_during_commit_is_unknown),
		test(unknown_is_never_tried_again),
		test(server_stops_and_starts_between_calls),
		test(server_that_is_down_comes_back),
		test(server_is_killed_during_a_statement),
	};
	return cmocka_run_group_tests(tests, start_cluster, test_stop_cluster);
}
