/* What says who somebody is: a signed session token, shown as a bearer token or in a cookie.
 *
 * A person is a random id that we have given them, nothing more; so there is no account, and no
 * table of sessions. Whoever shows the token is that person until it expires. It is therefore a
 * secret of theirs, and not to be logged.
 *
 * Format, before base64url without padding (RFC 4648, section 5); numbers are big-endian:
 *
 *	version  1 byte   1
 *	kid      1 byte of size, then the key's id
 *	user     16 bytes a UUID
 *	issued   8 bytes  Unix ms
 *	expires  8 bytes  Unix ms
 *	mac      32 bytes HMAC-SHA256 with the purpose "onsale-session" over all that stands before
 *
 * The purpose is not that of places and passes, so none of those is a session, nor the other way
 * round, though they may share a keyring. Each token has one spelling: unused bits that are not
 * zero are refused, as is anything in front or behind. */
#pragma once

#include "lib/base/id.h"
#include "lib/base/slice.h"
#include "lib/ticketing/keyring.h"

enum {
	SESSION_TOKEN_BYTES_MAX = 1 + 1 + KEYRING_KID_SIZE_MAX + 16 + 2 * 8 + KEYRING_MAC_SIZE,
	SESSION_TOKEN_TEXT_MAX = (SESSION_TOKEN_BYTES_MAX * 4 + 2) / 3, /* Characters. */
	SESSION_TOKEN_TEXT_SIZE = SESSION_TOKEN_TEXT_MAX + 1,           /* With a zero byte. */
};

struct session_token {
	struct id user;
	int64_t issued_at_ms;  /* Unix time; not negative. */
	int64_t expires_at_ms; /* Not before issued_at_ms. At this moment it is over. */
};

enum session_verdict {
	SESSION_VALID,
	SESSION_EXPIRED, /* Signed by us, and over. */
	SESSION_FORGED,  /* Not signed by a key that we know: changed, cut, of another kind or no
			  * token at all. Nobody learns which. */
};

/* A new person: a UUIDv4 (RFC 9562, section 5.4), 122 bits of which are random. Whoever guesses one
 * has gained nothing, since only a token proves it. */
struct id session_user_new(void);

/* Write the token, signed with the newest key and zero-terminated, and return its size without the
 * zero byte. The same fields and key give the same text. Fields out of their bounds are a bug. */
size_t session_token_make(const struct keyring *keyring, const struct session_token *token,
	char text[SESSION_TOKEN_TEXT_SIZE]);

/* Read a token from anywhere. `token` is filled in unless it is SESSION_FORGED. SESSION_EXPIRED
 * from `now_ms` = expires_at_ms on. Allocates nothing. */
__attribute__((warn_unused_result)) enum session_verdict session_token_read(
	const struct keyring *keyring, struct slice text, int64_t now_ms,
	struct session_token *token);

enum session_cookie {
	SESSION_COOKIE_NONE,
	SESSION_COOKIE_ONE,
	SESSION_COOKIE_AMBIGUOUS, /* Several of the name. */
};

/* Find the cookie of this name in the value of a Cookie header (RFC 6265, section 4.2.1), whose
 * pairs are separated by semicolons. With SESSION_COOKIE_ONE, `value` is its value as it stands
 * there. Names are compared as they are, in their case; a value in quotation marks is not the one
 * within. What other pairs look like is not judged: they are not ours. Several of the name are
 * ambiguous, also when they are equal: another site of the same domain can add one, and which of
 * them counts must not be its choice. */
__attribute__((warn_unused_result)) enum session_cookie session_cookie_find(
	struct slice header, const char *name, struct slice *value);
