/* What the order server's streams tell, to whom, and how they end. */
#include "tech-two-phase-payments/orders_fixture.h"

#include <sys/socket.h>

struct reader {
	struct http_client client;
	char got[16384];
	size_t size;
};

static void reader_open(struct reader *reader, size_t server, const char *order)
{
	*reader = (struct reader){.size = 0};
	http_client_init(&reader->client, orders.ports[server]);
	reader->client.timeout_ms = ORDERS_WAIT_MS_MAX;
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&reader->client));
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(&reader->client,
			text("GET /orders/%s/stream HTTP/1.1\r\nHost: h\r\n\r\n", order)));
}

/* Read until the stream has told this. */
static void reader_want(struct reader *reader, const char *wanted)
{
	int64_t end_ms = orders_now_ms() + ORDERS_WAIT_MS_MAX;
	while (!strstr(reader->got, wanted)) {
		ssize_t size = recv(reader->client.fd, reader->got + reader->size,
			sizeof reader->got - 1 - reader->size, MSG_DONTWAIT);
		if (size > 0) {
			reader->size += (size_t)size;
			reader->got[reader->size] = '\0';
		} else if (size == 0 || orders_now_ms() > end_ms) {
			fail_msg("the stream does not tell %s: %s", wanted, reader->got);
		} else {
			orders_pause(5);
		}
	}
}

/* How often it has told this. */
static int reader_count(const struct reader *reader, const char *wanted)
{
	int count = 0;
	for (const char *at = reader->got; (at = strstr(at, wanted)); at += strlen(wanted))
		count++;
	return count;
}

static void stream_tells_each_change_once(void **state)
{
	(void)state;
	static const char *const told[] = {"requires_confirmation", "authorizing", "authorized",
		"finalized", "capturing", "paid"};
	ORDERS_START("ACCESS_LOG=false");
	struct reader reader, second;
	const char *order = orders_make();
	reader_open(&reader, 0, order);
	reader_want(&reader, "\"status\":\"requires_confirmation\"");
	orders_confirm(order, "pm_card_visa");
	reader_want(&reader, "\"status\":\"authorized\"");
	/* Who comes later, or comes back, is told the state first. */
	reader_open(&second, 0, order);
	reader_want(&second, "\"status\":\"authorized\"");
	orders_do(order, "finalize", 202);
	reader_want(&reader, "\"status\":\"paid\"");
	reader_want(&second, "\"status\":\"paid\"");
	reader_want(&second, "\r\n0\r\n"); /* And then it ends. */
	/* In order, and each once, but where the second reader's beginning tells the state again.
	 * On a machine that stands still for long, steps in between may be left out. */
	const char *at = reader.got;
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		const char *status = text("\"status\":\"%s\"", told[i]);
		assert_in_range(reader_count(&reader, status), 0,
			strcmp(told[i], "authorized") == 0 ? 2 : 1);
		const char *found = strstr(at, status);
		assert_true(found || !strstr(reader.got, status));
		at = found ? found : at;
	}
	http_client_release(&reader.client);
	http_client_release(&second.client);

	reader_open(&reader, 0, order);
	reader_want(&reader, "\"status\":\"paid\"");
	reader_want(&reader, "\r\n0\r\n");
	http_client_release(&reader.client);
	reader_open(&reader, 0, "01998d7a-7e0b-7000-8000-000000000000");
	reader_want(&reader, "event: error");
	reader_want(&reader, "\"status\":404");
	http_client_release(&reader.client);
}

/* Whoever follows an order whose story is over is told so before the stream ends, also when the
 * streams of those who came before are just being ended. */
static void ended_order_tells_its_end(void **state)
{
	(void)state;
	enum { ROUNDS = 40, READERS = 8 };
	static struct reader readers[READERS];
	char order[64];
	ORDERS_START("ACCESS_LOG=false");
	snprintf(order, sizeof order, "%s", orders_make());
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	for (size_t i = 0; i < READERS; i++)
		reader_open(&readers[i], 0, order);
	orders_do(order, "finalize", 202);
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < READERS; i++) {
			reader_want(&readers[i], "\"status\":\"paid\"");
			reader_want(&readers[i], "\r\n0\r\n");
			assert_int_equal(1, reader_count(&readers[i], "\"status\":\"paid\""));
			http_client_release(&readers[i].client);
			reader_open(&readers[i], 0, order);
		}
	}
	for (size_t i = 0; i < READERS; i++)
		http_client_release(&readers[i].client);
}

/* The other process makes the changes; both streams hear of them. */
static void stream_tells_what_another_process_does(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	orders_start(1, "orders-server", NULL);
	struct reader readers[ORDERS_SERVERS_MAX];
	const char *order = orders_make();
	for (size_t i = 0; i < ORDERS_SERVERS_MAX; i++) {
		reader_open(&readers[i], i, order);
		reader_want(&readers[i], "requires_confirmation");
	}
	orders_confirm(order, "pm_card_visa_chargeDeclined");
	for (size_t i = 0; i < ORDERS_SERVERS_MAX; i++) {
		reader_want(&readers[i], "\"status\":\"declined\"");
		reader_want(&readers[i], "\"reason\":\"generic_decline\"");
	}
	orders_do(order, "cancel", 202);
	for (size_t i = 0; i < ORDERS_SERVERS_MAX; i++) {
		reader_want(&readers[i], "\"status\":\"canceled\"");
		http_client_release(&readers[i].client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDERS_TEST(stream_tells_each_change_once),
		ORDERS_TEST(ended_order_tells_its_end),
		ORDERS_TEST(stream_tells_what_another_process_does),
	};
	return cmocka_run_group_tests(tests, orders_set_up, orders_tear_down);
}
