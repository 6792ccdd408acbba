/* Passes, for the service behind the gate: is this one good, it is used for the first time, it has
 * served.
 *
 * The answer is always 200 with a result, since a bad pass is what the service asks about and no
 * fault of its request. Whoever says which person or event the pass is shown for (`userId`,
 * `eventId`) is told "forged" when it is another's: it is not *their* pass, and nobody learns more.
 */
#include "lib/http/fields.h"
#include "tech-waiting-room/waiting_room_front.h"

static void reply_result(struct http_exchange *exchange, const char *result)
{
	http_reply_json(exchange, 200, json_pack("{s:s}", "result", result));
}

static bool is_for(struct http_fields *fields, const char *name, bool *same, struct slice text)
{
	if (!http_field_given(fields, name))
		return true;
	struct slice wanted = http_field_id(fields, name);
	*same = *same && slice_equal(wanted, text);
	return wanted.data != NULL;
}

static void about_pass(struct http_exchange *exchange, enum front_operation operation)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct front_request *request = front_request_new(exchange, operation);
	struct http_fields fields;
	if (!request)
		return;
	http_fields_begin(&fields, exchange);
	struct slice text = http_field_text(&fields, "pass", TOKEN_TEXT_MAX);
	enum token_verdict verdict = TOKEN_FORGED;
	if (text.data)
		verdict = pass_read(routes->options.keyring, text, clock_wall_ms(clock_system()),
			&request->pass_bytes, &request->pass);
	bool same = true;
	if (!is_for(&fields, "userId", &same, request->pass.person) ||
		!is_for(&fields, "eventId", &same, request->pass.event) ||
		!http_fields_end(&fields))
		return;
	if (verdict != TOKEN_VALID || !same) {
		reply_result(exchange,
			token_verdict_name(
				verdict == TOKEN_VALID || !same ? TOKEN_FORGED : verdict));
		return;
	}
	request->event = request->pass.event;
	request->person = request->pass.person;
	front_submit(request);
}

void front_verify(struct http_exchange *exchange)
{
	metrics_counter_add(front_of(exchange)->metrics.verified, 1);
	about_pass(exchange, FRONT_VERIFY);
}

void front_claim(struct http_exchange *exchange)
{
	if (front_is_admin(exchange))
		about_pass(exchange, FRONT_CLAIM);
}

void front_release(struct http_exchange *exchange)
{
	if (front_is_admin(exchange))
		about_pass(exchange, FRONT_RELEASE);
}
