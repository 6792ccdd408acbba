/* One body for all kinds, written and read in the order of the format: head (version, kind, key
 * id), texts, numbers, MAC. */
#include "lib/ticketing/place_token.h"

#include <assert.h>

#include "lib/ticketing/base64.h"
#include "lib/ticketing/hmac.h"

enum {
	TOKEN_VERSION = 1,
	TOKEN_KIND_PASS = 3, /* After the kinds of places. */
	TOKEN_NUMBERS_MAX = 5,
};

static const char purpose[] = "onsale-token";

struct token_body {
	uint8_t kind;
	struct slice kid, event, person;
	/* The number, the epoch and the times, in the order of the format. */
	int64_t numbers[TOKEN_NUMBERS_MAX];
};

static size_t body_make(
	const struct keyring *keyring, const struct token_body *body, char text[TOKEN_TEXT_SIZE]);
static bool body_read(const struct keyring *keyring, struct slice text, struct token_bytes *bytes,
	struct token_body *body);

const char *token_verdict_name(enum token_verdict verdict)
{
	switch (verdict) {
	case TOKEN_VALID:
		return "valid";
	case TOKEN_EXPIRED:
		return "expired";
	case TOKEN_FORGED:
		break;
	}
	return "forged";
}

/* ---- places and ranks ---- */

size_t place_token_make(
	const struct keyring *keyring, const struct place_token *token, char text[TOKEN_TEXT_SIZE])
{
	assert(token->kind == PLACE_TOKEN_PLACE || token->kind == PLACE_TOKEN_RANK);
	const struct token_body body = {
		.kind = (uint8_t)token->kind,
		.event = token->event,
		.person = token->person,
		.numbers = {token->number, token->epoch, token->issued_at_ms},
	};
	return body_make(keyring, &body, text);
}

enum token_verdict place_token_read(const struct keyring *keyring, struct slice text,
	struct token_bytes *bytes, struct place_token *token)
{
	struct token_body body;
	if (!body_read(keyring, text, bytes, &body) || body.kind == TOKEN_KIND_PASS)
		return TOKEN_FORGED;
	*token = (struct place_token){
		.kind = (enum place_token_kind)body.kind,
		.event = body.event,
		.person = body.person,
		.number = body.numbers[0],
		.epoch = body.numbers[1],
		.issued_at_ms = body.numbers[2],
	};
	return TOKEN_VALID;
}

/* ---- passes ---- */

size_t pass_make(const struct keyring *keyring, const struct pass *pass, char text[TOKEN_TEXT_SIZE])
{
	const struct token_body body = {
		.kind = TOKEN_KIND_PASS,
		.event = pass->event,
		.person = pass->person,
		.numbers = {pass->place, pass->epoch, pass->admitted_at_ms, pass->claim_ends_at_ms,
			pass->session_ends_at_ms},
	};
	return body_make(keyring, &body, text);
}

enum token_verdict pass_read(const struct keyring *keyring, struct slice text, int64_t now_ms,
	struct token_bytes *bytes, struct pass *pass)
{
	struct token_body body;
	if (!body_read(keyring, text, bytes, &body) || body.kind != TOKEN_KIND_PASS)
		return TOKEN_FORGED;
	*pass = (struct pass){
		.event = body.event,
		.person = body.person,
		.place = body.numbers[0],
		.epoch = body.numbers[1],
		.admitted_at_ms = body.numbers[2],
		.claim_ends_at_ms = body.numbers[3],
		.session_ends_at_ms = body.numbers[4],
	};
	return now_ms < pass->session_ends_at_ms ? TOKEN_VALID : TOKEN_EXPIRED;
}

/* ---- the body ---- */

/* How many numbers a token of this kind has; 0: there is no such kind. */
static size_t number_count(uint8_t kind)
{
	switch (kind) {
	case PLACE_TOKEN_PLACE:
	case PLACE_TOKEN_RANK:
		return 3;
	case TOKEN_KIND_PASS:
		return TOKEN_NUMBERS_MAX;
	default:
		return 0;
	}
}

static bool is_sound_text(struct slice text)
{
	return text.size >= 1 && text.size <= TOKEN_FIELD_SIZE_MAX &&
		!memchr(text.data, '\0', text.size);
}

/* Whether the fields are within the bounds that the header promises: asked of what is signed, and
 * again of what is read, since another program with the key may be of another opinion. */
static bool is_sound(const struct token_body *body)
{
	const int64_t *numbers = body->numbers;
	return number_count(body->kind) > 0 && is_sound_text(body->event) &&
		is_sound_text(body->person) && numbers[0] >= 1 && numbers[1] >= 1 &&
		numbers[2] >= 0 &&
		(body->kind != TOKEN_KIND_PASS ||
			(numbers[2] <= numbers[3] && numbers[3] <= numbers[4]));
}

static uint8_t *put_text(uint8_t *at, struct slice text)
{
	*at++ = (uint8_t)text.size;
	memcpy(at, text.data, text.size);
	return at + text.size;
}

static size_t body_make(
	const struct keyring *keyring, const struct token_body *body, char text[TOKEN_TEXT_SIZE])
{
	assert(is_sound(body));
	uint8_t bytes[TOKEN_BYTES_MAX], *at = bytes;
	*at++ = TOKEN_VERSION;
	*at++ = body->kind;
	at = put_text(at, keyring_newest(keyring));
	at = put_text(at, body->event);
	at = put_text(at, body->person);
	for (size_t i = 0; i < number_count(body->kind); i++, at += 8)
		put_big_endian(at, body->numbers[i]);
	keyring_sign(keyring, purpose, slice_of_bytes(bytes, (size_t)(at - bytes)), at);
	at += KEYRING_MAC_SIZE;
	size_t size = base64_write_url(bytes, (size_t)(at - bytes), text);
	text[size] = '\0';
	return size;
}

/* Take a text with its size out of `rest`. The size is checked against what is there, so that
 * nothing is read behind it. */
static bool take_text(struct slice *rest, struct slice *text)
{
	if (rest->size == 0)
		return false;
	size_t size = (uint8_t)rest->data[0];
	if (size >= rest->size)
		return false;
	*text = (struct slice){.data = rest->data + 1, .size = size};
	rest->data += 1 + size;
	rest->size -= 1 + size;
	return true;
}

/* Take apart what stands before the MAC. False when it is not exactly one body. */
static bool parse(struct slice rest, struct token_body *body)
{
	if (rest.size < 2 || rest.data[0] != TOKEN_VERSION)
		return false;
	body->kind = (uint8_t)rest.data[1];
	rest.data += 2;
	rest.size -= 2;
	if (!take_text(&rest, &body->kid) || !take_text(&rest, &body->event) ||
		!take_text(&rest, &body->person))
		return false;
	size_t count = number_count(body->kind);
	if (count == 0 || rest.size != count * 8)
		return false;
	for (size_t i = 0; i < count; i++)
		body->numbers[i] = get_big_endian((const uint8_t *)rest.data + i * 8);
	return true;
}

static bool body_read(const struct keyring *keyring, struct slice text, struct token_bytes *bytes,
	struct token_body *body)
{
	size_t size;
	if (text.size > TOKEN_TEXT_MAX ||
		!base64_read(BASE64_URL_PLAIN, text, bytes->bytes, sizeof bytes->bytes, &size) ||
		size < KEYRING_MAC_SIZE)
		return false;
	struct slice signed_part = slice_of_bytes(bytes->bytes, size - KEYRING_MAC_SIZE);
	return parse(signed_part, body) && is_sound(body) &&
		keyring_verify(
			keyring, body->kid, purpose, signed_part, bytes->bytes + signed_part.size);
}
