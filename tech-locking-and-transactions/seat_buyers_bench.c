/* People who buy, as a program of its own, so that it can be killed: each holds seats, buys them,
 * and begins anew. What a server does for them is done here without HTTP: a lane for the holds, a
 * lane for the purchases, and the engine behind them.
 *
 * It prints `ready` when all connections are open, and after the warming up and after each load one
 * line with what became of it. With no time it buys nothing, and does what others have left, until
 * it is ended. */
#include "tech-locking-and-transactions/seat_buyers_bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "lib/base/clock.h"
#include "lib/base/program.h"
#include "lib/batch/lane.h"
#include "lib/testkit/histogram.h"
#include "lib/testkit/random.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard.h"
#include "tech-locking-and-transactions/saga/saga.h"
#include "tech-two-phase-payments/stripe/stripe.h"

enum {
	NAME_SIZE = 16,
	COUNT_MAX = 8,
	HOLD_THREADS_MAX = 64,
	CHECKOUT_THREADS = 4, /* The default of the servers. */
	IN_FLIGHT_MAX = 1000, /* Likewise. */
	ARENA_BYTES = 4 << 20,
	HOLD_MS = 3600000,
	CALL_MS = 60000,
	STOP_MS = 5000,
	MS_MAX = 3600000,
};

static struct {
	const char *seats_url, *orders_url, *guard_url, *provider_url, *provider_key;
	int64_t technique, people, hold_threads, warm_ms, ms, lease_ms, seed;
} settings;

/* In the order of enum postgres_seats_technique. */
static const char *const techniques[] = {"batched", "pessimistic", "optimistic", NULL};

/* Somebody with one purchase at a time. */
struct person {
	struct lane_item item;
	struct random random;
	struct slice seats[COUNT_MAX];
	char names[COUNT_MAX][NAME_SIZE];
	struct id hold, order;
	int64_t asked_ns;
};

static struct {
	struct payment_provider *providers[ORDER_STAGES];
	struct checkout_orders *orders;
	struct lane *holds, *purchases;
	struct seat_store *stores[HOLD_THREADS_MAX];
	struct checkout *checkouts[CHECKOUT_THREADS];
	struct arena arenas[CHECKOUT_THREADS];
	const struct seat_buyers_load *load; /* That of just now. */
	struct id event;                     /* Its event. */
	int64_t end_ns;
	atomic_llong granted; /* Seats. */
	pthread_mutex_t mutex;
	pthread_cond_t all_gone;
	int64_t under_way; /* People who have not gone home yet. */
	int64_t paid, refused;
	struct histogram latencies; /* From asking for the seats until they are paid. */
} shop = {.mutex = PTHREAD_MUTEX_INITIALIZER, .all_gone = PTHREAD_COND_INITIALIZER};

static int read_settings(int argc, char **argv);
static void open_engine(void);
static void open_tills(void);
static void open_lanes(void);
static void buy(const struct seat_buyers_load *load, int64_t ms);
static void close_all(void);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	program_hold_signals();
	open_engine();
	if (settings.ms > 0) {
		open_tills();
		open_lanes();
	}
	printf("ready\n");
	(void)fflush(stdout);
	if (settings.warm_ms > 0)
		buy(&seat_buyers_loads[0], settings.warm_ms);
	for (size_t i = 0; settings.ms > 0 && i < SEAT_BUYERS_LOADS; i++)
		buy(&seat_buyers_loads[i], settings.ms);
	if (settings.ms == 0)
		(void)program_wait_signal();
	close_all();
	return 0;
}

#define URL(flag_, value_, help_) \
	{ \
		.flag = (flag_), .kind = CONFIG_TEXT, .value = &settings.value_, .help = (help_) \
	}
#define NUMBER(flag_, value_, fallback_, min_, max_, help_) \
	{ \
		.flag = (flag_), .kind = CONFIG_INTEGER, .value = &settings.value_, \
		.fallback = (fallback_), .min = (min_), .max = (max_), .help = (help_) \
	}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "technique",
			.kind = CONFIG_CHOICE,
			.value = &settings.technique,
			.fallback = "batched",
			.choices = techniques,
			.help = "how seats are held"},
		URL("seats-url", seats_url, "the database with the seats"),
		URL("orders-url", orders_url, "another one for the orders: a saga"),
		URL("guard-url", guard_url, "the Redis of a guard before the holds"),
		URL("provider-url", provider_url, "the payment provider"),
		URL("provider-key", provider_key, "its key"),
		NUMBER("people", people, "256", 1, 4096, "who buy at once"),
		NUMBER("hold-threads", hold_threads, "1", 1, HOLD_THREADS_MAX,
			"that hold seats, with a connection each"),
		NUMBER("warm-ms", warm_ms, "0", 0, MS_MAX, "how long they buy before it counts"),
		NUMBER("ms", ms, "1000", 0, MS_MAX, "how long each load lasts; 0: there is none"),
		NUMBER("lease-ms", lease_ms, "30000", 500, MS_MAX,
			"after which another process takes over"),
		NUMBER("seed", seed, "0", 0, INT64_MAX, "which seats they want"),
	};
	static const struct config_program program = {.name = "seat_buyers",
		.summary = "People who hold seats and buy them, for the bench.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

static int64_t now_ns(void)
{
	return clock_monotonic_ns(clock_system());
}

/* ---- Opening ---- */

static struct seat_store *open_seats(enum postgres_seats_technique technique)
{
	struct fault fault = {0};
	struct seat_store *store;
	struct postgres_seats_options options = {.url = settings.seats_url,
		.application_name = "bench",
		.technique = technique,
		.call_ms_max = CALL_MS,
		.lock_ms_max = CALL_MS - 10000};
	if (postgres_seats_open(&options, &store, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	return store;
}

static struct seat_store *open_holds(void)
{
	struct fault fault = {0};
	struct seat_store *store = open_seats((enum postgres_seats_technique)settings.technique);
	struct redis_guard_options guard = {
		.redis_url = settings.guard_url, .call_ms_max = CALL_MS};
	if (settings.guard_url && redis_guard_open(store, &guard, &store, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	return store;
}

static void open_saga(struct fault *fault)
{
	struct saga_options options = {.url = settings.orders_url,
		.sell_seats = open_seats(POSTGRES_SEATS_BATCHED),
		.revoke_seats = open_seats(POSTGRES_SEATS_BATCHED),
		.in_flight_max = IN_FLIGHT_MAX,
		.call_ms_max = CALL_MS,
		.lease_ms = settings.lease_ms};
	memcpy(options.providers, shop.providers, sizeof options.providers);
	if (saga_engine(&options, &shop.orders, fault) != STATUS_OK)
		bench_fail("%s: %s", fault->where, fault->what);
}

static void open_one(struct fault *fault)
{
	struct postgres_checkout_options options = {.url = settings.seats_url,
		.in_flight_max = IN_FLIGHT_MAX,
		.call_ms_max = CALL_MS,
		.lease_ms = settings.lease_ms};
	memcpy(options.providers, shop.providers, sizeof options.providers);
	if (postgres_checkout_engine(&options, &shop.orders, fault) != STATUS_OK)
		bench_fail("%s: %s", fault->where, fault->what);
}

static void open_engine(void)
{
	struct fault fault = {0};
	const struct stripe_options provider = {.base_url = settings.provider_url,
		.secret_key = settings.provider_key,
		.in_flight_max = IN_FLIGHT_MAX,
		.submitted_max = IN_FLIGHT_MAX};
	for (size_t i = 0; i < ORDER_STAGES; i++)
		if (stripe_open(&provider, &shop.providers[i], &fault) != STATUS_OK)
			bench_fail("%s: %s", fault.where, fault.what);
	if (settings.orders_url)
		open_saga(&fault);
	else
		open_one(&fault);
	if (checkout_orders_start(shop.orders) != STATUS_OK)
		bench_fail("there are no threads for the checkout");
}

static void open_tills(void)
{
	struct fault fault = {0};
	for (int64_t i = 0; i < settings.hold_threads; i++)
		shop.stores[i] = open_holds();
	for (size_t i = 0; i < CHECKOUT_THREADS; i++) {
		enum status status = settings.orders_url
			? checkout_orders_checkout(shop.orders, open_seats(POSTGRES_SEATS_BATCHED),
				  &shop.checkouts[i])
			: postgres_checkout_open(
				  shop.orders, settings.seats_url, &shop.checkouts[i], &fault);
		if (status != STATUS_OK)
			bench_fail("there is no checkout: %s", fault.what);
		arena_init(&shop.arenas[i], ARENA_BYTES);
	}
}

static void close_all(void)
{
	lane_close(shop.holds);
	lane_close(shop.purchases);
	for (int64_t i = 0; i < settings.hold_threads; i++)
		seat_store_close(shop.stores[i]);
	for (size_t i = 0; i < CHECKOUT_THREADS; i++) {
		checkout_close(shop.checkouts[i]);
		arena_release(&shop.arenas[i]);
	}
	checkout_orders_stop(shop.orders, STOP_MS);
	checkout_orders_close(shop.orders);
}

/* ---- Buying ---- */

/* Whether nobody begins anew. */
static bool is_over(int64_t at_ns)
{
	return at_ns >= shop.end_ns ||
		(shop.load->until > 0 && atomic_load(&shop.granted) >= shop.load->until);
}

static void go_home(void)
{
	pthread_mutex_lock(&shop.mutex);
	if (--shop.under_way == 0)
		pthread_cond_signal(&shop.all_gone);
	pthread_mutex_unlock(&shop.mutex);
}

static void submit(struct lane *lane, struct person *person)
{
	if (lane_submit(lane, &person->item) != STATUS_OK)
		bench_fail("a lane is full");
}

static void begin_anew(struct person *person)
{
	int64_t at_ns = now_ns();
	if (is_over(at_ns)) {
		go_home();
		return;
	}
	uint64_t first = 1 +
		random_below(&person->random, (uint64_t)(shop.load->seats - shop.load->count + 1));
	for (int64_t i = 0; i < shop.load->count; i++) {
		(void)snprintf(person->names[i], NAME_SIZE, "s-%llu",
			(unsigned long long)first + (unsigned long long)i);
		person->seats[i] = slice_of(person->names[i]);
	}
	/* Not from the seed: the provider remembers the orders of earlier runs. */
	person->hold = id_new(clock_wall_ms(clock_system()));
	person->order = id_new(clock_wall_ms(clock_system()));
	person->asked_ns = at_ns;
	submit(shop.holds, person);
}

static void apply_holds(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct hold_request requests[SEAT_STORE_BATCH_MAX] = {0};
	struct hold_result results[SEAT_STORE_BATCH_MAX];
	int64_t refused = 0;
	(void)context;
	for (size_t i = 0; i < count; i++) {
		const struct person *person = (const struct person *)items[i];
		requests[i] = (struct hold_request){.event = shop.event,
			.hold = person->hold,
			.person = slice_of("buyer"),
			.seats = person->seats,
			.seat_count = (size_t)shop.load->count,
			.hold_ms = HOLD_MS};
	}
	if (seat_store_hold(shop.stores[thread], requests, results, count) != STATUS_OK)
		bench_fail("holds failed");
	for (size_t i = 0; i < count; i++)
		if (results[i].outcome == HOLD_GRANTED)
			atomic_fetch_add(&shop.granted, shop.load->count);
	for (size_t i = 0; i < count; i++) {
		struct person *person = (struct person *)items[i];
		if (results[i].outcome == HOLD_GRANTED) {
			submit(shop.purchases, person);
		} else if (results[i].outcome == HOLD_TAKEN) {
			refused++;
			begin_anew(person);
		} else {
			bench_fail("a hold is %s", hold_outcome_name(results[i].outcome));
		}
	}
	pthread_mutex_lock(&shop.mutex);
	shop.refused += refused;
	pthread_mutex_unlock(&shop.mutex);
}

static void take_outcome(struct person *person, const struct buy_result *result, int64_t at_ns)
{
	if (result->outcome == BUY_PENDING) {
		submit(shop.purchases, person);
		return;
	}
	if (result->outcome != BUY_PAID)
		bench_fail("a purchase is %s", buy_outcome_name(result->outcome));
	if (result->ticket_count != (size_t)shop.load->count)
		bench_fail("a purchase has %zu tickets", result->ticket_count);
	pthread_mutex_lock(&shop.mutex);
	shop.paid++;
	histogram_record(&shop.latencies, at_ns - person->asked_ns);
	pthread_mutex_unlock(&shop.mutex);
	begin_anew(person);
}

static void apply_purchases(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	static struct buy_request all_requests[CHECKOUT_THREADS][CHECKOUT_BATCH_MAX];
	static struct buy_result all_results[CHECKOUT_THREADS][CHECKOUT_BATCH_MAX];
	struct buy_request *requests = all_requests[thread];
	struct buy_result *results = all_results[thread];
	(void)context;
	arena_reset(&shop.arenas[thread]);
	for (size_t i = 0; i < count; i++) {
		const struct person *person = (const struct person *)items[i];
		requests[i] = (struct buy_request){.event = shop.event,
			.hold = person->hold,
			.person = slice_of("buyer"),
			.order = person->order,
			.payment_method = slice_of("pm_card_visa")};
	}
	if (checkout_buy(shop.checkouts[thread], requests, results, count, &shop.arenas[thread]) !=
		STATUS_OK)
		bench_fail("purchases failed");
	int64_t at_ns = now_ns();
	for (size_t i = 0; i < count; i++)
		take_outcome((struct person *)items[i], &results[i], at_ns);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	(void)items;
	(void)count;
	bench_fail("a request without a deadline is late");
}

/* Where a thread holds seats for one person at a time, it takes one at a time. */
static void open_lanes(void)
{
	static const struct lane_ops holds = {.apply = apply_holds, .late = late};
	static const struct lane_ops purchases = {.apply = apply_purchases, .late = late};
	bool batched = settings.technique == POSTGRES_SEATS_BATCHED;
	struct lane_options options[] = {
		{.name = "hold",
			.ops = &holds,
			.batch_max = batched ? seat_store_traits(shop.stores[0])->batch_max : 1,
			.thread_count = (size_t)settings.hold_threads},
		{.name = "buy",
			.ops = &purchases,
			.batch_max = checkout_traits(shop.checkouts[0])->batch_max,
			.thread_count = CHECKOUT_THREADS},
	};
	options[0].queue_max = options[1].queue_max = (size_t)settings.people;
	if (lane_open(&options[0], &shop.holds) != STATUS_OK ||
		lane_open(&options[1], &shop.purchases) != STATUS_OK)
		bench_fail("there are no threads for the lanes");
}

static void tell(double seconds, uint64_t trips)
{
	printf("bought %lld refused %lld seconds %.6f p50 %.6f p99 %.6f trips %llu\n",
		(long long)shop.paid, (long long)shop.refused, seconds,
		(double)histogram_percentile_ns(&shop.latencies, 50) / 1e6,
		(double)histogram_percentile_ns(&shop.latencies, 99) / 1e6,
		(unsigned long long)trips);
	(void)fflush(stdout);
}

/* Until the last of those who have begun has bought. */
static void buy(const struct seat_buyers_load *load, int64_t ms)
{
	static uint64_t stream;
	struct person *people = calloc((size_t)settings.people, sizeof *people);
	if (!people || load->count > COUNT_MAX || !id_parse(slice_of(load->event), &shop.event))
		bench_fail("the load cannot be");
	shop.load = load;
	shop.paid = shop.refused = 0;
	atomic_store(&shop.granted, 0);
	histogram_init(&shop.latencies);
	uint64_t trips = postgres_round_trips();
	int64_t start_ns = now_ns();
	shop.end_ns = start_ns + ms * 1000000;
	shop.under_way = settings.people;
	for (int64_t i = 0; i < settings.people; i++) {
		people[i].item.deadline_ms = LANE_NEVER;
		random_init_stream(&people[i].random, (uint64_t)settings.seed, stream++);
		begin_anew(&people[i]);
	}
	pthread_mutex_lock(&shop.mutex);
	while (shop.under_way > 0)
		pthread_cond_wait(&shop.all_gone, &shop.mutex);
	tell((double)(now_ns() - start_ns) / 1e9, postgres_round_trips() - trips);
	pthread_mutex_unlock(&shop.mutex);
	free(people);
}
