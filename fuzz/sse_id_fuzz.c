/* Fuzzes Last-Event-ID: a returning client goes on behind the event that it names, or is told to
 * reset; it never misses an event without knowing. The first byte chooses the channel. '@' in the
 * rest, which is the header's value, stands for the channel's epoch, which is random. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fake_exchange.h"
#include "fuzz/fuzz.h"
#include "lib/base/buffer.h"
#include "lib/http/internal.h"

enum { BACKLOG = 16, READ_BYTES_MAX = 1 << 16 };

static const struct {
	enum http_delivery delivery;
	uint64_t published;
} kinds[] = {
	{HTTP_DELIVER_EACH, 0},
	{HTTP_DELIVER_EACH, 5},
	{HTTP_DELIVER_EACH, 16},
	{HTTP_DELIVER_EACH, 40},
	{HTTP_DELIVER_LATEST, 40},
	{HTTP_DELIVER_LATEST, 0},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static struct http_channel *channels[KIND_COUNT];
static char epochs[KIND_COUNT][17];
static size_t current;

static void open_channels(void);
static char *last_event_id(struct slice text, const char *epoch);
static void run(const char *id);
static void check_events(const char *id, const char *text);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (!channels[0])
		open_channels();
	current = data[0] % KIND_COUNT;
	char *id = last_event_id(fuzz_slice(data + 1, size - 1), epochs[current]);
	run(id);
	free(id);
	return 0;
}

/* ---- The channels ---- */

static void follow(struct http_exchange *exchange)
{
	http_stream_begin(exchange, channels[current], slice_of("event: state\ndata: {}\n\n"));
}

const struct http_route fake_routes[] = {{HTTP_GET, "/", HTTP_ON_LOOP, follow, 0}};
const size_t fake_route_count = 1;

/* Open a stream with this id, or none, and return what it reads; the caller frees it. */
static char *read_stream(const char *id)
{
	struct fake_request request = {
		.method = slice_of("GET"), .target = slice_of("/"), .body = slice_of("")};
	request.headers.items[0].name = (char[]){"Last-Event-ID"};
	request.headers.items[0].value = (char *)(uintptr_t)id;
	request.headers.count = id ? 1 : 0;
	struct http_exchange *exchange = fake_exchange_new(&request);
	assert(http_request_parse(exchange));
	exchange->route->handle(exchange);
	assert(exchange->status == 200 && exchange->stream);
	char *text = malloc(READ_BYTES_MAX + 1);
	assert(text);
	size_t size = fake_stream_read(exchange, text, READ_BYTES_MAX);
	assert(size < READ_BYTES_MAX);
	text[size] = '\0';
	fake_exchange_free(exchange);
	return text;
}

static void publish(struct http_channel *channel)
{
	assert(http_channel_publish(channel, "seats", slice_of("{}\n[]")) == STATUS_OK);
	fake_loop_deliver();
}

/* A reset tells the epoch of a channel that has published; that of another cannot be known, and
 * needs not be. */
static void open_channels(void)
{
	for (current = 0; current < KIND_COUNT; current++) {
		const struct http_channel_options options = {
			.delivery = kinds[current].delivery, .backlog = BACKLOG};
		channels[current] = fake_channel_open(&options);
		assert(channels[current]);
		for (uint64_t i = 0; i < kinds[current].published; i++)
			publish(channels[current]);
		memcpy(epochs[current], "0000000000000000", sizeof epochs[current]);
		if (kinds[current].published == 0)
			continue;
		char *text = read_stream("x");
		const char *id = strstr(text, "id: ");
		assert(id);
		memcpy(epochs[current], id + 4, sizeof epochs[current] - 1);
		free(text);
	}
}

/* ---- One input ---- */

static char *last_event_id(struct slice text, const char *epoch)
{
	struct buffer id;
	buffer_init(&id, READ_BYTES_MAX);
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '@')
			buffer_add_text(&id, epoch);
		else
			buffer_add(&id, text.data + i, 1);
	char *copy = fuzz_copy(id.failed || id.size == 0 ? slice_of("") : buffer_slice(&id));
	buffer_release(&id);
	return copy;
}

static void run(const char *id)
{
	char *text = read_stream(id);
	check_events(id, text);
	free(text);
}

/* The number of the event that `id` names, if this channel has published it; else −1. */
static int64_t number_of(const char *id)
{
	char expected[40];
	int64_t number = kinds[current].published > 0 ? (int64_t)kinds[current].published - 1 : -1;
	for (; number >= 0; number--) {
		snprintf(expected, sizeof expected, "%s-%" PRId64, epochs[current], number);
		if (strcmp(id, expected) == 0)
			break;
	}
	return number;
}

static uint64_t number_at(const char *line)
{
	assert(strncmp(line, "id: ", 4) == 0 && strncmp(line + 4, epochs[current], 16) == 0);
	return strtoull(line + 4 + 17, NULL, 10);
}

static void check_events(const char *id, const char *text)
{
	int64_t known = number_of(id), published = (int64_t)kinds[current].published;
	bool each = kinds[current].delivery == HTTP_DELIVER_EACH;
	const char *reset = strstr(text, "event: reset\n"), *line = text;
	bool has_it = known >= 0 && known + 1 >= published - BACKLOG;
	assert(strncmp(text, "retry: ", 7) == 0 && strstr(text, "event: state\n"));
	assert(!reset == has_it);
	/* In order, the events behind the known one; or the last one, unless that is known. */
	bool has_latest = has_it && known + 1 == published;
	int64_t next = has_it && (each || has_latest) ? known + 1
		: each                                ? published
						      : published - 1;
	const char *own = strstr(text, "event: state\n");
	for (line = strstr(own, "id: "); line; line = strstr(line + 1, "id: "), next++)
		assert(number_at(line) == (uint64_t)next);
	assert(next == (published > 0 || each ? published : -1));
}
