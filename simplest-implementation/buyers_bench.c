/* A thread per buyer: at some thousand requests per second their switches cost little beside what
 * the server and the database do, and the code stays plain. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure.h"
#include "lib/base/clock.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/random.h"
#include "simplest-implementation/load_bench.h"

struct crowd {
	const struct load *load;
	uint16_t port;
	int64_t number; /* Of this load, so that no key is used twice. */
	uint64_t seed;
	pthread_barrier_t connected;
	_Atomic int64_t end_ns;
};

struct buyer {
	pthread_t thread;
	struct crowd *crowd;
	int64_t index;
	struct load_outcome outcome;
};

static int64_t now_ns(void)
{
	return clock_monotonic_ns(clock_system());
}

static void hold_one(struct buyer *buyer, struct http_client *client, struct random *random,
	struct http_client_reply *reply)
{
	const struct load *load = buyer->crowd->load;
	struct load_outcome *outcome = &buyer->outcome;
	char path[80], key[80], body[80];
	snprintf(path, sizeof path, "/events/%s/holds", load->event);
	snprintf(key, sizeof key, "Idempotency-Key: bench-%lld-%lld-%lld\r\n",
		(long long)buyer->crowd->number, (long long)buyer->index,
		(long long)outcome->answers);
	snprintf(body, sizeof body, "{\"userId\":\"buyer\",\"seats\":[\"s-%llu\"]}",
		(unsigned long long)random_below(random, (uint64_t)load->seats) + 1);
	int64_t before_ns = now_ns();
	enum http_client_outcome came = http_client_call(client, "POST", path, key, body, reply);
	histogram_record(&outcome->latencies, now_ns() - before_ns);
	int status = came == HTTP_CLIENT_OK ? reply->status : 0;
	outcome->answers++;
	outcome->holds += status == 201;
	outcome->failures += status != 201 && status != 409;
}

static void *buyer_run(void *context)
{
	struct buyer *buyer = context;
	struct crowd *crowd = buyer->crowd;
	struct http_client client;
	struct http_client_reply reply = {0};
	struct random random;
	histogram_init(&buyer->outcome.latencies);
	random_init_stream(&random, crowd->seed, (uint64_t)buyer->index);
	http_client_init(&client, crowd->port);
	if (http_client_connect(&client) != HTTP_CLIENT_OK)
		bench_fail("a buyer cannot connect to the server");
	/* NOLINTNEXTLINE(bugprone-posix-return): the serial thread gets a negative number. */
	if (pthread_barrier_wait(&crowd->connected) == PTHREAD_BARRIER_SERIAL_THREAD)
		atomic_store(&crowd->end_ns, now_ns() + crowd->load->seconds * 1000000000);
	pthread_barrier_wait(&crowd->connected);
	while (now_ns() < atomic_load(&crowd->end_ns))
		hold_one(buyer, &client, &random, &reply);
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

void load_by_buyers(const struct load *load, uint16_t port, struct load_outcome *outcome)
{
	static int64_t number;
	number++;
	struct crowd crowd = {.load = load,
		.port = port,
		.number = number,
		.seed = random_seed() + (uint64_t)number};
	struct buyer *buyers = calloc((size_t)load->clients, sizeof *buyers);
	if (!buyers || pthread_barrier_init(&crowd.connected, NULL, (unsigned)load->clients) != 0)
		bench_fail("there is no memory for the buyers");
	for (int64_t i = 0; i < load->clients; i++) {
		buyers[i].crowd = &crowd;
		buyers[i].index = i;
		if (pthread_create(&buyers[i].thread, NULL, buyer_run, &buyers[i]) != 0)
			bench_fail("there is no thread for a buyer");
	}
	*outcome = (struct load_outcome){0};
	histogram_init(&outcome->latencies);
	for (int64_t i = 0; i < load->clients; i++) {
		pthread_join(buyers[i].thread, NULL);
		outcome->answers += buyers[i].outcome.answers;
		outcome->holds += buyers[i].outcome.holds;
		outcome->failures += buyers[i].outcome.failures;
		histogram_merge(&outcome->latencies, &buyers[i].outcome.latencies);
	}
	int64_t start_ns = atomic_load(&crowd.end_ns) - load->seconds * 1000000000;
	outcome->seconds = (double)(now_ns() - start_ns) / 1e9;
	pthread_barrier_destroy(&crowd.connected);
	free(buyers);
}
