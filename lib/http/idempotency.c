/* See idempotency.h. */
#include "lib/http/idempotency.h"

#include <sodium.h>

#include "lib/http/internal.h"

_Static_assert(HTTP_FINGERPRINT_SIZE == crypto_hash_sha256_BYTES, "a fingerprint is a SHA-256");

/* The same key for another path or body is another request. */
static void fingerprint(struct http_exchange *exchange, uint8_t digest[HTTP_FINGERPRINT_SIZE])
{
	crypto_hash_sha256_state state;
	struct slice path = http_path(exchange), body = http_body(exchange);
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const unsigned char *)path.data, path.size);
	crypto_hash_sha256_update(&state, (const unsigned char *)"", 1);
	crypto_hash_sha256_update(&state, (const unsigned char *)body.data, body.size);
	crypto_hash_sha256_final(&state, digest);
}

static bool key_is_visible_ascii(struct slice key)
{
	for (size_t i = 0; i < key.size; i++)
		if (key.data[i] < 0x21 || key.data[i] > 0x7e)
			return false;
	return key.size >= 1 && key.size <= HTTP_KEY_SIZE_MAX;
}

bool http_idempotency_read(
	struct http_exchange *exchange, enum http_key need, struct http_idempotency *idempotency)
{
	*idempotency = (struct http_idempotency){0};
	if (!http_header(exchange, "Idempotency-Key", &idempotency->key)) {
		if (need == HTTP_KEY_OPTIONAL)
			return true;
		http_reply_problem(exchange, &http_problem_bad_request,
			"This request needs an Idempotency-Key header: a new random text for each "
			"purpose, the same for each repetition.");
		return false;
	}
	if (!key_is_visible_ascii(idempotency->key)) {
		http_reply_problem(exchange, &http_problem_bad_request,
			"The Idempotency-Key must be 1 to %d visible ASCII characters.",
			HTTP_KEY_SIZE_MAX);
		return false;
	}
	idempotency->operation = arena_format(http_arena(exchange), "%s %s",
		http_method_name(http_method(exchange)), http_route(exchange)->pattern);
	if (!idempotency->operation.data) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return false;
	}
	fingerprint(exchange, idempotency->fingerprint);
	return true;
}

void http_idempotency_answer(struct http_exchange *exchange,
	const struct http_idempotency *idempotency, const struct http_idempotency_record *record)
{
	static const struct http_problem mismatch = {
		422, "idempotency-key-reused", "This Idempotency-Key was used for another request"};
	struct slice mine = {
		.data = (const char *)idempotency->fingerprint, .size = HTTP_FINGERPRINT_SIZE};
	if (!slice_equal(record->fingerprint, mine)) {
		http_reply_problem(exchange, &mismatch, NULL);
		return;
	}
	const char *copy = arena_copy(http_arena(exchange), record->body);
	if (!copy) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	http_reply_header(exchange, "Idempotency-Replayed", "true");
	if (record->body.size == 0)
		http_reply_empty(exchange, record->status);
	else
		http_reply(exchange, record->status,
			record->status < 400 ? "application/json" : "application/problem+json",
			(struct slice){.data = copy, .size = record->body.size});
}

void http_idempotency_in_use(struct http_exchange *exchange)
{
	static const struct http_problem in_use = {
		409, "idempotency-key-in-use", "A request with this Idempotency-Key is running"};
	http_reply_problem(exchange, &in_use, NULL);
}

bool http_idempotency_keeps(const struct http_exchange *exchange)
{
	unsigned status = http_reply_status(exchange);
	return status < 500 && status != 409 && status != 429;
}

struct http_idempotency_record http_idempotency_record(
	const struct http_exchange *exchange, const struct http_idempotency *idempotency)
{
	struct slice body = http_reply_body(exchange);
	return (struct http_idempotency_record){
		.fingerprint = {.data = (const char *)idempotency->fingerprint,
			.size = HTTP_FINGERPRINT_SIZE},
		.status = http_reply_status(exchange),
		.body = body.data ? body : slice_of(""),
	};
}
