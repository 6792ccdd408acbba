/* See session_token.h. */
#include "real-implementation/session_token.h"

#include <assert.h>

#include "lib/ticketing/base64.h"
#include "lib/ticketing/hmac.h"

enum { SESSION_VERSION = 1, USER_SIZE = 16, TIME_SIZE = 8 };

static const char purpose[] = "onsale-session";

static bool parse(struct slice rest, struct session_token *token, struct slice *kid);
static bool is_sound(const struct session_token *token);

struct id session_user_new(void)
{
	struct id user;
	random_bytes(user.bytes, sizeof user.bytes);
	user.bytes[6] = (uint8_t)((user.bytes[6] & 0x0F) | 0x40);
	user.bytes[8] = (uint8_t)((user.bytes[8] & 0x3F) | 0x80);
	return user;
}

size_t session_token_make(const struct keyring *keyring, const struct session_token *token,
	char text[SESSION_TOKEN_TEXT_SIZE])
{
	assert(is_sound(token));
	uint8_t bytes[SESSION_TOKEN_BYTES_MAX], *at = bytes;
	struct slice kid = keyring_newest(keyring);
	*at++ = SESSION_VERSION;
	*at++ = (uint8_t)kid.size;
	memcpy(at, kid.data, kid.size);
	at += kid.size;
	memcpy(at, token->user.bytes, USER_SIZE);
	at += USER_SIZE;
	put_big_endian(at, token->issued_at_ms);
	put_big_endian(at + TIME_SIZE, token->expires_at_ms);
	at += 2 * TIME_SIZE;
	keyring_sign(keyring, purpose, slice_of_bytes(bytes, (size_t)(at - bytes)), at);
	at += KEYRING_MAC_SIZE;
	size_t size = base64_write_url(bytes, (size_t)(at - bytes), text);
	text[size] = '\0';
	return size;
}

enum session_verdict session_token_read(const struct keyring *keyring, struct slice text,
	int64_t now_ms, struct session_token *token)
{
	uint8_t bytes[SESSION_TOKEN_BYTES_MAX];
	struct session_token found;
	struct slice kid;
	size_t size;
	if (text.size > SESSION_TOKEN_TEXT_MAX ||
		!base64_read(BASE64_URL_PLAIN, text, bytes, sizeof bytes, &size) ||
		size < KEYRING_MAC_SIZE)
		return SESSION_FORGED;
	struct slice signed_part = slice_of_bytes(bytes, size - KEYRING_MAC_SIZE);
	if (!parse(signed_part, &found, &kid) || !is_sound(&found) ||
		!keyring_verify(keyring, kid, purpose, signed_part, bytes + signed_part.size))
		return SESSION_FORGED;
	*token = found;
	return now_ms < found.expires_at_ms ? SESSION_VALID : SESSION_EXPIRED;
}

/* Take apart what stands before the MAC. False when it is not exactly one token. */
static bool parse(struct slice rest, struct session_token *token, struct slice *kid)
{
	if (rest.size < 2 || rest.data[0] != SESSION_VERSION)
		return false;
	size_t kid_size = (uint8_t)rest.data[1];
	if (rest.size != 2 + kid_size + USER_SIZE + 2 * TIME_SIZE)
		return false;
	*kid = (struct slice){.data = rest.data + 2, .size = kid_size};
	const uint8_t *at = (const uint8_t *)rest.data + 2 + kid_size;
	memcpy(token->user.bytes, at, USER_SIZE);
	token->issued_at_ms = get_big_endian(at + USER_SIZE);
	token->expires_at_ms = get_big_endian(at + USER_SIZE + TIME_SIZE);
	return true;
}

/* Asked of what is signed, and again of what is read, since another program with the key may be of
 * another opinion. */
static bool is_sound(const struct session_token *token)
{
	return token->issued_at_ms >= 0 && token->issued_at_ms <= token->expires_at_ms;
}

enum session_cookie session_cookie_find(struct slice header, const char *name, struct slice *value)
{
	enum session_cookie found = SESSION_COOKIE_NONE;
	for (struct slice pair; slice_split(&header, ';', &pair);) {
		struct slice rest = slice_trim(pair), key;
		if (!slice_split(&rest, '=', &key) || !rest.data || !slice_is(key, name))
			continue;
		if (found != SESSION_COOKIE_NONE)
			return SESSION_COOKIE_AMBIGUOUS;
		found = SESSION_COOKIE_ONE;
		*value = rest;
	}
	return found;
}
