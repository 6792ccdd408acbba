/* What people carry: the signed form of a place or a lobby rank (placeToken), and of the permission
 * to select seats (pass).
 *
 * Both are URL-safe text without secrets: the holder may read it, and nobody can make or change one
 * without a key. Therefore a place is known without asking anybody, and outlives the loss of
 * whatever stored it; and the service behind the gate checks a pass by itself.
 *
 * A signature says that *this person* was given *this*. Whoever shows it must also be that person
 * (compare `person` with whom the request is from, and `event` with the event that it is about).
 * A token that is shown twice is the same token: that it admits once per person and epoch is the
 * room's to keep.
 *
 * Format, before base64url without padding (RFC 4648, section 5); numbers are big-endian:
 *
 *	version  1 byte   1
 *	kind     1 byte   1 place, 2 lobby rank, 3 pass
 *	kid      1 byte of size, then the key's id
 *	event    1 byte of size, then the event's id
 *	person   1 byte of size, then the person's id
 *	number   8 bytes  the place or the rank
 *	epoch    8 bytes
 *	times    8 bytes each, Unix ms: issued; of a pass: admitted, claim's end, session's end
 *	mac      32 bytes HMAC-SHA256 with the purpose "onsale-token" over all that stands before
 *
 * The kind is among what is signed, so one kind cannot be shown as another. Each token has one
 * spelling: unused bits that are not zero are refused, as is anything in front or behind. */
#pragma once

#include <stdint.h>

#include "lib/base/limits.h"
#include "lib/base/slice.h"
#include "lib/ticketing/keyring.h"

enum {
	TOKEN_FIELD_SIZE_MAX = LIMIT_ID_SIZE_MAX, /* Bytes of an event's or a person's id. */
	TOKEN_PLACE_BYTES_MAX = 2 + 1 + KEYRING_KID_SIZE_MAX + 2 * (1 + TOKEN_FIELD_SIZE_MAX) +
		3 * 8 + KEYRING_MAC_SIZE,
	TOKEN_BYTES_MAX = TOKEN_PLACE_BYTES_MAX + 2 * 8, /* Of a pass, the longer of the two. */
	TOKEN_TEXT_MAX = (TOKEN_BYTES_MAX * 4 + 2) / 3,  /* Characters. */
	TOKEN_TEXT_SIZE = TOKEN_TEXT_MAX + 1,            /* With a zero byte. */
};

_Static_assert(TOKEN_TEXT_MAX <= 320, "a token fits into a line of a message and into a URL");

/* Memory for the texts of a token that is read; they are as long as it. */
struct token_bytes {
	uint8_t bytes[TOKEN_BYTES_MAX];
};

enum token_verdict {
	TOKEN_VALID,
	TOKEN_EXPIRED, /* A pass only: signed by us, and over. */
	TOKEN_FORGED,  /* Not signed by a key that we know: changed, cut, of another kind or no
			  token at all. Nobody learns which. */
};

/* The verdict in lower case, as APIs write it: "valid", "expired", "forged". Never NULL. */
const char *token_verdict_name(enum token_verdict verdict);

/* ---- places and ranks ---- */

enum place_token_kind {
	PLACE_TOKEN_PLACE = 1, /* `number` is a place in the line. */
	PLACE_TOKEN_RANK = 2,  /* `number` is a rank in the lobby. */
};

struct place_token {
	enum place_token_kind kind;
	struct slice event;   /* 1 to TOKEN_FIELD_SIZE_MAX bytes, none of them zero. */
	struct slice person;  /* As the event. */
	int64_t number;       /* From 1. */
	int64_t epoch;        /* From 1. */
	int64_t issued_at_ms; /* Unix time; not negative. */
};

/* Write the token, signed with the newest key and zero-terminated, and return its size without the
 * zero byte. The same fields and key give the same text. Fields out of their bounds are a bug. */
size_t place_token_make(
	const struct keyring *keyring, const struct place_token *token, char text[TOKEN_TEXT_SIZE]);

/* Read a token from anywhere. Only TOKEN_VALID fills in `token`, whose texts then point into
 * `bytes`. Never TOKEN_EXPIRED. Allocates nothing. */
__attribute__((warn_unused_result)) enum token_verdict place_token_read(
	const struct keyring *keyring, struct slice text, struct token_bytes *bytes,
	struct place_token *token);

/* ---- passes ---- */

/* A pass is valid by itself from its making until the session ends: what the service behind the
 * gate checks offline, at each request. Two things only the room knows, and the service asks it
 * when the pass is first used (claim): whether that was within the claim window, and whether the
 * person has left, fallen silent or been released since. `claim_ends_at_ms` is in the pass so that
 * a page can say until when. */
struct pass {
	struct slice event;  /* As of a place token. */
	struct slice person; /* The only one who may use it. */
	int64_t place;       /* From 1. */
	int64_t epoch;       /* From 1. */
	int64_t admitted_at_ms;
	int64_t claim_ends_at_ms;   /* From admitted_at_ms to session_ends_at_ms. */
	int64_t session_ends_at_ms; /* At this moment it is over. */
};

/* As place_token_make. The same admission gives the same pass, however often it is asked for, as
 * long as the room's times stay the same. */
size_t pass_make(
	const struct keyring *keyring, const struct pass *pass, char text[TOKEN_TEXT_SIZE]);

/* As place_token_read; `pass` is filled in when it is TOKEN_VALID or TOKEN_EXPIRED, so that an
 * expired one can be named. TOKEN_EXPIRED from `now_ms` = session_ends_at_ms on. */
__attribute__((warn_unused_result)) enum token_verdict pass_read(const struct keyring *keyring,
	struct slice text, int64_t now_ms, struct token_bytes *bytes, struct pass *pass);
