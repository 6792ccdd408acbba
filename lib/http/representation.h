/* How a reply's bytes are represented: conditional requests, compression, and replies that are
 * prepared once and sent many times. */
#pragma once

#include <pthread.h>

#include "lib/http/exchange.h"

enum { HTTP_ETAG_SIZE_MAX = 80 };

/* Set the reply's validator to W/"<tag>" and, if the client has that version already, reply 304 and
 * return true (RFC 9110, section 13.1.2). To be called before the body is made. `tag` is at most
 * HTTP_ETAG_SIZE_MAX letters, digits or any of - _ . : (else it is a bug). The validator is weak,
 * because the same version may go out compressed or not. */
__attribute__((warn_unused_result)) bool http_not_modified(
	struct http_exchange *exchange, const char *tag);

/* A reply that is the same for everybody: its body, also compressed, and its headers are made once.
 * Immutable; any number of exchanges on any threads may be replied with it. */
struct http_prepared;

struct http_prepared_options {
	const char *content_type; /* Static text. */
	const char *tag;          /* As above; NULL: made from the body. Copied. */
	const char
		*cache_control; /* Static text; NULL: "no-cache", that is: ask before using it. */
};

/* Copies the body. NULL when memory is short. */
__attribute__((warn_unused_result)) struct http_prepared *http_prepared_new(
	const struct http_prepared_options *options, struct slice body);

/* Give back a reference: the maker's, or that of an exchange when it ends. The last one frees it.
 * NULL is allowed. */
void http_prepared_release(struct http_prepared *prepared);

/* Reply 200 with it, or 304; compressed if the client takes that. */
void http_reply_prepared(struct http_exchange *exchange, struct http_prepared *prepared);

/* A place where the newest version of a prepared reply stands, for any thread to put and to reply
 * with. In the caller's memory. */
struct http_prepared_cell {
	pthread_mutex_t mutex; /* For as long as it takes to count one more reference. */
	struct http_prepared *prepared;
};

void http_prepared_cell_init(struct http_prepared_cell *cell);
void http_prepared_cell_release(struct http_prepared_cell *cell);

/* Replace what stands there. Takes over the maker's reference; NULL empties the cell. */
void http_prepared_cell_put(struct http_prepared_cell *cell, struct http_prepared *prepared);

/* Whether something stands there now. */
bool http_prepared_cell_is_full(struct http_prepared_cell *cell);

/* Reply with what stands there. False, and nothing was replied: the cell is empty. */
__attribute__((warn_unused_result)) bool http_reply_prepared_cell(
	struct http_exchange *exchange, struct http_prepared_cell *cell);

/* For lib/http: compress the reply that was made if the client takes it and it pays. Costs time in
 * proportion to the body, so it is done on workers, not on loops. */
void http_reply_compress(struct http_exchange *exchange);
