/* The adapter against the simulator: what every payment provider must do. */
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/http/client_peer.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/process.h"
#include "tech-two-phase-payments/payment_provider_conformance.h"
#include "tech-two-phase-payments/stripe/stripe.h"

#define ADMIN_TOKEN "conformance-admin-token-0123456789"
#define KEY "sk_test_conformance0123456789"
#define WEBHOOK_SECRET "whsec_conformance0123456789"

enum { READY_MS_MAX = 60000, STOP_MS_MAX = 20000, EVENTS_MAX = 1024, EVENT_SIZE_MAX = 16 << 10 };

static struct process simulator;
static struct http_client client;
static struct http_client_reply reply;
static char folder[] = "/tmp/onsale-stripe-conformance-XXXXXX";
static char base_url[64];

/* The endpoint for webhooks, which keeps what it was sent. */
static struct {
	struct peer peer;
	pthread_mutex_t mutex;
	pthread_cond_t arrived;
	struct {
		char signature[256];
		char *body;
	} events[EVENTS_MAX];
	size_t count, read;
} endpoint = {.mutex = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};

static void serve_endpoint(struct peer_connection *connection);

/* ---- The simulator ---- */

static int set_up(void **state)
{
	(void)state;
	char program[512], data[64], webhook_url[64], line[256];
	json_object_seed(0); /* Before there are threads. */
	peer_open(&endpoint.peer, serve_endpoint);
	assert_non_null(mkdtemp(folder));
	snprintf(program, sizeof program, "%s/tech-two-phase-payments/simulator/payment-simulator",
		getenv("ONSALE_BUILD"));
	snprintf(data, sizeof data, "--data=%s", folder);
	snprintf(webhook_url, sizeof webhook_url, "--webhook-url=http://127.0.0.1:%u/",
		endpoint.peer.port);
	const char *arguments[] = {program, "--port=0", data, webhook_url, "--no-access-log", NULL};
	const char *environment[] = {"PROVIDER_KEYS=" KEY, "ADMIN_TOKEN=" ADMIN_TOKEN,
		"WEBHOOK_SECRET=" WEBHOOK_SECRET, "PROVIDER_KEYS_FILE", "ADMIN_TOKEN_FILE",
		"WEBHOOK_SECRET_FILE", NULL};
	const struct process_options options = {.arguments = arguments, .environment = environment};
	assert_int_equal(STATUS_OK, process_start(&simulator, &options));
	assert_int_equal(STATUS_OK,
		process_wait_line(
			&simulator, "ready http://127.0.0.1:", READY_MS_MAX, line, sizeof line));
	snprintf(base_url, sizeof base_url, "%.63s", line + strlen("ready "));
	http_client_init(&client, (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char journal[64];
	process_signal(&simulator, 15);
	assert_int_equal(STATUS_OK, process_wait(&simulator, STOP_MS_MAX));
	assert_int_equal(0, simulator.exit_code);
	process_release(&simulator);
	http_client_reply_release(&reply);
	http_client_release(&client);
	peer_close(&endpoint.peer);
	for (size_t i = 0; i < endpoint.count; i++)
		free(endpoint.events[i].body);
	snprintf(journal, sizeof journal, "%s/journal", folder);
	unlink(journal);
	rmdir(folder);
	return 0;
}

/* Ask the simulator's own side; the caller gives the answer back. */
static json_t *ask(const char *method, const char *path, const char *body, int status)
{
	const char *headers = "Authorization: Bearer " ADMIN_TOKEN "\r\n";
	enum http_client_outcome outcome =
		http_client_call(&client, method, path, headers, body, &reply);
	if (outcome != HTTP_CLIENT_OK || reply.status != status)
		fail_msg("%s %s: %s, %d %s", method, path, http_client_outcome_name(outcome),
			reply.status, reply.body ? reply.body : "");
	return http_client_reply_json(&reply);
}

static struct payment_provider *open_provider(unsigned attempts_max)
{
	const struct stripe_options options = {
		.base_url = base_url,
		.secret_key = KEY,
		.webhook_secrets = {WEBHOOK_SECRET},
		.attempts_max = attempts_max,
		.backoff_ms_min = 1,
		.backoff_ms_max = 10,
	};
	struct payment_provider *provider;
	struct fault fault;
	if (stripe_open(&options, &provider, &fault) == STATUS_OK)
		return provider;
	print_error("%s %s\n", fault.where, fault.what);
	return NULL;
}

static void inject(enum payment_fault fault, enum payment_operation operation, unsigned count)
{
	static const char *const operations[PAYMENT_OPERATION_COUNT] = {
		"create", "confirm", "capture", "cancel", "refund", "retrieve"};
	static const struct {
		const char *name, *more;
	} faults[] = {
		[PAYMENT_FAULT_ANSWER_LOST] = {"answer_lost", ""},
		[PAYMENT_FAULT_REQUEST_LOST] = {"timeout", ",\"ms\":1"},
		[PAYMENT_FAULT_SERVER_ERROR] = {"error_500", ""},
		[PAYMENT_FAULT_STORED_ERROR] = {"error_500_stored", ""},
		[PAYMENT_FAULT_STORED_APPLIED] = {"error_500_stored", ",\"applied\":true"},
		[PAYMENT_FAULT_RATE_LIMITED] = {"rate_limited", ""},
		[PAYMENT_FAULT_SLOW] = {"slow", ",\"ms\":10000"},
	};
	_Static_assert(PAYMENT_SLOW_MS == 10000, "as above");
	char body[256];
	snprintf(body, sizeof body, "{\"fault\":\"%s\",\"operation\":\"%s\",\"count\":%u%s}",
		faults[fault].name, operations[operation], count ? count : 1000000,
		faults[fault].more);
	json_decref(ask("POST", "/simulator/faults", body, 201));
}

static void heal(void)
{
	json_decref(ask("DELETE", "/simulator/faults", NULL, 204));
}

static void act(const char *reference, bool succeeds)
{
	char path[512];
	snprintf(path, sizeof path, "/simulator/payment_intents/%s/authentication", reference);
	json_decref(ask("POST", path,
		succeeds ? "{\"outcome\":\"succeeded\"}" : "{\"outcome\":\"failed\"}", 200));
}

static void read_item(const json_t *item, struct payment_books *books)
{
	const char *kind = json_string_value(json_object_get(item, "kind"));
	int64_t amount = json_integer_value(json_object_get(item, "amount"));
	if (strcmp(kind, "authorization") == 0) {
		books->authorizations++;
		books->authorized += amount;
	} else if (strcmp(kind, "capture") == 0) {
		books->captures++;
		books->captured += amount;
	} else if (strcmp(kind, "refund") == 0) {
		books->refunds++;
		books->refunded += amount;
	} else {
		books->given_back += amount;
	}
}

static void read_books(const char *reference, struct payment_books *books)
{
	json_t *ledger = ask("GET", "/simulator/ledger?limit=10000", NULL, 200);
	const json_t *items = json_object_get(ledger, "items");
	assert_true(json_is_array(items) && !json_object_get(ledger, "next"));
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		if (strcmp(json_string_value(json_object_get(item, "paymentIntent")), reference) ==
			0)
			read_item(item, books);
	}
	json_decref(ledger);
}

/* ---- The endpoint for webhooks ---- */

static bool receive_bytes(int fd, char *bytes, size_t size)
{
	for (size_t got = 0; got < size;) {
		ssize_t part = recv(fd, bytes + got, size - got, 0);
		if (part <= 0)
			return false;
		got += (size_t)part;
	}
	return true;
}

static void keep_event(const char *head, char *body)
{
	const char *signature = strcasestr(head, "\r\nStripe-Signature: ");
	pthread_mutex_lock(&endpoint.mutex);
	if (endpoint.count < EVENTS_MAX && signature) {
		size_t i = endpoint.count++;
		signature += strlen("\r\nStripe-Signature: ");
		snprintf(endpoint.events[i].signature, sizeof endpoint.events[i].signature, "%.*s",
			(int)strcspn(signature, "\r"), signature);
		endpoint.events[i].body = body;
		body = NULL;
		pthread_cond_signal(&endpoint.arrived);
	}
	pthread_mutex_unlock(&endpoint.mutex);
	free(body);
}

static void serve_endpoint(struct peer_connection *connection)
{
	while (peer_receive_head(connection)) {
		const char *length = strcasestr(connection->request, "\r\nContent-Length: ");
		size_t size = length ? strtoul(length + 18, NULL, 10) : 0;
		char *body = calloc(1, EVENT_SIZE_MAX);
		if (!body || size >= EVENT_SIZE_MAX || !receive_bytes(connection->fd, body, size)) {
			free(body);
			return;
		}
		keep_event(connection->request, body);
		if (!peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			return;
	}
}

static bool next_event(int64_t timeout_ms, struct slice *signature, struct slice *body)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000 + 1;
	pthread_mutex_lock(&endpoint.mutex);
	while (endpoint.read == endpoint.count &&
		pthread_cond_timedwait(&endpoint.arrived, &endpoint.mutex, &until) == 0)
		continue;
	bool found = endpoint.read < endpoint.count;
	if (found) {
		*signature = slice_of(endpoint.events[endpoint.read].signature);
		*body = slice_of(endpoint.events[endpoint.read++].body);
	}
	pthread_mutex_unlock(&endpoint.mutex);
	return found;
}

int main(void)
{
	static const struct payment_conformance conformance = {
		.set_up = set_up,
		.tear_down = tear_down,
		.open = open_provider,
		.inject = inject,
		.heal = heal,
		.act = act,
		.read_books = read_books,
		.next_event = next_event,
		.accepted = "pm_card_visa",
		.declined = "pm_card_visa_chargeDeclinedInsufficientFunds",
		.declined_reason = "insufficient_funds",
		.wants_action = "pm_card_threeDSecure2Required",
	};
	return payment_provider_conformance_run(&conformance, "stripe");
}
