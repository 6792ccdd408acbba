/* Fuzzes the way of a request from its first line to its handler's reply: framing, target, path and
 * query, JSON body and its members. An input is a request: a line of method and target, headers, an
 * empty line, the body. */
#include "fuzz/fake_exchange.h"
#include "fuzz/fuzz.h"
#include "lib/base/limits.h"
#include "lib/http/fields.h"
#include "lib/http/internal.h"

enum { BODY_BYTES_MAX = 4096, SECRET_BYTES_MIN = 8 };

static struct slice find_secret(const struct http_exchange *exchange, struct slice input);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_slice(data, size), line;
	struct fake_request request;
	slice_split(&rest, '\n', &line);
	slice_split(&line, ' ', &request.method);
	request.target = line.data ? line : slice_of("");
	fake_headers_read(&request.headers, &rest);
	request.body = rest.data ? rest : slice_of("");
	struct http_exchange *exchange = fake_exchange_new(&request);
	fake_exchange_run(exchange, request.body);
	fake_exchange_check(exchange, find_secret(exchange, fuzz_slice(data, size)));
	fake_exchange_free(exchange);
	fake_headers_release(&request.headers);
	return 0;
}

/* The value of the path's secret parameter, if it stands nowhere else in the request. */
static struct slice find_secret(const struct http_exchange *exchange, struct slice input)
{
	struct slice none = {.data = NULL, .size = 0};
	if (!exchange->route || !strstr(exchange->route->pattern, "{passToken}"))
		return none;
	struct slice secret = http_parameter(exchange, "passToken");
	if (secret.size < SECRET_BYTES_MIN)
		return none;
	const char *first = memmem(input.data, input.size, secret.data, secret.size);
	if (!first)
		return secret;
	const char *behind = first + 1;
	size_t left = (size_t)(input.data + input.size - behind);
	return memmem(behind, left, secret.data, secret.size) ? none : secret;
}

/* ---- Handlers, as an application would write them ---- */

static void reply_texts(struct http_exchange *exchange, const struct slice texts[], size_t count)
{
	json_t *json = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(json, json_stringn(texts[i].data, texts[i].size));
	assert(json_array_size(json) == count);
	http_reply_json(exchange, 200, json_pack("{s:o}", "items", json));
}

static void list_seats(struct http_exchange *exchange)
{
	static const char *const names[] = {"limit", "cursor", "section", NULL};
	struct slice texts[5] = {http_parameter(exchange, "eventId")};
	size_t count = 1;
	if (!http_query_only(exchange, names))
		return;
	for (size_t i = 0; names[i]; i++)
		if (http_query(exchange, names[i], &texts[count]))
			count++;
	assert(count == 1 + exchange->query_count);
	for (size_t i = 0; i < count; i++)
		assert(slice_is_text(texts[i]) && texts[i].data[texts[i].size] == '\0');
	reply_texts(exchange, texts, count);
}

static void check_different(const struct slice texts[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert(texts[i].size > 0 && slice_is_text(texts[i]));
		for (size_t j = 0; j < i; j++)
			assert(!slice_equal(texts[i], texts[j]));
	}
}

static void create_hold(struct http_exchange *exchange)
{
	struct http_fields fields;
	size_t count;
	int64_t quantity = 1;
	http_fields_begin(&fields, exchange);
	struct slice user = http_field_id(&fields, "userId");
	struct slice *seats = http_field_texts(
		&fields, "seats", LIMIT_ID_SIZE_MAX, 0, LIMIT_SEATS_PER_HOLD, &count);
	struct slice note = {.data = NULL};
	if (http_field_given(&fields, "quantity"))
		quantity = http_field_integer(&fields, "quantity", 1, 10);
	if (http_field_given(&fields, "note"))
		note = http_field_text(&fields, "note", LIMIT_NAME_SIZE_MAX);
	if (http_field_given(&fields, "until"))
		http_field_time(&fields, "until");
	if (http_field_given(&fields, "prices"))
		http_field_object(&fields, "prices");
	if (!http_fields_end(&fields))
		return;
	assert(slice_is_id(user, LIMIT_ID_SIZE_MAX) && quantity >= 1 && quantity <= 10);
	assert(count <= LIMIT_SEATS_PER_HOLD && note.size <= LIMIT_NAME_SIZE_MAX);
	assert(!note.data || slice_is_text(note));
	check_different(seats, count);
	reply_texts(exchange, seats, count);
}

/* Takes any object and sends it back. */
static void echo(struct http_exchange *exchange)
{
	json_t *body = http_body_object(exchange);
	if (body)
		http_reply_json(exchange, 200, json_incref(body));
}

static void show_pass(struct http_exchange *exchange)
{
	const struct slice texts[] = {
		http_parameter(exchange, "passToken"), http_parameter(exchange, "eventId")};
	assert(slice_is_text(texts[0]) && slice_is_text(texts[1]));
	reply_texts(exchange, texts, 2);
}

static void remove_hold(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

const struct http_route fake_routes[] = {
	{HTTP_GET, "/events/{eventId}/seats", HTTP_ON_LOOP, list_seats, 0},
	{HTTP_POST, "/events/{eventId}/holds", HTTP_ON_WORKER, create_hold, BODY_BYTES_MAX},
	{HTTP_PUT, "/echo", HTTP_ON_WORKER, echo, BODY_BYTES_MAX},
	{HTTP_GET, "/events/{eventId}/passes/{passToken}", HTTP_ON_LOOP, show_pass, 0},
	{HTTP_DELETE, "/events/{eventId}/holds/{holdId}", HTTP_ON_WORKER, remove_hold, 0},
};
const size_t fake_route_count = sizeof fake_routes / sizeof *fake_routes;
