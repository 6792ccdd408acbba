/* The secret keys that sign what people carry: places, passes.
 *
 * Keys are written `kid:base64,kid:base64,…`, newest first. The newest signs; each of them
 * verifies, by the key id that the signed thing names. So a key is replaced without a moment at
 * which anything becomes invalid: put the new one in front everywhere, and take the old one away
 * when the last thing that it signed is over.
 *
 * HMAC-SHA256 (RFC 2104, FIPS 198-1). A keyring never changes once it is made, so any thread may
 * use it at any time, and signing neither allocates nor fails.
 *
 *	struct keyring *keyring;
 *	if (keyring_new(slice_of(settings.token_keys), &keyring, &fault) != STATUS_OK)
 *		…TOKEN_KEYS: fault.where: fault.what
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
	KEYRING_KEYS_MAX = 8,
	KEYRING_KID_SIZE_MAX = 8,  /* Characters of a key's id. */
	KEYRING_KEY_SIZE_MIN = 32, /* Bytes of a key: as many as a MAC has (RFC 2104, section 3). */
	KEYRING_KEY_SIZE_MAX = 64, /* One block of SHA-256; more would not make it stronger. */
	KEYRING_MAC_SIZE = 32,
};

struct keyring;

/* Read the keys: 1 to KEYRING_KEYS_MAX of them; an id is 1 to KEYRING_KID_SIZE_MAX URL-safe
 * characters (slice_is_id) and differs from the others; a key is KEYRING_KEY_SIZE_MIN to
 * KEYRING_KEY_SIZE_MAX bytes in base64 with its padding (RFC 4648, section 4; what
 * `openssl rand -base64 32` prints) and differs from the others too. No spaces. STATUS_REFUSED for
 * anything else; the fault says which one ("key 2"), and quotes nothing, since it goes to the log.
 * STATUS_UNAVAILABLE when memory is short. `text` is borrowed for the call; to wipe it is up to the
 * caller. */
__attribute__((warn_unused_result)) enum status keyring_new(
	struct slice text, struct keyring **keyring, struct fault *fault);

/* Wipe the keys and free. NULL is accepted. */
void keyring_free(struct keyring *keyring);

/* The id of the key that signs, which has to go with what is signed. As long as the keyring. */
struct slice keyring_newest(const struct keyring *keyring);

/* Sign with the newest key. `purpose` says what is signed ("onsale-token"): a MAC made for one
 * purpose is none for another, whatever the message. */
void keyring_sign(const struct keyring *keyring, const char *purpose, struct slice message,
	uint8_t mac[KEYRING_MAC_SIZE]);

/* Whether `mac` is the one of this message and purpose by the key with this id. False when there is
 * no such key. How long it takes does not tell how much of a wrong MAC was right. */
__attribute__((warn_unused_result)) bool keyring_verify(const struct keyring *keyring,
	struct slice kid, const char *purpose, struct slice message,
	const uint8_t mac[KEYRING_MAC_SIZE]);
