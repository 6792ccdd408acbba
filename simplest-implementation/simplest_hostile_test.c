/* What a hostile or broken client sends: each request gets a problem with the right status, has no
 * effect, and the server goes on. */
#include "lib/base/buffer.h"
#include "simplest-implementation/simplest_fixture.h"

enum { SMALL_BODY_MAX = 16 << 10, PATIENCE_MS = 30000 };

/* What all tests aim at: an event with one seat held and one sold, and another event. */
static struct {
	char event[EVENT_ID_SIZE], other_event[EVENT_ID_SIZE];
	char hold[HOLD_ID_SIZE], other_hold[HOLD_ID_SIZE], order[HOLD_ID_SIZE];
	char holds_path[128], purchase_path[128]; /* Of the event and of its hold. */
} target;

static int start(void **state)
{
	(void)state;
	char hold[HOLD_ID_SIZE];
	SERVER_START("HOLD_DURATION=10m");
	event_make("Target", 10, target.event);
	event_make("Other", 10, target.other_event);
	hold_make(target.event, "\"s-1\"", target.hold);
	hold_make(target.other_event, "\"s-1\"", target.other_hold);
	snprintf(target.holds_path, sizeof target.holds_path, "/events/%s/holds", target.event);
	snprintf(target.purchase_path, sizeof target.purchase_path, "/holds/%s/purchase",
		target.hold);
	hold_make(target.event, "\"s-2\"", hold);
	snprintf(target.order, sizeof target.order, "%s",
		string_at(buy(hold, "pm_card_visa", 200), "orderId"));
	return 0;
}

/* Nothing of what was tried has had an effect, and the server still answers. */
static void want_unharmed(void)
{
	want_alive();
	assert_int_equal(1, seats_with(target.event, "held"));
	assert_int_equal(1, seats_with(target.event, "sold"));
	assert_int_equal(8, seats_with(target.event, "available"));
	assert_int_equal(1, seats_with(target.other_event, "held"));
	assert_int_equal(9, seats_with(target.other_event, "available"));
}

/* The last reply is a problem of some type, in the shape of RFC 9457. */
static void want_some_problem(const char *request)
{
	const char *type = json_string_value(json_object_get(simplest.json, "type"));
	if (type && strncmp(type, "urn:onsale:problem:", 19) == 0)
		want_problem(strrchr(type, ':') + 1);
	else
		fail_msg("%.300s: %d is no problem: %.300s", request, simplest.reply.status,
			simplest.reply.body);
}

static void want_refused(const char *path, const char *body, int status)
{
	ask("POST", path, new_key(), body, status);
	want_some_problem(body);
}

/* ---- Below HTTP: what is not a request ---- */

/* Send bytes on a new connection and the end after them. 0: the server just ended it. */
static int send_bytes(const void *bytes, size_t size)
{
	simplest.client.timeout_ms = PATIENCE_MS;
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&simplest.client));
	/* The server may have seen enough before all is sent. */
	if (http_client_send(&simplest.client, bytes, size) == HTTP_CLIENT_OK)
		http_client_finish_sending(&simplest.client);
	enum http_client_outcome outcome =
		http_client_receive(&simplest.client, "POST", &simplest.reply);
	simplest.client.timeout_ms = HTTP_CLIENT_TIMEOUT_MS_DEFAULT;
	http_client_close(&simplest.client);
	if (outcome != HTTP_CLIENT_OK && outcome != HTTP_CLIENT_CLOSED)
		fail_msg("%.*s: %s", (int)size, (const char *)bytes,
			http_client_outcome_name(outcome));
	json_decref(simplest.json);
	simplest.json = outcome == HTTP_CLIENT_OK ? http_client_reply_json(&simplest.reply) : NULL;
	return outcome == HTTP_CLIENT_OK ? simplest.reply.status : 0;
}

/* A good purchase of the held seat, as bytes. */
static const char *good_purchase(void)
{
	return text("POST /holds/%s/purchase HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
		    "Content-Type: application/json\r\nContent-Length: 32\r\n\r\n"
		    "{\"paymentMethod\":\"pm_card_visa\"}",
		target.hold);
}

static void truncated_request_has_no_effect(void **state)
{
	(void)state;
	const char *request = good_purchase();
	for (size_t size = 0; size < strlen(request); size++) {
		int status = send_bytes(request, size);
		if (status != 0 && status != 400 && status != 408)
			fail_msg("%zu bytes of the request got %d", size, status);
		if (status != 0)
			want_some_problem(request);
	}
	want_unharmed();
	/* Whole, it buys; so it was worth cutting. */
	http_client_connect(&simplest.client);
	http_client_send_text(&simplest.client, request);
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_receive(&simplest.client, "POST", &simplest.reply));
	assert_int_equal(200, simplest.reply.status);
}

static int send_framed(const char *head, const char *body)
{
	const char *request = text("POST %s HTTP/1.1\r\nIdempotency-Key: %s\r\n"
				   "Content-Type: application/json\r\n%s\r\n%s",
		target.holds_path, new_key(), head, body);
	return send_bytes(request, strlen(request));
}

static void ambiguous_framing_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *head, *body;
		int status;
	} cases[] = {
		{"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n",
			400},
		{"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n",
			400},
		{"Host: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n", "{} ", 400},
		{"Host: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n", "{}", 400},
		{"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", 400},
		{"Host: a\r\nTransfer-Encoding: identity\r\n", "{}", 400},
		{"Host: a\r\nTransfer-Encoding : chunked\r\n", "0\r\n\r\n", 400},
		{"Content-Length: 2\r\n", "{}", 400},
		{"Host: a\r\nHost: b\r\nContent-Length: 2\r\n", "{}", 400},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(cases[i].status, send_framed(cases[i].head, cases[i].body));
		want_some_problem(cases[i].head);
		/* What follows could be a request smuggled in. */
		assert_false(simplest.reply.keep_alive);
	}
	/* These libmicrohttpd refuses itself, in words of its own. */
	assert_int_equal(400, send_framed("Host: a\r\nContent-Length: -1\r\n", ""));
	assert_int_equal(400, send_framed("Host: a\r\nContent-Length: 0x2\r\n", "{}"));
	assert_int_equal(
		413, send_framed("Host: a\r\nContent-Length: 99999999999999999999\r\n", "{}"));
	assert_false(simplest.reply.keep_alive);
	want_unharmed();
}

static void body_past_the_limit_is_413(void **state)
{
	(void)state;
	char body[SMALL_BODY_MAX + 2];
	memset(body, ' ', sizeof body);
	body[sizeof body - 1] = '\0';
	memcpy(body, "{}", 2);
	want_refused(target.holds_path, body, 413);
	body[SMALL_BODY_MAX] = '\0';
	want_refused(target.holds_path, body, 422);
	/* Announced is enough; nobody waits for the bytes. */
	const char *const announced[] = {target.holds_path, "/venues", "/events"};
	for (size_t i = 0; i < sizeof announced / sizeof *announced; i++) {
		const char *request = text("POST %s HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
					   "Content-Type: application/json\r\n"
					   "Content-Length: 1099511627776\r\n\r\n{",
			announced[i]);
		assert_int_equal(413, send_bytes(request, strlen(request)));
		want_some_problem(request);
	}
	/* In chunks, whose sum nobody has announced. */
	struct buffer chunks;
	buffer_init(&chunks, 1 << 20);
	buffer_add_format(&chunks,
		"POST %s HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
		"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
		target.holds_path);
	for (int i = 0; i < SMALL_BODY_MAX / 1000 + 2; i++)
		buffer_add_format(&chunks, "3e8\r\n%1000s\r\n", " ");
	buffer_add_text(&chunks, "0\r\n\r\n");
	assert_int_equal(413, send_bytes(chunks.data, chunks.size));
	buffer_release(&chunks);
	ask("GET", "/events", NULL, "{}", 413);
	ask("DELETE", text("/holds/%s", target.hold), NULL, "{}", 413);
	want_unharmed();
}

/* ---- JSON ---- */

static char *nested(size_t depth, const char *open, const char *close)
{
	struct buffer body;
	buffer_init(&body, 1 << 20);
	buffer_add_text(&body, "{\"userId\":\"u\",\"seats\":");
	for (size_t i = 0; i < depth; i++)
		buffer_add_text(&body, open);
	for (size_t i = 0; i < depth; i++)
		buffer_add_text(&body, close);
	buffer_add(&body, "}", 2);
	return body.data;
}

static void deep_json_is_refused(void **state)
{
	(void)state;
	static const struct {
		size_t depth;
		const char *open, *close;
		int status;
	} cases[] = {{12, "[", "]", 422}, {17, "[", "]", 400}, {7000, "[", "]", 400},
		{7000, "[", "", 400}, {1500, "{\"a\":", "}", 400}, {2500, "[1,", "1]", 400}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *body = nested(cases[i].depth, cases[i].open, cases[i].close);
		want_refused(target.holds_path, body, cases[i].status);
		free(body);
	}
	char *plan = nested(100000, "[", "]");
	want_refused("/venues", plan, 422);
	assert_int_equal(0, strncmp("$.", string_at(simplest.json, "path"), 2));
	free(plan);
	want_unharmed();
}

static void malformed_json_is_400(void **state)
{
	(void)state;
	static const char *const bodies[] = {"", "{", "}", "{\"userId\":\"u\",\"seats\":[\"s-3\"]",
		"{\"userId\":\"u\",\"seats\":[\"s-3\"]}}", "{'userId':'u','seats':['s-3']}",
		"{\"userId\":\"u\",\"userId\":\"v\",\"seats\":[\"s-3\"]}",
		"\xef\xbb\xbf{\"userId\":\"u\",\"seats\":[\"s-3\"]}",
		/* Bad UTF-8: alone, overlong, a surrogate, past the end, cut. */
		"{\"userId\":\"\xff\",\"seats\":[\"s-3\"]}",
		"{\"userId\":\"\xc0\x80\",\"seats\":[\"s-3\"]}",
		"{\"userId\":\"\xed\xa0\x80\",\"seats\":[\"s-3\"]}",
		"{\"userId\":\"\xf5\x80\x80\x80\",\"seats\":[\"s-3\"]}",
		"{\"userId\":\"u\",\"seats\":[\"s-3\xe2\x82\"]}",
		/* Characters that no text has. */
		"{\"userId\":\"u\\u0000\",\"seats\":[\"s-3\"]}",
		"{\"userId\":\"u\",\"seats\":[\"s-3\\u0000\"]}",
		"{\"userId\":\"\\ud800\",\"seats\":[\"s-3\"]}",
		"{\"userId\":\"a\nb\",\"seats\":[\"s-3\"]}",
		/* Numbers that no type holds. */
		"{\"userId\":1e400,\"seats\":[\"s-3\"]}", "{\"userId\":-1e400,\"seats\":[\"s-3\"]}",
		"{\"userId\":99999999999999999999,\"seats\":[\"s-3\"]}",
		"{\"userId\":\"u\",\"seats\":[99999999999999999999]}",
		"{\"userId\":NaN,\"seats\":[\"s-3\"]}", "{\"userId\":01,\"seats\":[\"s-3\"]}"};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		want_refused(target.holds_path, bodies[i], 400);
	want_unharmed();
}

static void other_media_types_are_415(void **state)
{
	(void)state;
	static const char *const types[] = {"text/plain", "application/xml", "application/jsonx",
		"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const char *headers =
			text("Content-Type: %s\r\nIdempotency-Key: k%zu\r\n", types[i], i);
		http_client_call(&simplest.client, "POST", target.holds_path, headers,
			"{\"userId\":\"u\",\"seats\":[\"s-3\"]}", &simplest.reply);
		assert_int_equal(415, simplest.reply.status);
		http_client_call(
			&simplest.client, "POST", "/venues", headers, "{}", &simplest.reply);
		assert_int_equal(415, simplest.reply.status);
	}
	want_unharmed();
}

/* ---- Types and values ---- */

struct field {
	const char *path, *pointer;
	const char *format;    /* Of the body, with a place for the value. */
	const char *wrong[20]; /* Beside null, true, and the rest that no field takes. */
};

static void want_field_refused(const struct field *field, const char *value)
{
	want_refused(field->path, text(field->format, value), 422);
	const char *pointer = json_string_value(json_object_get(simplest.json, "pointer"));
	if (!pointer || strcmp(pointer, field->pointer) != 0)
		fail_msg("%s as %s: %.300s", value, field->pointer, simplest.reply.body);
}

#define EVENT_FORMAT(venue_, name_, starts_, currency_, prices_) \
	"{\"venueId\":" venue_ ",\"name\":" name_ ",\"startsAt\":" starts_ \
	",\"currency\":" currency_ ",\"prices\":" prices_ "}"
#define VENUE "\"00000000-0000-7000-8000-000000000000\""
#define TIME "\"2027-05-01T19:30:00Z\""
#define PRICES "{\"A\":1,\"B\":2}"

static void wrong_type_of_each_field_is_422(void **state)
{
	(void)state;
	static const char long_id[] =
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";
	static const char *const everywhere[] = {
		"null", "true", "1", "-1", "1.5", "\"\"", "[]", "[null]"};
	const struct field fields[] = {
		{target.holds_path, "/userId", "{\"userId\":%s,\"seats\":[\"s-3\"]}",
			{"{}", long_id, "\"a b\"", "\"a/b\"", "\"a'b\"", "\"\\u00e9\"", "\"..\"",
				"\"a\\nb\"", "\"'; drop table holds; --\""}},
		{target.holds_path, "/seats", "{\"userId\":\"u\",\"seats\":%s}",
			{"{}", "\"s-3\"", "[1]", "[[\"s-3\"]]", "[\"s-3\",null]", "[\"\"]",
				"[\"s-3\",\"s-3\"]", "[\"s-99\"]", "[\"s-3\",\"S-3\"]",
				"[\"s-3\",\"s-3 \"]", "[\"s-3\",\"' or '1'='1\"]", "[\"%\"]",
				"[\"{s-3,s-4}\"]", "[\"s-3\\u000a\"]",
				("[\"s-3\",\"s-4\",\"s-5\",\"s-6\",\"s-7\",\"s-8\",\"s-9\",\"s-"
				 "10\","
				 "\"s-11\",\"s-12\",\"s-13\"]"),
				("[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				 "a"
				 "aa"
				 "\"]")}},
		{target.purchase_path, "/paymentMethod", "{\"paymentMethod\":%s}",
			{"{}", "\"pm_card_visa \"", "\"PM_CARD_VISA\"", "\"pm_card_mastercard\"",
				"\"' or ''='\"", long_id}},
		{"/events", "/venueId", EVENT_FORMAT("%s", "\"n\"", TIME, "\"EUR\"", PRICES),
			{"{}", "\"x\"", VENUE, "\"00000000-0000-7000-8000-00000000000g\"",
				long_id}},
		{"/events", "/name", EVENT_FORMAT(VENUE, "%s", TIME, "\"EUR\"", PRICES),
			{"{}", "\"a\\u0007b\"", "\"\\u009f\""}},
		{"/events", "/startsAt", EVENT_FORMAT(VENUE, "\"n\"", "%s", "\"EUR\"", PRICES),
			{"{}", "\"tomorrow\"", "\"2027-02-30T19:30:00Z\"", "\"2027-05-01\"",
				"\"2027-05-01T25:00:00Z\"", "\"99999-01-01T00:00:00Z\"",
				"\"2027-05-01T19:30:00\"", "1793000000"}},
		{"/events", "/currency", EVENT_FORMAT(VENUE, "\"n\"", TIME, "%s", PRICES),
			{"{}", "\"EU\"", "\"eur\"", "\"EURO\"", "\"E1R\"", "\"';-\""}},
		{"/events", "/prices", EVENT_FORMAT(VENUE, "\"n\"", TIME, "\"EUR\"", "%s"),
			{"\"free\"", "{\"A\":-1,\"B\":1}", "{\"A\":1.5,\"B\":1}",
				"{\"A\":\"1\",\"B\":1}", "{\"A\":null,\"B\":1}",
				"{\"A\":[],\"B\":1}", "{\"A\":9223372036854775807,\"B\":1}",
				"{\"A\":-9223372036854775808,\"B\":1}", "{\"A\":1e3,\"B\":1}"}},
	};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		for (size_t j = 0; j < sizeof everywhere / sizeof *everywhere; j++)
			want_field_refused(&fields[i], everywhere[j]);
		for (size_t j = 0; fields[i].wrong[j]; j++)
			want_field_refused(&fields[i], fields[i].wrong[j]);
	}
	want_refused(target.holds_path, "{\"userId\":\"u\",\"seats\":[\"s-3\"],\"price\":0}", 422);
	want_refused(target.holds_path, "{\"seats\":[\"s-3\"]}", 422);
	want_refused(target.holds_path, "{\"userId\":\"u\"}", 422);
	want_refused(target.holds_path, "[]", 422);
	want_refused(target.holds_path, "\"\"", 422);
	want_refused(target.holds_path, "null", 422);
	want_unharmed();
}

/* ---- Ids ---- */

static void ids_of_another_event_are_refused(void **state)
{
	(void)state;
	char *large = plan_make("Larger", 12);
	free(large);
	/* The own id of a hold or an order behind another event's. */
	const char *hold = text("%s.%s", target.other_event, target.hold + EVENT_ID_SIZE);
	const char *order = text("%s.%s", target.other_event, target.order + EVENT_ID_SIZE);
	want_refused(text("/holds/%s/purchase", hold), "{\"paymentMethod\":\"pm_card_visa\"}", 404);
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 404);
	want_some_problem(hold);
	ask("GET", text("/orders/%s", order), NULL, NULL, 404);
	want_some_problem(order);
	/* Each in the other's place. */
	ask("GET", text("/orders/%s", target.hold), NULL, NULL, 404);
	ask("DELETE", text("/holds/%s", target.order), NULL, NULL, 404);
	want_refused(text("/holds/%s/purchase", target.order),
		"{\"paymentMethod\":\"pm_card_visa\"}", 404);
	ask("GET", text("/events/%s", target.hold), NULL, NULL, 404);
	/* A key that was used for another body. */
	ask("POST", target.holds_path, "hostile", "{\"userId\":\"u\",\"seats\":[\"s-99\"]}", 422);
	ask("POST", target.holds_path, "hostile", "{\"userId\":\"u\",\"seats\":[\"s-3\"]}", 422);
	want_problem("idempotency-key-reused");
	want_unharmed();
}

static void hostile_ids_in_paths_are_refused(void **state)
{
	(void)state;
	char overlong[2000];
	memset(overlong, 'a', sizeof overlong);
	overlong[sizeof overlong - 1] = '\0';
	const struct {
		const char *id;
		int status;
	} cases[] = {{"x", 404}, {"'%20or%20'1'='1", 404}, {"1;drop%20table%20events", 404},
		{"%25", 404}, {"%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404}, {overlong, 404},
		{"{eventId}", 404}, {"00000000-0000-0000-0000-00000000000%30", 404}, {"%00", 400},
		{"a%00b", 400}, {"%ff", 400}, {"%c0%80", 400}, {"%zz", 400}, {"%", 400},
		{"%0d%0aSet-Cookie:%20a=b", 400}, {".", 404}, {"..", 404}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const paths[] = {text("/events/%s", cases[i].id),
			text("/events/%s/seats", cases[i].id), text("/orders/%s", cases[i].id)};
		for (size_t j = 0; j < sizeof paths / sizeof *paths; j++) {
			ask("GET", paths[j], NULL, NULL, cases[i].status);
			want_some_problem(paths[j]);
			assert_null(http_client_reply_header(&simplest.reply, "Set-Cookie"));
		}
		ask("DELETE", text("/holds/%s", cases[i].id), NULL, NULL, cases[i].status);
		want_refused(text("/holds/%s/purchase", cases[i].id),
			"{\"paymentMethod\":\"pm_card_visa\"}", cases[i].status);
	}
	want_unharmed();
}

/* What is dangerous to a database is a name like any other. */
static void sql_in_names_is_kept_as_text(void **state)
{
	(void)state;
	static const char *const names[] = {"Robert'); DROP TABLE tickets;--", "$1 $2 \\\\ %s %n",
		"<script>alert(1)</script>", "\xf0\x9f\x8e\xab \xe2\x80\xae"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char event[EVENT_ID_SIZE];
		event_make(names[i], 2, event);
		json_t *made = look(text("/events/%s", event));
		assert_string_equal(i == 1 ? "$1 $2 \\ %s %n" : names[i], string_at(made, "name"));
	}
	array_at(look("/events?q=');%20DROP%20TABLE"), "items", 1);
	array_at(look("/events?q=%25%20%25n"), "items", 0);
	array_at(look("/events?q='%20or%20true%20--"), "items", 0);
	const char *event = text("/events/%s/seats?section=", target.event);
	array_at(look(text("%s'%%20or%%20'1'='1", event)), "items", 0);
	want_unharmed();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(truncated_request_has_no_effect, start),
		SERVER_TEST(ambiguous_framing_is_refused, start),
		SERVER_TEST(body_past_the_limit_is_413, start),
		SERVER_TEST(deep_json_is_refused, start),
		SERVER_TEST(malformed_json_is_400, start),
		SERVER_TEST(other_media_types_are_415, start),
		SERVER_TEST(wrong_type_of_each_field_is_422, start),
		SERVER_TEST(ids_of_another_event_are_refused, start),
		SERVER_TEST(hostile_ids_in_paths_are_refused, start),
		SERVER_TEST(sql_in_names_is_kept_as_text, start),
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
