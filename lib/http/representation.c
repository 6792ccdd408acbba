/* See representation.h. */
#include "lib/http/representation.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "lib/http/internal.h"

enum {
	GZIP_BYTES_MIN = 1400, /* What fits into one packet gains nothing. */
	GZIP_LEVEL_EACH = 1,   /* For a reply that is sent once. */
	GZIP_LEVEL_PREPARED = 6,
};

struct http_prepared {
	atomic_size_t references;
	struct http_prepared_options options;
	char etag[HTTP_ETAG_SIZE_MAX + 8]; /* With W/ and quotes. */
	struct slice body, compressed;     /* The latter empty where it does not pay. */
};

/* ---- Conditional requests ---- */

static bool tag_is_good(const char *tag)
{
	static const char others[] = "-_.:";
	size_t size = strlen(tag);
	for (size_t i = 0; i < size; i++) {
		char c = tag[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || strchr(others, c);
		if (!plain)
			return false;
	}
	return size >= 1 && size <= HTTP_ETAG_SIZE_MAX;
}

/* Whether one of the entity tags in the list is this one; weak comparison, so W/ does not matter.
 */
static bool list_has_etag(struct slice list, const char *etag)
{
	struct slice one;
	while (slice_split(&list, ',', &one)) {
		one = slice_trim(one);
		if (slice_is(one, "*") || slice_is(one, etag) || slice_is(one, etag + 2))
			return true;
	}
	return false;
}

static bool client_has(struct http_exchange *exchange, const char *etag)
{
	struct slice list;
	http_reply_header(exchange, "ETag", etag);
	if (exchange->method != HTTP_GET || !http_header(exchange, "If-None-Match", &list) ||
		!list_has_etag(list, etag))
		return false;
	http_reply_empty(exchange, 304);
	return true;
}

bool http_not_modified(struct http_exchange *exchange, const char *tag)
{
	char etag[HTTP_ETAG_SIZE_MAX + 8];
	assert(tag_is_good(tag));
	snprintf(etag, sizeof etag, "W/\"%s\"", tag);
	http_reply_header(exchange, "Cache-Control", "no-cache");
	return client_has(exchange, etag);
}

/* ---- Compression ---- */

/* Whether Accept-Encoding names gzip (or *) and not with the weight 0. */
static bool client_takes_gzip(const struct http_exchange *exchange)
{
	struct slice list, one, name;
	bool any = false;
	if (!http_header(exchange, "Accept-Encoding", &list))
		return false;
	while (slice_split(&list, ',', &one)) {
		slice_split(&one, ';', &name);
		name = slice_trim(name);
		struct slice weight = one.data ? slice_trim(one) : (struct slice){0};
		bool refused = slice_is(weight, "q=0") || slice_is(weight, "q=0.0") ||
			slice_is(weight, "q=0.00") || slice_is(weight, "q=0.000");
		if (name.size == 4 && strncasecmp(name.data, "gzip", 4) == 0)
			return !refused;
		any = any || (slice_is(name, "*") && !refused);
	}
	return any;
}

static bool type_is_text(const char *type)
{
	return type &&
		(strstr(type, "json") || strncmp(type, "text/", 5) == 0 ||
			strstr(type, "javascript") || strstr(type, "svg"));
}

/* A malloc'ed gzip of `body`; empty where it gains less than a tenth or memory is short. */
static struct slice compress_body(struct slice body, int level)
{
	z_stream stream = {0};
	enum { GZIP_WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8 };
	if (body.size > UINT32_MAX / 2 ||
		deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
			Z_DEFAULT_STRATEGY) != Z_OK)
		return (struct slice){0};
	size_t size_max = body.size - body.size / 10;
	char *to = malloc(size_max);
	stream.next_in = (Bytef *)(uintptr_t)body.data;
	stream.avail_in = (uInt)body.size;
	stream.next_out = (Bytef *)to;
	stream.avail_out = (uInt)size_max;
	bool pays = to && deflate(&stream, Z_FINISH) == Z_STREAM_END;
	size_t size = stream.total_out;
	deflateEnd(&stream);
	if (pays)
		return (struct slice){.data = to, .size = size};
	free(to);
	return (struct slice){0};
}

static bool is_compressible(const char *type, struct slice body)
{
	return body.size >= GZIP_BYTES_MIN && type_is_text(type);
}

void http_reply_compress(struct http_exchange *exchange)
{
	if (exchange->prepared || !is_compressible(exchange->content_type, exchange->reply))
		return;
	http_reply_header(exchange, "Vary", "Accept-Encoding");
	if (!client_takes_gzip(exchange))
		return;
	struct slice compressed = compress_body(exchange->reply, GZIP_LEVEL_EACH);
	if (!compressed.data)
		return;
	http_reply_header(exchange, "Content-Encoding", "gzip");
	free(exchange->reply_text_owned);
	exchange->reply_text_owned = (char *)(uintptr_t)compressed.data;
	exchange->reply = compressed;
}

/* ---- Prepared replies ---- */

/* 128 bits of the body's BLAKE2b: two bodies with one tag do not occur. */
static void tag_from_body(struct slice body, char *etag, size_t size)
{
	unsigned char digest[16];
	char hex[2 * sizeof digest + 1];
	crypto_generichash(
		digest, sizeof digest, (const unsigned char *)body.data, body.size, NULL, 0);
	sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
	snprintf(etag, size, "W/\"%s\"", hex);
}

struct http_prepared *http_prepared_new(
	const struct http_prepared_options *options, struct slice body)
{
	struct http_prepared *prepared = malloc(sizeof *prepared + body.size);
	if (!prepared)
		return NULL;
	char *copy = (char *)(prepared + 1);
	memcpy(copy, body.data, body.size);
	*prepared = (struct http_prepared){
		.options = *options, .body = {.data = copy, .size = body.size}};
	atomic_init(&prepared->references, 1);
	if (!prepared->options.cache_control)
		prepared->options.cache_control = "no-cache";
	assert(!options->tag || tag_is_good(options->tag));
	if (options->tag)
		snprintf(prepared->etag, sizeof prepared->etag, "W/\"%s\"", options->tag);
	else
		tag_from_body(body, prepared->etag, sizeof prepared->etag);
	prepared->options.tag = NULL;
	if (is_compressible(options->content_type, body))
		prepared->compressed = compress_body(body, GZIP_LEVEL_PREPARED);
	return prepared;
}

void http_prepared_release(struct http_prepared *prepared)
{
	if (!prepared || atomic_fetch_sub(&prepared->references, 1) != 1)
		return;
	free((char *)(uintptr_t)prepared->compressed.data);
	free(prepared);
}

void http_reply_prepared(struct http_exchange *exchange, struct http_prepared *prepared)
{
	http_reply_header(exchange, "Cache-Control", prepared->options.cache_control);
	if (prepared->compressed.data)
		http_reply_header(exchange, "Vary", "Accept-Encoding");
	if (client_has(exchange, prepared->etag))
		return;
	bool gzip = prepared->compressed.data && client_takes_gzip(exchange);
	if (gzip)
		http_reply_header(exchange, "Content-Encoding", "gzip");
	http_reply(exchange, 200, prepared->options.content_type,
		gzip ? prepared->compressed : prepared->body);
	atomic_fetch_add(&prepared->references, 1);
	exchange->prepared = prepared;
}

/* ---- Cells ---- */

void http_prepared_cell_init(struct http_prepared_cell *cell)
{
	pthread_mutex_init(&cell->mutex, NULL);
	cell->prepared = NULL;
}

void http_prepared_cell_release(struct http_prepared_cell *cell)
{
	http_prepared_release(cell->prepared);
	cell->prepared = NULL;
	pthread_mutex_destroy(&cell->mutex);
}

void http_prepared_cell_put(struct http_prepared_cell *cell, struct http_prepared *prepared)
{
	pthread_mutex_lock(&cell->mutex);
	struct http_prepared *old = cell->prepared;
	cell->prepared = prepared;
	pthread_mutex_unlock(&cell->mutex);
	http_prepared_release(old);
}

bool http_prepared_cell_is_full(struct http_prepared_cell *cell)
{
	pthread_mutex_lock(&cell->mutex);
	bool full = cell->prepared != NULL;
	pthread_mutex_unlock(&cell->mutex);
	return full;
}

bool http_reply_prepared_cell(struct http_exchange *exchange, struct http_prepared_cell *cell)
{
	pthread_mutex_lock(&cell->mutex);
	struct http_prepared *prepared = cell->prepared;
	if (prepared)
		atomic_fetch_add(&prepared->references, 1);
	pthread_mutex_unlock(&cell->mutex);
	if (!prepared)
		return false;
	http_reply_prepared(exchange, prepared);
	http_prepared_release(prepared);
	return true;
}
