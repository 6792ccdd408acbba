#include "tech-two-phase-payments/orders_crowd_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/postgres/postgres.h"
#include "lib/testkit/random.h"

enum { PASS_PAUSE_MS = 10, CALL_MS_MAX = 20000, FAILURE_SIZE = 512, STATUS_SIZE = 24 };

/* What an order goes through, a letter for each step:
 *	n  make it                         a r d p  wait until it is authorized, requires an action,
 *	k  confirm with a good card                 is declined, is paid
 *	b  … with one that is declined     e  wait until it is over
 *	g  … that wants 3-D Secure         t  let its time be over
 *	f  finalize    x  cancel           y z  prove who they are, fail to
 * When an order is over early, the rest is left out. */
static const char *const plans[CROWD_PLANS] = {
	"nkafe", "nkafe", "nkafe", /* Most just pay. */
	"nbdkafe",                 /* Another card. */
	"nkafpxe",                 /* Refunded. */
	"nkafxe",                  /* Canceled while it is captured. */
	"nkxe",                    /* Canceled while it is authorized. */
	"nkaxe",                   /* Voided. */
	"nxe",                     /* Canceled before anything was asked for. */
	"nkate",                   /* Authorized and left. */
	"ngryafe",                 /* 3-D Secure. */
	"ngrzdte",                 /* 3-D Secure, failed, and left. */
};

struct trip {
	const char *plan;
	size_t step;
	char order[ORDERS_ID_SIZE];
	char status[STATUS_SIZE], intent[256];
	bool over;
};

struct walker {
	pthread_t thread;
	size_t index;
	struct http_client clients[ORDERS_SERVERS_MAX], provider;
	struct http_client_reply reply;
	struct postgres *pg;
	size_t turn;   /* Which server is asked next. */
	bool has_made; /* Before there are orders there may be no table. */
	char failure[FAILURE_SIZE];
};

static struct {
	struct crowd_options options;
	struct trip *trips;
	struct walker walkers[CROWD_THREADS];
	atomic_size_t done;
	atomic_size_t asked; /* The first server that is asked; with one, it stays there. */
	atomic_size_t servers;
	atomic_bool stops;
} crowd;

static const struct postgres_statement look = {.name = "look",
	.sql = "SELECT order_id::text, status, coalesce(intent_id, ''), status IN ('canceled', "
	       "'expired', 'refunded') OR (status = 'paid' AND ending IS NULL) "
	       "FROM payments.orders WHERE user_id = $1",
	.effect = POSTGRES_READS};
static const struct postgres_statement time_out = {.name = "time_out",
	.sql = "UPDATE payments.orders SET expires_at = clock_timestamp() WHERE order_id = $1::text"
	       "::uuid"};

static void *walk(void *context);
static bool step(struct walker *walker, struct trip *trip, size_t index);
static void look_at_orders(struct walker *walker);

void crowd_start(const struct crowd_options *options)
{
	struct random random;
	assert_true(options->orders <= CROWD_ORDERS_MAX && !crowd.trips);
	crowd.options = *options;
	crowd.trips = calloc(options->orders, sizeof *crowd.trips);
	assert_non_null(crowd.trips);
	atomic_store(&crowd.done, 0);
	atomic_store(&crowd.stops, false);
	atomic_store(&crowd.asked, options->asked);
	atomic_store(&crowd.servers, options->servers);
	random_init(&random, options->seed);
	for (size_t i = 0; i < options->orders; i++)
		crowd.trips[i].plan = plans[random_below(&random, CROWD_PLANS)];
	for (size_t i = 0; i < CROWD_THREADS; i++) {
		struct walker *walker = &crowd.walkers[i];
		*walker = (struct walker){.index = i};
		for (size_t server = 0; server < ORDERS_SERVERS_MAX; server++) {
			http_client_init(&walker->clients[server], orders.ports[server]);
			walker->clients[server].timeout_ms =
				options->call_ms > 0 ? options->call_ms : CALL_MS_MAX;
		}
		http_client_init(&walker->provider, orders.simulator.port);
		walker->pg = postgres_open(&(struct postgres_options){.url = orders.postgres.url,
			.application_name = "crowd",
			.call_ms_max = ORDERS_WAIT_MS_MAX,
			.connect_ms_max = ORDERS_WAIT_MS_MAX});
		assert_non_null(walker->pg);
		assert_int_equal(0, pthread_create(&walker->thread, NULL, walk, walker));
	}
}

void crowd_ask(size_t server)
{
	atomic_store(&crowd.asked, server);
	atomic_store(&crowd.servers, 1);
}

size_t crowd_done(void)
{
	return atomic_load(&crowd.done);
}

static void end_walkers(void)
{
	atomic_store(&crowd.stops, true);
	for (size_t i = 0; i < CROWD_THREADS; i++) {
		struct walker *walker = &crowd.walkers[i];
		(void)pthread_join(walker->thread, NULL);
		for (size_t server = 0; server < ORDERS_SERVERS_MAX; server++)
			http_client_release(&walker->clients[server]);
		http_client_release(&walker->provider);
		http_client_reply_release(&walker->reply);
		postgres_close(walker->pg);
	}
}

void crowd_join(int64_t timeout_ms, void (*meanwhile)(void))
{
	int64_t end_ms = orders_now_ms() + timeout_ms;
	while (crowd_done() < crowd.options.orders && orders_now_ms() < end_ms) {
		if (meanwhile)
			meanwhile();
		orders_pause(PASS_PAUSE_MS);
	}
	end_walkers();
	for (size_t i = 0, told = 0; i < crowd.options.orders && told < CROWD_THREADS; i++) {
		const struct trip *trip = &crowd.trips[i];
		if (trip->plan[trip->step] == '\0')
			continue;
		print_error("order %s is left at step %zu of %s, in the status %s\n", trip->order,
			trip->step, trip->plan, trip->status);
		told++;
	}
	free(crowd.trips);
	crowd.trips = NULL;
	for (size_t i = 0; i < CROWD_THREADS; i++)
		if (crowd.walkers[i].failure[0] != '\0')
			fail_msg("%s", crowd.walkers[i].failure);
	assert_int_equal(crowd.options.orders, crowd_done());
}

/* ---- A thread ---- */

/* Each order takes as many steps as it can, in turn, so that all are under way at once. */
static void *walk(void *context)
{
	struct walker *walker = context;
	while (!atomic_load(&crowd.stops) && walker->failure[0] == '\0') {
		look_at_orders(walker);
		for (size_t i = walker->index; i < crowd.options.orders; i += CROWD_THREADS) {
			struct trip *trip = &crowd.trips[i];
			while (trip->plan[trip->step] != '\0' && !atomic_load(&crowd.stops) &&
				step(walker, trip, i))
				if (trip->plan[++trip->step] == '\0')
					atomic_fetch_add(&crowd.done, 1);
		}
		orders_pause(PASS_PAUSE_MS);
	}
	return NULL;
}

/* Orders are sorted by neither side, and a thread has a few hundred. */
static struct trip *find_trip(const struct walker *walker, struct slice order)
{
	for (size_t i = walker->index; i < crowd.options.orders; i += CROWD_THREADS)
		if (slice_is(order, crowd.trips[i].order))
			return &crowd.trips[i];
	return NULL;
}

static void copy_text(char *to, size_t size, struct slice from)
{
	(void)snprintf(to, size, "%.*s", SLICE_PRINT(from));
}

/* Read how all of this thread's orders stand. */
static void look_at_orders(struct walker *walker)
{
	char user[STATUS_SIZE];
	struct postgres_result result;
	(void)snprintf(user, sizeof user, "walker-%zu", walker->index);
	if (!walker->has_made)
		return;
	if (postgres_execute(walker->pg, &look, POSTGRES_PARAMETERS(postgres_text(slice_of(user))),
		    &result) == STATUS_OK) {
		for (size_t row = 0; row < result.row_count; row++) {
			struct trip *trip = find_trip(walker, postgres_get_text(&result, row, 0));
			if (!trip)
				continue; /* Made, and the answer was lost. */
			copy_text(trip->status, sizeof trip->status,
				postgres_get_text(&result, row, 1));
			copy_text(trip->intent, sizeof trip->intent,
				postgres_get_text(&result, row, 2));
			trip->over = postgres_get_boolean(&result, row, 3);
		}
	}
	postgres_result_release(&result);
}

/* ---- A step ---- */

/* Send it to one of the servers, the next time to the other. The reply's status, 0: none. */
static int send(struct walker *walker, const char *path, const char *key, const char *body)
{
	char headers[128];
	size_t server = atomic_load(&crowd.asked) + walker->turn++ % atomic_load(&crowd.servers);
	(void)snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", key);
	enum http_client_outcome outcome = http_client_call(
		&walker->clients[server], "POST", path, headers, body, &walker->reply);
	return outcome == HTTP_CLIENT_OK ? walker->reply.status : 0;
}

/* Whether the request was answered for good. The state may not be the right one any more, since
 * others act too; nobody refuses for another reason. */
static bool is_answered(struct walker *walker, int status)
{
	if (status == 0 || status == 503)
		return false;
	if (status == 201 || status == 202 || status == 409 || status == 410)
		return true;
	(void)snprintf(walker->failure, sizeof walker->failure, "a reply of %d: %.400s", status,
		walker->reply.body);
	return false;
}

static bool make(struct walker *walker, struct trip *trip, size_t index)
{
	char key[64], body[256];
	(void)snprintf(key, sizeof key, "n-%zu", index);
	(void)snprintf(body, sizeof body,
		"{\"userId\":\"walker-%zu\",\"currency\":\"EUR\","
		"\"items\":[{\"description\":\"Seat %zu\",\"amount\":%zu}]}",
		walker->index, index, 1000 + index);
	if (!is_answered(walker, send(walker, "/orders", key, body)))
		return false;
	json_t *json = http_client_reply_json(&walker->reply);
	const char *order = json_string_value(json_object_get(json, "orderId"));
	copy_text(trip->order, sizeof trip->order, slice_of(order ? order : ""));
	json_decref(json);
	if (trip->order[0] == '\0')
		(void)snprintf(walker->failure, sizeof walker->failure, "an order without an id");
	walker->has_made = true;
	return trip->order[0] != '\0';
}

/* What was seen of it before is old now. */
static void forget(struct trip *trip)
{
	trip->status[0] = '\0';
	trip->over = false;
}

static bool act(struct walker *walker, struct trip *trip, const char *what, const char *method)
{
	char path[128], key[64], body[128];
	(void)snprintf(path, sizeof path, "/orders/%s/%s", trip->order, what);
	(void)snprintf(key, sizeof key, "step-%zu", trip->step);
	(void)snprintf(body, sizeof body, "{\"paymentMethod\":\"%s\"}", method ? method : "");
	forget(trip);
	return is_answered(walker, send(walker, path, key, method ? body : NULL));
}

/* The person at the bank. Who has proved it already is told so, which is as good. */
static bool prove(struct walker *walker, struct trip *trip, const char *outcome)
{
	char path[384], body[64];
	(void)snprintf(
		path, sizeof path, "/simulator/payment_intents/%s/authentication", trip->intent);
	(void)snprintf(body, sizeof body, "{\"outcome\":\"%s\"}", outcome);
	forget(trip);
	enum http_client_outcome got = http_client_call(&walker->provider, "POST", path,
		"Authorization: Bearer " SIMULATOR_ADMIN_TOKEN "\r\n", body, &walker->reply);
	return got == HTTP_CLIENT_OK && walker->reply.status < 500;
}

static bool pass_time(struct walker *walker, struct trip *trip)
{
	forget(trip);
	return postgres_execute(walker->pg, &time_out,
		       POSTGRES_PARAMETERS(postgres_text(slice_of(trip->order))),
		       NULL) == STATUS_OK;
}

static bool stands(const struct trip *trip, const char *status)
{
	return trip->over || strcmp(trip->status, status) == 0;
}

/* Whether the next step may follow. */
static bool step(struct walker *walker, struct trip *trip, size_t index)
{
	switch (trip->plan[trip->step]) {
	case 'n':
		return make(walker, trip, index);
	case 'k':
		return act(walker, trip, "confirm", "pm_card_visa");
	case 'b':
		return act(walker, trip, "confirm", "pm_card_visa_chargeDeclined");
	case 'g':
		return act(walker, trip, "confirm", "pm_card_authenticationRequired");
	case 'f':
		return act(walker, trip, "finalize", NULL);
	case 'x':
		return act(walker, trip, "cancel", NULL);
	case 'y':
		return prove(walker, trip, "succeeded");
	case 'z':
		return prove(walker, trip, "failed");
	case 't':
		return pass_time(walker, trip);
	case 'a':
		return stands(trip, "authorized");
	case 'r':
		return stands(trip, "requires_action");
	case 'd':
		return stands(trip, "declined");
	case 'p':
		return stands(trip, "paid");
	default:
		return trip->over;
	}
}
