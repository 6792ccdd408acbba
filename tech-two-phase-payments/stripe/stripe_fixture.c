/* See stripe_fixture.h. */
#include "tech-two-phase-payments/stripe/stripe_fixture.h"

#include <strings.h>
#include <sys/socket.h>
#include <time.h>

struct stripe_fixture fixture;

static void serve(struct peer_connection *connection);

void fixture_open(const struct step steps[], size_t count, struct stripe_options options)
{
	struct fault fault = {0};
	assert_true(count <= STEPS_MAX);
	memcpy(fixture.steps, steps, count * sizeof *steps);
	fixture.step_count = count;
	atomic_store(&fixture.next, 0);
	atomic_store(&fixture.held, false);
	memset(fixture.kept, 0, sizeof fixture.kept);
	peer_open(&fixture.peer, serve);
	snprintf(fixture.url, sizeof fixture.url, "http://127.0.0.1:%u", fixture.peer.port);
	options.base_url = options.base_url ? options.base_url : fixture.url;
	options.secret_key = options.secret_key ? options.secret_key : "sk_test_recorded";
	options.backoff_ms_min = options.backoff_ms_min ? options.backoff_ms_min : 1;
	options.backoff_ms_max = options.backoff_ms_max ? options.backoff_ms_max : 5;
	options.attempts_max = options.attempts_max ? options.attempts_max : 2;
	options.seed = 1;
	if (stripe_open(&options, &fixture.provider, &fault) != STATUS_OK)
		fail_msg("%s %s", fault.where, fault.what);
}

int fixture_close(void **state)
{
	(void)state;
	atomic_store(&fixture.held, false);
	payment_close(fixture.provider);
	fixture.provider = NULL;
	peer_close(&fixture.peer);
	return 0;
}

size_t request_count(void)
{
	return atomic_load(&fixture.next);
}

/* ---- The peer, on its connections' threads ---- */

static bool receive_body(struct peer_connection *connection, char *body)
{
	const char *length = strcasestr(connection->request, "\r\nContent-Length: ");
	size_t size = length ? strtoul(length + 18, NULL, 10) : 0, got = 0;
	assert_true(size < KEPT_BODY_SIZE);
	while (got < size) {
		ssize_t part = recv(connection->fd, body + got, size - got, 0);
		if (part <= 0)
			return false;
		got += (size_t)part;
	}
	body[size] = '\0';
	return true;
}

static bool send_answer(struct peer_connection *connection, const struct step *step)
{
	static const char form[] = "HTTP/1.1 %u Whatever\r\nContent-Type: application/json\r\n"
				   "Request-Id: req_recorded\r\n%sContent-Length: %zu\r\n\r\n";
	char head[1024];
	size_t size = strlen(step->body);
	snprintf(head, sizeof head, form, step->status, step->headers ? step->headers : "", size);
	if (!peer_send(connection, head))
		return false;
	if (step->kind == HALF) {
		peer_send(connection, "{");
		return false;
	}
	return peer_send(connection, step->body);
}

static void serve(struct peer_connection *connection)
{
	char body[KEPT_BODY_SIZE];
	while (peer_receive_head(connection) && receive_body(connection, body)) {
		size_t index = atomic_fetch_add(&fixture.next, 1);
		size_t last = fixture.step_count - 1;
		const struct step *step = &fixture.steps[index < last ? index : last];
		if (index < KEPT_MAX) {
			struct kept *kept = &fixture.kept[index];
			snprintf(kept->head, sizeof kept->head, "%.8191s", connection->request);
			memcpy(kept->body, body, sizeof body);
		}
		while (atomic_load(&fixture.held))
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		if (step->kind == HANG)
			peer_wait_gone(connection);
		if (step->kind == HANG || step->kind == DROP || !send_answer(connection, step))
			return;
	}
}

/* ---- Calls ---- */

const struct payment_result *make(struct payment_call *call, enum payment_operation operation)
{
	struct payment_call *done = NULL;
	int64_t end_ms = clock_monotonic_ms(clock_system()) + WAIT_MS;
	assert_int_equal(STATUS_OK, payment_submit(fixture.provider, call, operation));
	while (!done && clock_monotonic_ms(clock_system()) < end_ms)
		payment_collect(fixture.provider, 100, &done, 1);
	assert_ptr_equal(call, done);
	const struct payment_result *result = &call->result;
	/* What every result keeps to. */
	assert_true((result->status == STATUS_OK) == (result->outcome != PAYMENT_NONE));
	assert_true((result->status == STATUS_OK) == (result->detail[0] == '\0'));
	bool goes_on = result->status == STATUS_UNAVAILABLE || result->status == STATUS_UNKNOWN;
	assert_true(goes_on == (result->next != PAYMENT_NEXT_NOTHING));
	assert_null(strstr(result->detail, "sk_test"));
	assert_null(strstr(result->detail, "pm_"));
	return result;
}

struct payment_call sample_call(enum payment_operation operation)
{
	struct payment_call call = {
		.key = slice_of("o-1:sample:1"),
		.reference = slice_of("pi_1"),
		.amount = {4500, "EUR"},
		.order_id = slice_of("o-1"),
		.payment_method = slice_of("pm_card_visa"),
	};
	if (operation == PAYMENT_CREATE_INTENT)
		call.reference = (struct slice){0};
	if (operation == PAYMENT_LOOK_UP)
		call.key = (struct slice){0};
	return call;
}

const char *intent_json(const char *status, const char *more)
{
	static char text[8][4096];
	static size_t next;
	char *json = text[next++ % 8];
	snprintf(json, sizeof text[0],
		"{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,"
		"\"amount_capturable\":%d,\"amount_received\":%d,\"created\":1750000000,"
		"\"currency\":\"eur\",\"status\":\"%s\"%s}",
		strcmp(status, "requires_capture") == 0 ? 4500 : 0,
		strcmp(status, "succeeded") == 0 ? 4500 : 0, status, more);
	return json;
}
