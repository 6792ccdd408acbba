/* What /healthz and /readyz answer while a dependency is there, has gone, or hangs. */
#include "lib/http/health.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/http/server_fixture.h"

/* A dependency that does as it is told. */
struct dependency {
	atomic_bool gone, hangs;
	atomic_size_t checks;
};

static struct dependency first, second;
static struct http_health *health;
static struct http_server *server;
static struct http_client client;
static struct http_client_reply reply;

static bool is_there(void *context)
{
	struct dependency *dependency = context;
	while (atomic_load(&dependency->hangs))
		pause_ms(1);
	atomic_fetch_add(&dependency->checks, 1);
	return !atomic_load(&dependency->gone);
}

static const struct http_route routes[] = {
	{HTTP_GET, "/healthz", HTTP_ON_LOOP, http_reply_healthz, 0},
	{HTTP_GET, "/readyz", HTTP_ON_LOOP, http_reply_readyz, 0},
};

static void open_server(struct http_health *of)
{
	struct fault fault;
	assert_int_equal(STATUS_OK,
		http_server_open(
			&(struct http_server_options){
				.routes = routes, .route_count = 2, .loop_count = 1, .health = of},
			&server, &fault));
	http_client_init(&client, http_server_port(server));
}

static void open_all(int64_t stale_ms_max)
{
	const struct http_health_check checks[] = {
		{"first", is_there, &first}, {"second", is_there, &second}};
	assert_int_equal(STATUS_OK,
		http_health_open(&(struct http_health_options){.checks = checks,
					 .check_count = 2,
					 .interval_ms = 5,
					 .stale_ms_max = stale_ms_max},
			&health));
	open_server(health);
}

static int set_up(void **state)
{
	(void)state;
	log_redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
	first = second = (struct dependency){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	atomic_store(&second.hangs, false);
	http_client_reply_release(&reply);
	http_client_release(&client);
	http_server_close(server);
	http_health_close(health);
	server = NULL;
	health = NULL;
	return 0;
}

static void call(const char *path)
{
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, "GET", path, NULL, NULL, &reply));
}

/* Whether /readyz names these as missing, and nothing else; NULL ends them. */
static bool misses(const char *const names[])
{
	size_t count = 0;
	call("/readyz");
	json_t *json = http_client_reply_json(&reply);
	const json_t *missing = json_object_get(json, "missing");
	bool same = true;
	for (; same && names[count]; count++) {
		const char *name = json_string_value(json_array_get(missing, count));
		same = name && strcmp(name, names[count]) == 0;
	}
	same = same && json_array_size(missing) == count;
	if (same && count > 0) {
		assert_int_equal(503, reply.status);
		assert_string_equal("1", http_client_reply_header(&reply, "Retry-After"));
		assert_string_equal("urn:onsale:problem:unavailable",
			json_string_value(json_object_get(json, "type")));
	} else if (same) {
		assert_int_equal(200, reply.status);
		assert_string_equal("ready", json_string_value(json_object_get(json, "status")));
	}
	json_decref(json);
	return same;
}

static void want_missing(const char *const names[])
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	bool same;
	while (!(same = misses(names)) && now_ms() < end_ms)
		pause_ms(1);
	assert_true(same);
}

#define WANT_MISSING(...) want_missing((const char *const[]){__VA_ARGS__})

static void want_healthy(void)
{
	call("/healthz");
	assert_int_equal(200, reply.status);
	assert_string_equal("{\"status\":\"ok\"}", reply.body);
}

static void test_what_has_gone_is_named(void **state)
{
	(void)state;
	open_all(NEVER_MS);
	/* From the first answer on. */
	assert_true(misses((const char *const[]){NULL}));
	atomic_store(&second.gone, true);
	WANT_MISSING("second", NULL);
	atomic_store(&first.gone, true);
	WANT_MISSING("first", "second", NULL);
	want_healthy();
	atomic_store(&second.gone, false);
	WANT_MISSING("first", NULL);
	atomic_store(&first.gone, false);
	WANT_MISSING(NULL);
}

static void test_what_was_never_there_is_named_at_once(void **state)
{
	(void)state;
	atomic_store(&first.gone, true);
	open_all(NEVER_MS);
	assert_true(misses((const char *const[]){"first", NULL}));
}

/* One that hangs does not delay the answer, nor the other checks. */
static void test_what_hangs_is_named(void **state)
{
	(void)state;
	open_all(500);
	atomic_store(&second.hangs, true);
	WANT_MISSING("second", NULL);
	size_t checks = atomic_load(&first.checks);
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (atomic_load(&first.checks) < checks + 3 && now_ms() < end_ms)
		pause_ms(1);
	assert_true(atomic_load(&first.checks) >= checks + 3);
	want_healthy();
	atomic_store(&first.gone, true);
	WANT_MISSING("first", "second", NULL);
	atomic_store(&first.gone, false);
	atomic_store(&second.hangs, false);
	WANT_MISSING(NULL);
}

/* However often it is asked, the dependency is not. */
static void test_probes_are_no_load(void **state)
{
	(void)state;
	const struct http_health_check check = {"first", is_there, &first};
	assert_int_equal(STATUS_OK,
		http_health_open(&(struct http_health_options){.checks = &check,
					 .check_count = 1,
					 .interval_ms = NEVER_MS,
					 .stale_ms_max = NEVER_MS},
			&health));
	open_server(health);
	for (size_t i = 0; i < 100; i++)
		assert_true(misses((const char *const[]){NULL}));
	assert_in_range(atomic_load(&first.checks), 1, 2);
}

static void test_who_needs_nothing_is_ready(void **state)
{
	(void)state;
	open_server(NULL);
	assert_true(misses((const char *const[]){NULL}));
	want_healthy();
}

int main(void)
{
#define HEALTH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		HEALTH_TEST(test_what_has_gone_is_named),
		HEALTH_TEST(test_what_was_never_there_is_named_at_once),
		HEALTH_TEST(test_what_hangs_is_named),
		HEALTH_TEST(test_probes_are_no_load),
		HEALTH_TEST(test_who_needs_nothing_is_ready),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
