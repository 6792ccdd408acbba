/* Fuzzes the Idempotency-Key: which keys are taken, and that a stored answer serves its own request
 * and no other. An input is the key's line and the body. */
#include "fuzz/fake_exchange.h"
#include "fuzz/fuzz.h"
#include "lib/http/idempotency.h"
#include "lib/http/internal.h"

enum { BODY_BYTES_MAX = 65536 };

static void run(struct slice key, struct slice body);
static void check_key(struct slice key);
static void check_replay(const struct http_exchange *first, const struct http_idempotency *key,
	struct fake_request *request);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_slice(data, size), key;
	slice_split(&rest, '\n', &key);
	run(key, rest.data && rest.size < BODY_BYTES_MAX ? rest : slice_of(""));
	return 0;
}

static struct http_exchange *begin(struct fake_request *request, struct slice body)
{
	struct http_exchange *exchange = fake_exchange_new(request);
	assert(http_request_parse(exchange));
	exchange->body.size_max = BODY_BYTES_MAX;
	buffer_add(&exchange->body, body.data, body.size);
	return exchange;
}

static void run(struct slice key, struct slice body)
{
	struct fake_request request = {.method = slice_of("POST"), .target = slice_of("/orders/1")};
	char *value = fuzz_copy(key);
	request.body = body;
	request.headers.items[0].name = (char[]){"idempotency-key"};
	request.headers.items[0].value = value;
	request.headers.count = 1;
	struct http_exchange *exchange = begin(&request, body);
	struct http_idempotency read;
	if (http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &read)) {
		check_key(read.key);
		assert(slice_is(read.key, value));
		assert(slice_is(read.operation, "POST /orders/{orderId}"));
		http_reply_json(exchange, 201, json_pack("{s:i}", "bytes", (int)body.size));
		assert(http_idempotency_keeps(exchange));
		check_replay(exchange, &read, &request);
	} else {
		assert(exchange->status == 400);
	}
	fake_exchange_check(exchange, slice_of(""));
	fake_exchange_free(exchange);
	free(value);
}

static void check_key(struct slice key)
{
	assert(key.size >= 1 && key.size <= HTTP_KEY_SIZE_MAX && slice_is_text(key));
	for (size_t i = 0; i < key.size; i++)
		assert((unsigned char)key.data[i] < 0x80 && key.data[i] != ' ');
}

/* The same request gets the same answer; one with another body, or path, gets 422. */
static void check_replay(const struct http_exchange *first, const struct http_idempotency *key,
	struct fake_request *request)
{
	const struct http_idempotency_record record = http_idempotency_record(first, key);
	struct http_idempotency again;
	struct http_exchange *same = begin(request, request->body);
	assert(http_idempotency_read(same, HTTP_KEY_REQUIRED, &again));
	http_idempotency_answer(same, &again, &record);
	assert(same->status == first->status && slice_equal(same->reply, first->reply));
	fake_exchange_check(same, slice_of(""));
	fake_exchange_free(same);

	struct http_exchange *longer = begin(request, request->body);
	buffer_add(&longer->body, "", 1);
	assert(http_idempotency_read(longer, HTTP_KEY_REQUIRED, &again));
	http_idempotency_answer(longer, &again, &record);
	assert(longer->status == 422);
	fake_exchange_check(longer, slice_of(""));
	fake_exchange_free(longer);

	request->target = slice_of("/orders/2");
	struct http_exchange *other = begin(request, request->body);
	assert(http_idempotency_read(other, HTTP_KEY_REQUIRED, &again));
	http_idempotency_answer(other, &again, &record);
	assert(other->status == 422);
	fake_exchange_free(other);
	request->target = slice_of("/orders/1");
}

static void unreached(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

const struct http_route fake_routes[] = {
	{HTTP_POST, "/orders/{orderId}", HTTP_ON_WORKER, unreached, BODY_BYTES_MAX}};
const size_t fake_route_count = 1;
