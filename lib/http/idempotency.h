/* The mechanism of the Idempotency-Key header (IETF draft-ietf-httpapi-idempotency-key-header):
 * what is read from the request, when a stored answer may serve, and what is stored. Where answers
 * are stored is the application's business, since a record has to commit together with its effect.
 *
 *	struct http_idempotency key;
 *	if (!http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &key))
 *		return;                              // 400, replied
 *	… look up key.operation and key.key in the store, in the transaction of the effect …
 *	if (another request with it is running)
 *		http_idempotency_in_use(exchange);   // 409
 *	else if (found)
 *		http_idempotency_answer(exchange, &key, &record); // the same answer, or 422
 *	else if (… apply, reply …, http_idempotency_keeps(exchange))
 *		… store http_idempotency_record(exchange, &key) …
 */
#pragma once

#include "lib/http/exchange.h"

enum { HTTP_KEY_SIZE_MAX = 255, HTTP_FINGERPRINT_SIZE = 32 };

enum http_key { HTTP_KEY_OPTIONAL, HTTP_KEY_REQUIRED };

/* A request's key and what it belongs to. The application adds the caller to the scope. */
struct http_idempotency {
	struct slice operation; /* Method and route: "POST /events/{eventId}/holds". */
	struct slice key;       /* Its `data` is NULL when the request has none. */
	uint8_t fingerprint[HTTP_FINGERPRINT_SIZE]; /* SHA-256 of path and body. */
};

/* An answer as it is stored. */
struct http_idempotency_record {
	struct slice fingerprint;
	unsigned status;
	struct slice body;
};

/* Read the header. False: it is missing though required, or malformed, and a 400 was replied. */
__attribute__((warn_unused_result)) bool http_idempotency_read(
	struct http_exchange *exchange, enum http_key need, struct http_idempotency *idempotency);

/* Reply what was answered the first time, with `Idempotency-Replayed: true`; or 422 when the key
 * stands for a request with another path or body. The record's body is copied. */
void http_idempotency_answer(struct http_exchange *exchange,
	const struct http_idempotency *idempotency, const struct http_idempotency_record *record);

/* Reply 409: the first request with this key is still running. */
void http_idempotency_in_use(struct http_exchange *exchange);

/* Whether the reply that was made is final. 409, 429 and 5xx are not: what they tell may change, so
 * the effect, if there is any, must be undone, and the key can be used again. */
bool http_idempotency_keeps(const struct http_exchange *exchange);

/* The reply that was made, as it is to be stored; borrowed from the exchange and the key. */
struct http_idempotency_record http_idempotency_record(
	const struct http_exchange *exchange, const struct http_idempotency *idempotency);
