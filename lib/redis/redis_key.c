/* Keys and their slots in a cluster. */
#include <assert.h>
#include <stdio.h>

#include "lib/redis/redis.h"

struct slice redis_key(
	char key[REDIS_KEY_SIZE_MAX], const char *prefix, struct slice event_id, const char *name)
{
	assert(memchr(event_id.data, '{', event_id.size) == NULL);
	assert(memchr(event_id.data, '}', event_id.size) == NULL && event_id.size > 0);
	assert(strpbrk(prefix, "{}") == NULL && strpbrk(name, "{}") == NULL);
	int size = snprintf(
		key, REDIS_KEY_SIZE_MAX, "%s:{%.*s}:%s", prefix, SLICE_PRINT(event_id), name);
	assert(size > 0 && size < REDIS_KEY_SIZE_MAX);
	return (struct slice){.data = key, .size = (size_t)size};
}

/* CRC-16/XMODEM: polynomial 0x1021, initial value 0, nothing reflected. Bit by bit, because keys
 * are short and nobody asks for slots in a loop. */
static unsigned crc16(struct slice bytes)
{
	unsigned crc = 0;
	for (size_t i = 0; i < bytes.size; i++) {
		crc ^= (unsigned)(unsigned char)bytes.data[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
		crc &= 0xffff;
	}
	return crc;
}

unsigned redis_slot(struct slice key)
{
	const char *open = key.size > 0 ? memchr(key.data, '{', key.size) : NULL;
	if (open != NULL) {
		const char *tag = open + 1;
		const char *close = memchr(tag, '}', key.size - (size_t)(tag - key.data));
		if (close != NULL && close > tag)
			key = (struct slice){.data = tag, .size = (size_t)(close - tag)};
	}
	return crc16(key) % REDIS_SLOTS;
}
