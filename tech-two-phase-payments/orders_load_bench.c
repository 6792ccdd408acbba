/* Some threads make and confirm new orders as long as fewer than wanted are under way, and finalize
 * those that are authorized; one looks into the database for both numbers, as the part of a system
 * that sells the seats would hear of them. */
#include "tech-two-phase-payments/orders_load_bench.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/database.h"
#include "bench/measure.h"
#include "lib/base/clock.h"
#include "lib/testkit/http_client.h"
#include "tech-two-phase-payments/bench/bench.sql.h"

enum {
	THREADS = 192,
	QUEUE_MAX = 8192,
	ID_SIZE = 40,
	LOOK_PAUSE_MS = 10,
	END_MS_MAX = 120000,
	MEANWHILE_MS = 200,
	WARM_UP_PARTS = 4,
};

/* Orders that wait to be finalized, and how many are under way. */
struct crowd {
	const struct orders_load *load;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	char queue[QUEUE_MAX][ID_SIZE];
	size_t head, count;
	int64_t under_way;
	bool makes, ends;
	atomic_llong failures;
	_Atomic uint64_t number; /* So that no key is used twice. */
};

static struct crowd crowd = {
	.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *buy(void *context);
static void look(PGconn *database);

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* ---- Looking ---- */

static void pause_ms(int64_t ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

/* Wait until all that was made is paid. */
static void drain(PGconn *database)
{
	int64_t end_ms = now_ms() + END_MS_MAX;
	do {
		look(database);
		pause_ms(LOOK_PAUSE_MS);
		if (now_ms() > end_ms)
			bench_fail("some orders are not paid after %d s", END_MS_MAX / 1000);
	} while (bench_query(database, bench_judge, NULL, 0) > 0);
}

static void read_figures(const struct orders_load *load, PGconn *database, const double span[2],
	struct orders_outcome *outcome)
{
	char from[32], to[32], slow[32];
	const char *parameters[] = {from, to, slow};
	(void)snprintf(from, sizeof from, "%.6f", span[0]);
	(void)snprintf(to, sizeof to, "%.6f", span[1]);
	(void)snprintf(slow, sizeof slow, "%lld", (long long)load->slow_ms);
	outcome->rate = bench_query(database, bench_paid, parameters, 2) / (span[1] - span[0]);
	PGresult *result =
		PQexecParams(database, bench_latencies, 3, NULL, parameters, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		bench_fail("PostgreSQL: %s", PQerrorMessage(database));
	outcome->p50_ms = strtod(PQgetvalue(result, 0, 0), NULL);
	outcome->p99_ms = strtod(PQgetvalue(result, 0, 1), NULL);
	outcome->slow_percent = strtod(PQgetvalue(result, 0, 2), NULL);
	PQclear(result);
	outcome->paid =
		(int64_t)bench_query(database, "SELECT count(*) FROM payments.orders", NULL, 0);
}

/* Keep an eye on it for as long as new orders are made. */
static void observe(const struct orders_load *load, PGconn *database, double span[2],
	struct orders_outcome *outcome)
{
	int64_t begin_ms = now_ms(), end_ms = begin_ms + load->seconds * 1000;
	int64_t warm_ms = begin_ms + load->seconds * 1000 / WARM_UP_PARTS, next_ms = begin_ms;
	double sum = 0, looks = 0;
	for (int64_t at_ms; (at_ms = now_ms()) < end_ms;) {
		look(database);
		if (at_ms >= warm_ms) {
			sum += (double)crowd.under_way;
			looks++;
			if (span[0] == 0)
				span[0] = bench_query(database, bench_clock, NULL, 0);
		}
		if (load->meanwhile && at_ms >= next_ms) {
			load->meanwhile(load->context);
			next_ms = at_ms + MEANWHILE_MS;
		}
		pause_ms(LOOK_PAUSE_MS);
	}
	span[1] = bench_query(database, bench_clock, NULL, 0);
	outcome->under_way = looks > 0 ? sum / looks : 0;
}

void orders_load_run(
	const struct orders_load *load, PGconn *database, struct orders_outcome *outcome)
{
	pthread_t threads[THREADS];
	double span[2] = {0, 0};
	*outcome = (struct orders_outcome){0};
	crowd.load = load;
	crowd.makes = true;
	crowd.ends = false;
	crowd.head = crowd.count = 0;
	crowd.under_way = 0;
	atomic_store(&crowd.failures, 0);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, buy, NULL) != 0)
			bench_fail("there is no thread for a buyer");
	observe(load, database, span, outcome);
	(void)pthread_mutex_lock(&crowd.mutex);
	crowd.makes = false;
	(void)pthread_mutex_unlock(&crowd.mutex);
	drain(database);
	(void)pthread_mutex_lock(&crowd.mutex);
	crowd.ends = true;
	(void)pthread_cond_broadcast(&crowd.changed);
	(void)pthread_mutex_unlock(&crowd.mutex);
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	read_figures(load, database, span, outcome);
	outcome->failures = atomic_load(&crowd.failures);
}

static bool is_queued(const char *order)
{
	for (size_t i = 0; i < crowd.count; i++)
		if (strcmp(crowd.queue[(crowd.head + i) % QUEUE_MAX], order) == 0)
			return true;
	return false;
}

/* See which orders wait and how many are under way. One that was taken and is not yet finalized is
 * seen again; finalizing it once more under the same key does no harm. */
static void look(PGconn *database)
{
	int64_t under_way = (int64_t)bench_query(database, bench_under_way, NULL, 0);
	PGresult *result = PQexec(database, bench_authorized);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		bench_fail("PostgreSQL: %s", PQerrorMessage(database));
	(void)pthread_mutex_lock(&crowd.mutex);
	for (int i = 0; i < PQntuples(result) && crowd.count < QUEUE_MAX; i++) {
		const char *order = PQgetvalue(result, i, 0);
		if (is_queued(order))
			continue;
		size_t at = (crowd.head + crowd.count++) % QUEUE_MAX;
		(void)snprintf(crowd.queue[at], ID_SIZE, "%s", order);
	}
	crowd.under_way = under_way + (int64_t)PQntuples(result);
	(void)pthread_cond_broadcast(&crowd.changed);
	(void)pthread_mutex_unlock(&crowd.mutex);
	PQclear(result);
}

/* ---- Buying ---- */

enum work { WORK_MAKE, WORK_FINALIZE, WORK_NONE };

/* What to do next; waits while there is nothing. */
static enum work next_work(char order[ID_SIZE])
{
	enum work work = WORK_NONE;
	(void)pthread_mutex_lock(&crowd.mutex);
	while (!crowd.ends && work == WORK_NONE) {
		if (crowd.count > 0) {
			memcpy(order, crowd.queue[crowd.head], ID_SIZE);
			crowd.head = (crowd.head + 1) % QUEUE_MAX;
			crowd.count--;
			work = WORK_FINALIZE;
		} else if (crowd.makes && crowd.under_way < crowd.load->under_way) {
			crowd.under_way++; /* Until the next look knows it. */
			work = WORK_MAKE;
		} else {
			(void)pthread_cond_wait(&crowd.changed, &crowd.mutex);
		}
	}
	(void)pthread_mutex_unlock(&crowd.mutex);
	return work;
}

static bool ask(struct http_client *client, const char *path, const char *key, const char *body,
	struct http_client_reply *reply)
{
	char headers[128];
	(void)snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", key);
	if (http_client_call(client, "POST", path, headers, body, reply) == HTTP_CLIENT_OK &&
		(reply->status == 201 || reply->status == 202))
		return true;
	atomic_fetch_add(&crowd.failures, 1);
	return false;
}

static void make_one(struct http_client *client, struct http_client_reply *reply)
{
	char key[64], path[128], order[ID_SIZE] = "";
	(void)snprintf(key, sizeof key, "bench-%llu",
		(unsigned long long)atomic_fetch_add(&crowd.number, 1));
	if (!ask(client, "/orders", key,
		    "{\"userId\":\"buyer\",\"currency\":\"EUR\",\"items\":[{\"description\":"
		    "\"Seat A-1\",\"amount\":4500}]}",
		    reply))
		return;
	json_t *json = http_client_reply_json(reply);
	const char *id = json_string_value(json_object_get(json, "orderId"));
	(void)snprintf(order, sizeof order, "%s", id ? id : "");
	json_decref(json);
	(void)snprintf(path, sizeof path, "/orders/%s/confirm", order);
	(void)ask(client, path, "confirm", "{\"paymentMethod\":\"pm_card_visa\"}", reply);
}

static void *buy(void *context)
{
	struct http_client client;
	struct http_client_reply reply = {0};
	char order[ID_SIZE], path[128];
	(void)context;
	http_client_init(&client, crowd.load->port);
	for (enum work work; (work = next_work(order)) != WORK_NONE;) {
		if (work == WORK_MAKE) {
			make_one(&client, &reply);
			continue;
		}
		(void)snprintf(path, sizeof path, "/orders/%s/finalize", order);
		(void)ask(&client, path, "finalize", NULL, &reply);
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}
