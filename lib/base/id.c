/* UUIDv7, made without a lock: each thread counts for itself, and 62 random bits keep the threads,
 * processes and machines apart. The random bits come from the kernel each time: a pool of them
 * would be copied by fork(), and parent and child would then make the same ids. */
#include "lib/base/id.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
	COUNTER_MAX = 0xFFF,
	COUNTER_START_MAX = 0x7FF, /* RFC 9562, section 6.2: half is kept free for counting. */
};

/* The time and count of this thread's last id. */
static _Thread_local int64_t last_ms = -1;
static _Thread_local uint32_t last_counter;

static void advance(int64_t wall_ms, uint32_t counter_start);
static int hexadecimal_value(char c);

struct id id_new(int64_t wall_ms)
{
	assert(wall_ms >= 0 && wall_ms < INT64_C(1) << 48);

	struct id id;
	random_bytes(&id.bytes[6], sizeof id.bytes - 6);
	advance(wall_ms, ((uint32_t)id.bytes[6] << 8 | id.bytes[7]) & COUNTER_START_MAX);
	for (unsigned index = 0; index < 6; index++)
		id.bytes[index] = (uint8_t)(last_ms >> (40 - 8 * index));
	id.bytes[6] = (uint8_t)(0x70 | last_counter >> 8);
	id.bytes[7] = (uint8_t)last_counter;
	id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
	return id;
}

/* Move on from this thread's last id. A wall clock that stands still or goes back is counted
 * through, and a full counter borrows the next millisecond (RFC 9562, section 6.2, "rollover"). */
static void advance(int64_t wall_ms, uint32_t counter_start)
{
	if (wall_ms > last_ms) {
		last_ms = wall_ms;
		last_counter = counter_start;
	} else if (last_counter < COUNTER_MAX) {
		last_counter++;
	} else {
		last_ms++;
		last_counter = counter_start;
	}
}

void id_format(struct id id, char text[ID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *next = text;
	for (unsigned index = 0; index < sizeof id.bytes; index++) {
		if (index == 4 || index == 6 || index == 8 || index == 10)
			*next++ = '-';
		*next++ = digits[id.bytes[index] >> 4];
		*next++ = digits[id.bytes[index] & 0xF];
	}
	*next = '\0';
}

bool id_parse(struct slice text, struct id *id)
{
	if (text.size != ID_TEXT_SIZE - 1)
		return false;

	struct id result;
	const char *next = text.data;
	for (unsigned index = 0; index < sizeof result.bytes; index++) {
		if ((index == 4 || index == 6 || index == 8 || index == 10) && *next++ != '-')
			return false;
		int high = hexadecimal_value(next[0]);
		int low = hexadecimal_value(next[1]);
		if (high < 0 || low < 0)
			return false;
		result.bytes[index] = (uint8_t)(high << 4 | low);
		next += 2;
	}
	*id = result;
	return true;
}

/* By hand, since isxdigit asks the locale. */
static int hexadecimal_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void random_bytes(void *bytes, size_t size)
{
	uint8_t *next = bytes;
	while (size > 0) {
		ssize_t got = getrandom(next, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			perror("The kernel has no random bytes");
			abort();
		}
		next += got;
		size -= (size_t)got;
	}
}
