/* What a ticket's QR shows: a signed code that a scanner checks offline, with the published keys
 * alone (ticket_keys.h).
 *
 * A code is 178 characters of base32 (RFC 4648, section 6; capitals, no padding) for these 111
 * bytes; numbers are big-endian:
 *
 *	offset  size
 *	     0     1  version: 1
 *	     1     8  key id: 1 to 8 of A–Z a–z 0–9 - _ . ~, then zeros
 *	     9    16  event's id, a UUID
 *	    25    16  ticket's id, a UUID
 *	    41     2  generation, from 1
 *	    43     4  when it was issued: seconds since 1970-01-01T00:00:00Z
 *	    47    64  signature
 *
 * The signature is that of plain Ed25519 (RFC 8032, section 5.1) over the 14 bytes "onsale-ticket"
 * and zero, followed by bytes 0 to 46. So any library of Ed25519 checks a code: take the key with
 * this kid from the JWK Set, decode its x from base64url, and verify. The zero-terminated purpose
 * keeps the key's signatures for anything else from being codes. With Python's cryptography:
 *
 *	code = base64.b32decode(text + "======")
 *	kid = code[1:9].rstrip(b"\0").decode()
 *	Ed25519PublicKey.from_public_bytes(keys[kid]).verify(
 *		code[47:], b"onsale-ticket\0" + code[:47])
 *
 * Why base32: a QR packs capitals and digits, 45 characters, at 5.5 bits each, so base32 costs a
 * tenth more than bytes would, and base64url, for which it has only whole bytes, a third more. The
 * smallest QR versions, measured with libqrencode 4.1.1 for 111 bytes:
 *
 *	                   characters   level L   level M   level Q
 *	base32                    178         6         7         9
 *	base45 (RFC 9285)         167         6         7         9
 *	base64url                 148         7         8        10
 *	hexadecimal               222         7         9        11
 *	the bytes themselves      111         6         7         9
 *
 * Bytes and base45 pack closer and gain no version; readers guess at the character set of bytes,
 * and base45 has spaces and % in it. Base32 passes unharmed through URLs, file names and mail, and
 * can be typed. The fields are as wide as version 7-M holds: one byte more would make it 8.
 *
 * A code says what was issued. Whether it still holds is for whoever scans: whether this is the
 * event, whether the ticket was reissued since, which gave it a higher generation, or canceled, and
 * whether it has been used. Everybody who sees a code can copy it, so it is not to be logged. */
#pragma once

#include <stdint.h>

#include "lib/base/id.h"
#include "lib/base/slice.h"
#include "lib/ticketing/ticket_keys.h"

enum {
	TICKET_CODE_SIZE = 1 + TICKET_KID_SIZE_MAX + 16 + 16 + 2 + 4 + TICKET_SIGNATURE_SIZE,
	TICKET_CODE_TEXT_MAX = (TICKET_CODE_SIZE * 8 + 4) / 5, /* Characters of each code. */
	TICKET_CODE_TEXT_SIZE = TICKET_CODE_TEXT_MAX + 1,      /* With a zero byte. */
	TICKET_GENERATION_MAX = UINT16_MAX,
};

_Static_assert(TICKET_CODE_SIZE == 111 && TICKET_CODE_TEXT_MAX == 178,
	"version 7-M of a QR holds 178 alphanumeric characters (ISO/IEC 18004, table 7)");

struct ticket_code {
	struct id event;
	struct id ticket;
	int64_t generation;  /* 1 to TICKET_GENERATION_MAX: 1 more with each reissue of the ticket.
			      */
	int64_t issued_at_s; /* Unix seconds, 0 to UINT32_MAX, which is in the year 2106. */
};

enum ticket_code_verdict {
	TICKET_CODE_GENUINE,
	TICKET_CODE_MALFORMED,   /* Not in the format: no code of ours, misread or cut. */
	TICKET_CODE_UNKNOWN_KEY, /* It names a key that is not in the set: the scanner's set may be
				  * too old, so fetch it again before refusing. */
	TICKET_CODE_BAD_SIGNATURE, /* That key did not sign this. */
};

/* The verdict as APIs write it: "genuine", "malformed", "unknown_key", "bad_signature". Never
 * NULL. */
const char *ticket_code_verdict_name(enum ticket_code_verdict verdict);

/* Write the code, signed with the signer's first key and zero-terminated. The same fields and key
 * give the same text. Fields out of their bounds are a bug. */
void ticket_code_make(const struct ticket_signer *signer, const struct ticket_code *code,
	char text[TICKET_CODE_TEXT_SIZE]);

/* Read a code from anywhere. Only TICKET_CODE_GENUINE fills in `code` and sets `*key` to the key of
 * the set that signed it; `key` may be NULL. Each code has one spelling. Allocates nothing, and
 * each text in the format that names a known key costs the same: one check of a signature. */
__attribute__((warn_unused_result)) enum ticket_code_verdict ticket_code_read(
	const struct ticket_key_set *set, struct slice text, struct ticket_code *code,
	const struct ticket_key **key);
