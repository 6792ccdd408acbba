/* Keys of streams: which streams have a key, and the events that wait for each of them. See
 * stream.h.
 *
 * All of it runs on the loop that owns the streams. A keyed event waits in a list of the stream's
 * own, since the ring forgets; it remembers how many messages of the channel came before it, so
 * that a stream that is sent each of them gets everything in the order in which it was sent. */
#include <sodium.h>
#include <stdlib.h>

#include "lib/http/stream_internal.h"

enum { BUCKETS_MIN = 16, KEYS_PER_VISIT = 256 };

_Static_assert(HTTP_HASH_KEY_SIZE == crypto_shorthash_KEYBYTES, "the key of the hash");
_Static_assert(HTTP_STREAM_WAITING_BYTES_MAX >= HTTP_EVENT_BYTES_MAX, "any event fits");
_Static_assert(HTTP_STREAM_KEY_SIZE_MAX <= UINT8_MAX, "the size of a key");

struct keyed_event {
	struct keyed_event *next;
	struct http_message *message;
	uint64_t after; /* The number of the channel's first message that is younger. */
};

struct http_keyed {
	struct http_keyed *next; /* In its bucket. */
	struct http_stream *stream;
	struct keyed_event *first, *last;
	size_t waiting_count, waiting_bytes;
	uint64_t hash;
	bool finishing; /* It ends when nothing waits any more. */
	uint8_t key_size;
	char key[];
};

/* ---- Which streams have a key ---- */

static uint64_t key_hash(const struct http_channel *channel, struct slice key)
{
	uint64_t hash;
	_Static_assert(sizeof hash == crypto_shorthash_BYTES, "the size of the hash");
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.data, key.size,
		channel->hash_key);
	return hash;
}

static struct http_keyed *first_of_bucket(const struct http_keys *keys, uint64_t hash)
{
	return keys->bucket_count > 0 ? keys->buckets[hash & (keys->bucket_count - 1)] : NULL;
}

static bool has_key(const struct http_keyed *keyed, uint64_t hash, struct slice key)
{
	return keyed->hash == hash && keyed->key_size == key.size &&
		memcmp(keyed->key, key.data, key.size) == 0;
}

size_t http_keys_count(const struct channel_side *side, struct slice key)
{
	uint64_t hash = key_hash(side->channel, key);
	const struct http_keyed *keyed = first_of_bucket(&side->keys, hash);
	size_t count = 0;
	for (; keyed; keyed = keyed->next)
		count += has_key(keyed, hash, key);
	return count;
}

static void bucket_add(struct http_keys *keys, struct http_keyed *keyed)
{
	struct http_keyed **bucket = &keys->buckets[keyed->hash & (keys->bucket_count - 1)];
	keyed->next = *bucket;
	*bucket = keyed;
}

/* Twice as many buckets, as soon as there are as many streams as buckets. */
static bool keys_grow(struct http_keys *keys)
{
	if (keys->count < keys->bucket_count)
		return true;
	struct http_keys grown = {.count = keys->count,
		.bucket_count = keys->bucket_count > 0 ? 2 * keys->bucket_count : BUCKETS_MIN};
	grown.buckets = calloc(grown.bucket_count, sizeof(struct http_keyed *));
	if (!grown.buckets)
		return false;
	for (size_t i = 0; i < keys->bucket_count; i++)
		for (struct http_keyed *keyed = keys->buckets[i], *next; keyed; keyed = next) {
			next = keyed->next;
			bucket_add(&grown, keyed);
		}
	free(keys->buckets);
	*keys = grown;
	return true;
}

bool http_keyed_begin(struct http_stream *stream, struct slice key)
{
	struct channel_side *side = stream->side;
	struct http_keyed *keyed = malloc(sizeof *keyed + key.size);
	if (!keyed || !keys_grow(&side->keys)) {
		free(keyed);
		return false;
	}
	*keyed = (struct http_keyed){.stream = stream,
		.hash = key_hash(side->channel, key),
		.key_size = (uint8_t)key.size};
	memcpy(keyed->key, key.data, key.size);
	bucket_add(&side->keys, keyed);
	side->keys.count++;
	stream->keyed = keyed;
	return true;
}

static void event_take_first(struct http_keyed *keyed)
{
	struct keyed_event *event = keyed->first;
	keyed->first = event->next;
	keyed->waiting_count--;
	keyed->waiting_bytes -= event->message->size;
	http_message_drop(event->message);
	free(event);
}

void http_keyed_end(struct http_stream *stream)
{
	struct http_keyed *keyed = stream->keyed;
	if (!keyed)
		return;
	struct http_keys *keys = &stream->side->keys;
	struct http_keyed **place = &keys->buckets[keyed->hash & (keys->bucket_count - 1)];
	while (*place != keyed)
		place = &(*place)->next;
	*place = keyed->next;
	keys->count--;
	while (keyed->first)
		event_take_first(keyed);
	free(keyed);
	stream->keyed = NULL;
}

void http_keys_free(struct http_keys *keys)
{
	assert(keys->count == 0);
	free(keys->buckets);
}

/* ---- Events that wait ---- */

static bool event_add(struct http_keyed *keyed, struct http_message *message)
{
	if (keyed->waiting_count == HTTP_STREAM_WAITING_MAX ||
		keyed->waiting_bytes + message->size > HTTP_STREAM_WAITING_BYTES_MAX)
		return false;
	struct keyed_event *event = malloc(sizeof *event);
	if (!event)
		return false;
	*event = (struct keyed_event){
		.message = http_message_hold(message), .after = keyed->stream->side->head};
	if (keyed->first)
		keyed->last->next = event;
	else
		keyed->first = event;
	keyed->last = event;
	keyed->waiting_count++;
	keyed->waiting_bytes += message->size;
	return true;
}

void http_keyed_deliver(struct channel_side *side, const struct http_notice *notice)
{
	struct slice key = {.data = notice->key, .size = notice->key_size};
	uint64_t hash = key_hash(side->channel, key);
	struct http_keyed *keyed = first_of_bucket(&side->keys, hash);
	for (; keyed; keyed = keyed->next) {
		if (!has_key(keyed, hash, key) || keyed->stream->ending || keyed->finishing)
			continue;
		if (notice->message && !event_add(keyed, notice->message)) {
			/* Its client is to come back and read the state anew. */
			http_stream_end(keyed->stream);
			continue;
		}
		keyed->finishing = notice->kind == HTTP_NOTICE_LAST;
		http_stream_wake(keyed->stream);
	}
}

struct http_message *http_keyed_next(struct http_stream *stream)
{
	struct http_keyed *keyed = stream->keyed;
	if (!keyed)
		return NULL;
	if (keyed->first && keyed->first->after <= stream->position) {
		struct http_message *message = http_message_hold(keyed->first->message);
		event_take_first(keyed);
		return message;
	}
	if (!keyed->first && keyed->finishing)
		stream->ending = true;
	return NULL;
}

/* ---- Asking for keys ---- */

void http_keyed_visit(const struct channel_side *side, const struct http_key_visit *visit)
{
	struct slice keys[KEYS_PER_VISIT];
	size_t count = 0;
	for (size_t i = 0; i < side->keys.bucket_count; i++)
		for (const struct http_keyed *keyed = side->keys.buckets[i]; keyed;
			keyed = keyed->next) {
			if (keyed->stream->ending)
				continue;
			keys[count++] = (struct slice){.data = keyed->key, .size = keyed->key_size};
			if (count == KEYS_PER_VISIT) {
				visit->visit(visit->context, keys, count);
				count = 0;
			}
		}
	if (count > 0)
		visit->visit(visit->context, keys, count);
}
