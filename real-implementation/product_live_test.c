/* What is told of an event as it happens: to streams of every server, without a gap when they come
 * back, and never with a sold seat that is free again. */
#include "real-implementation/product_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEPT = 512, STREAM_SIZE = 1 << 20 };

static struct product_fixture product;

static int set_up(void **state)
{
	(void)state;
	product_open(&product, NULL);
	product_serve(&product, 0);
	product_serve(&product, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	product_close(&product);
	return 0;
}

/* ---- A stream, read as bytes ---- */

struct stream {
	struct http_client client;
	char *text;
	size_t size;
	bool ended;
};

static void stream_open(
	struct stream *stream, size_t server, const char *event, const char *last_event_id)
{
	char request[1024];
	*stream = (struct stream){.text = calloc(1, STREAM_SIZE)};
	assert_non_null(stream->text);
	http_client_init(&stream->client, product.ports[server]);
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_reconnect(&stream->client, PRODUCT_PATIENCE_MS));
	(void)snprintf(request, sizeof request,
		"GET /events/%s/stream HTTP/1.1\r\nHost: onsale\r\n%s%s%s\r\n", event,
		last_event_id ? "Last-Event-ID: " : "", last_event_id ? last_event_id : "",
		last_event_id ? "\r\n" : "");
	assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&stream->client, request));
}

static void stream_close(struct stream *stream)
{
	http_client_release(&stream->client);
	free(stream->text);
	stream->text = NULL;
}

/* More of it, if there is any within a moment. */
static void stream_read(struct stream *stream)
{
	struct pollfd ready = {.fd = stream->client.fd, .events = POLLIN};
	if (poll(&ready, 1, 50) <= 0)
		return;
	ssize_t got = recv(
		stream->client.fd, stream->text + stream->size, STREAM_SIZE - 1 - stream->size, 0);
	if (got <= 0)
		stream->ended = true;
	else
		stream->size += (size_t)got;
}

/* Wait until it has said this, behind `from`. Returns where. */
static char *stream_want(struct stream *stream, size_t from, const char *said)
{
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	for (;;) {
		char *found = strstr(stream->text + from, said);
		if (found)
			return found;
		if (stream->ended || now_monotonic_ms() > deadline_ms)
			fail_msg("the stream did not say '%s' but: %s", said, stream->text + from);
		stream_read(stream);
	}
}

/* The id of the last event that it has sent. */
static void stream_last_id(const struct stream *stream, char id[128])
{
	const char *last = "";
	for (const char *at = stream->text; (at = strstr(at, "\nid: ")); at++)
		last = at + strlen("\nid: ");
	assert_string_not_equal(last, "");
	(void)snprintf(id, 128, "%.*s", (int)strcspn(last, "\r\n"), last);
}

static void buy_one(struct person *person, const char *event)
{
	char order[128];
	person_buy(person, event, NULL, 1, "pm_card_visa", "paid", order);
}

static void open_board(struct person *person, const char *event)
{
	char path[KEPT];
	(void)snprintf(path, sizeof path, "/events/%s/availability", event);
	person_want(person, "GET", path, NULL, NULL, NULL, 200);
}

/* ---- Tests ---- */

static void test_every_server_tells_of_every_change(void **state)
{
	char event[ID_TEXT_SIZE];
	struct person ada;
	struct stream streams[PRODUCT_SERVERS];
	(void)state;
	product_import_event(&product, "\"name\":\"Told\"", event);
	person_new(&ada, &product, 0);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++) {
		ada.server = i;
		open_board(&ada, event);
		stream_open(&streams[i], i, event, NULL);
		stream_want(&streams[i], 0, "\"available\":300");
	}
	buy_one(&ada, event);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++) {
		char *seats = stream_want(&streams[i], 0, "event: seats");
		stream_want(&streams[i], (size_t)(seats - streams[i].text), "\"sold\":[");
	}
	json_decref(product_admin(
		&product, 0, "PUT", text("/events/%s", event), "{\"status\":\"canceled\"}", 200));
	for (size_t i = 0; i < PRODUCT_SERVERS; i++) {
		stream_want(&streams[i], 0, "\"sale\":\"canceled\"");
		stream_close(&streams[i]);
	}
	person_release(&ada);
}

/* Whoever comes back with the last id is told what they have missed; after the server's death they
 * are told to begin anew. */
static void test_who_comes_back_misses_nothing(void **state)
{
	char event[ID_TEXT_SIZE], id[128];
	struct person ada;
	struct stream stream;
	(void)state;
	product_import_event(&product, "\"name\":\"Back\"", event);
	person_new(&ada, &product, 1);
	open_board(&ada, event);
	stream_open(&stream, 1, event, NULL);
	stream_want(&stream, 0, "event: sale");
	buy_one(&ada, event);
	stream_want(&stream, 0, "event: seats");
	char *sold = stream_want(&stream, 0, "\"held\":[],\"sold\":[");
	stream_want(&stream, (size_t)(sold - stream.text), "\n\n");
	stream_last_id(&stream, id);
	stream_close(&stream);

	buy_one(&ada, event);
	stream_open(&stream, 1, event, id);
	char *missed = stream_want(&stream, 0, "event: seats");
	stream_want(&stream, (size_t)(missed - stream.text), "\"sold\":[");
	assert_null(strstr(stream.text, "event: reset"));
	stream_close(&stream);

	product_kill(&product, 1);
	product_serve(&product, 1);
	open_board(&ada, event);
	stream_open(&stream, 1, event, id);
	stream_want(&stream, 0, "event: reset");
	stream_close(&stream);
	person_release(&ada);
}

/* ---- A shown availability never brings a sold seat back ---- */

static struct {
	pthread_t thread;
	const char *event;
	atomic_bool ended;
	atomic_size_t looks, backwards;
} observer;

static void *look(void *context)
{
	int64_t sold[PRODUCT_SERVERS] = {0}, version[PRODUCT_SERVERS] = {0};
	struct person person;
	(void)context;
	person_new(&person, &product, 0);
	for (size_t i = 0; !atomic_load(&observer.ended); i++) {
		char path[KEPT];
		size_t server = person.server = i % PRODUCT_SERVERS;
		(void)snprintf(path, sizeof path, "/events/%s/availability", observer.event);
		json_t *json = person_ask(&person, "GET", path, NULL, NULL, NULL, 200);
		int64_t now_sold = member_number(json_object_get(json, "total"), "sold");
		int64_t now_version = member_number(json, "version");
		if (now_sold < sold[server] || now_version < version[server])
			atomic_fetch_add(&observer.backwards, 1);
		sold[server] = now_sold;
		version[server] = now_version;
		atomic_fetch_add(&observer.looks, 1);
		json_decref(json);
	}
	person_release(&person);
	return NULL;
}

static void test_a_sold_seat_is_never_shown_as_free_again(void **state)
{
	char event[ID_TEXT_SIZE];
	struct person ada;
	(void)state;
	product_import_event(&product, "\"name\":\"Forward\"", event);
	person_new(&ada, &product, 0);
	observer.event = event;
	assert_int_equal(0, pthread_create(&observer.thread, NULL, look, NULL));
	for (int i = 0; i < 20; i++) {
		ada.server = (size_t)i % PRODUCT_SERVERS;
		buy_one(&ada, event);
	}
	atomic_store(&observer.ended, true);
	pthread_join(observer.thread, NULL);
	assert_true(atomic_load(&observer.looks) > 20);
	assert_int_equal(0, atomic_load(&observer.backwards));
	person_release(&ada);
}

/* Lists and maps: each seat once, versions and validators that agree. */
static void test_lists_maps_and_letters_agree(void **state)
{
	char event[ID_TEXT_SIZE], path[KEPT];
	struct person ada;
	(void)state;
	product_import_event(&product, "\"name\":\"Lists\"", event);
	person_new(&ada, &product, 0);
	open_board(&ada, event);
	(void)snprintf(path, sizeof path, "/events/%s/holds", event);
	person_want(&ada, "POST", path, "k", NULL, "{\"best\":{\"quantity\":4}}", 201);
	(void)snprintf(path, sizeof path, "/events/%s/statuses", event);
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	size_t held = 0;
	while (held != 4) {
		json_t *json = person_ask(&ada, "GET", path, NULL, NULL, NULL, 200);
		const char *letters = member_text(json, "statuses");
		assert_int_equal(PRODUCT_VENUE_SEATS, strlen(letters));
		held = 0;
		for (const char *letter = letters; *letter; letter++)
			held += *letter == 'h';
		json_decref(json);
		assert_true(now_monotonic_ms() < deadline_ms);
	}
	(void)snprintf(path, sizeof path, "/events/%s/seats", event);
	json_t *seats = person_ask(&ada, "GET", path, NULL, NULL, NULL, 200);
	json_t *items = json_object_get(seats, "items");
	assert_int_equal(PRODUCT_VENUE_SEATS, json_array_size(items));
	held = 0;
	for (size_t i = 0; i < json_array_size(items); i++)
		held += strcmp("held", member_text(json_array_get(items, i), "status")) == 0;
	assert_int_equal(4, held);
	json_decref(seats);
	(void)snprintf(path, sizeof path, "/events/%s/map", event);
	json_t *map = person_ask(&ada, "GET", path, NULL, NULL, NULL, 200);
	assert_int_equal(PRODUCT_VENUE_SEATS, member_number(map, "seats"));
	json_decref(map);
	char validator[256];
	(void)snprintf(validator, sizeof validator, "If-None-Match: %s\r\n",
		http_client_reply_header(&ada.reply, "ETag"));
	person_want(&ada, "GET", path, NULL, validator, NULL, 304);
	person_release(&ada);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_server_tells_of_every_change),
		cmocka_unit_test(test_who_comes_back_misses_nothing),
		cmocka_unit_test(test_a_sold_seat_is_never_shown_as_free_again),
		cmocka_unit_test(test_lists_maps_and_letters_agree),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
