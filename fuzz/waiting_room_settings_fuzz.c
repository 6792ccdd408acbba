/* Fuzzes the body of PUT /events/{eventId}/waiting-room. What is accepted is in the range that the
 * contract promises to the technologies, and says what the JSON says. An input is the body. */
#include <math.h>
#include <stdlib.h>

#include "fuzz/fake_exchange.h"
#include "fuzz/fuzz.h"
#include "lib/http/internal.h"
#include "tech-waiting-room/waiting_room_front.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_request request = {.method = slice_of("PUT"),
		.target = slice_of("/events/e1/waiting-room"),
		.body = fuzz_slice(data, size)};
	struct slice head = slice_of("Host: h\nContent-Type: application/json\n");
	fake_headers_read(&request.headers, &head);
	struct http_exchange *exchange = fake_exchange_new(&request);
	fake_exchange_run(exchange, request.body);
	fake_exchange_check(exchange, slice_of(""));
	fake_exchange_free(exchange);
	fake_headers_release(&request.headers);
	return 0;
}

/* A number that was given is the one that was set, and in its range; one that was not, is not. */
static void check_number(
	const json_t *body, const char *name, bool has, double value, double min, double max)
{
	const json_t *given = json_object_get(body, name);
	assert(has == (given && !json_is_null(given)));
	assert(!has || (json_number_value(given) == value && value >= min && value <= max));
}

static void check_settings(const json_t *body, const struct front_settings *given)
{
	const struct waiting_room_settings *settings = &given->settings;
	const char *state = json_string_value(json_object_get(body, "state"));
	assert(state && strcmp(state, front_room_state_name(settings->state)) == 0);
	assert(settings->state <= WAITING_ROOM_CLOSED);
	assert(!given->has_rate || isfinite(settings->rate_per_second));
	check_number(body, "ratePerSecond", given->has_rate, settings->rate_per_second, 0.001,
		WAITING_ROOM_RATE_MAX);
	check_number(body, "activeMax", given->has_active_max, (double)settings->active_max, 0,
		WAITING_ROOM_ACTIVE_MAX);
	check_number(body, "claimSeconds", given->has_claim, (double)settings->claim_seconds, 1,
		WAITING_ROOM_SECONDS_MAX);
	check_number(body, "heartbeatSeconds", given->has_heartbeat,
		(double)settings->heartbeat_seconds, 1, WAITING_ROOM_SECONDS_MAX);
	check_number(body, "sessionSeconds", given->has_session, (double)settings->session_seconds,
		1, WAITING_ROOM_SECONDS_MAX);
	/* `null` takes a start away, which is also said. */
	const json_t *start = json_object_get(body, "startsAt");
	assert(given->has_start == (start != NULL));
	assert(json_is_string(start) ? settings->starts_at_ms > 0 : settings->starts_at_ms == 0);
}

static void configure(struct http_exchange *exchange)
{
	struct front_settings given = {.has_rate = false};
	if (!front_read_settings(exchange, &given)) {
		assert(exchange->status >= 400);
		return;
	}
	json_t *body = http_body_object(exchange);
	assert(body);
	check_settings(body, &given);
	http_reply_empty(exchange, 204);
}

const struct http_route fake_routes[] = {{HTTP_PUT, "/events/{eventId}/waiting-room", HTTP_ON_LOOP,
	configure, FRONT_BODY_BYTES_MAX}};
const size_t fake_route_count = 1;
