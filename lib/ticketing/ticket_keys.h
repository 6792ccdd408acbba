/* The keys of tickets: secret ones that sign ticket codes, public ones that scanners check them
 * with.
 *
 * Ed25519 (RFC 8032). The secret keys are written `kid:base64,kid:base64,…`, newest first, as those
 * of keyring.h are; each is the 32 bytes that RFC 8032 calls the private key and from which all
 * else is derived, and which `openssl rand -base64 32` makes. Who has them can make tickets, so
 * they are where tickets are issued and nowhere else. Their public halves are published as a JWK
 * Set (GET /.well-known/ticket-keys), and whoever has that can tell a genuine code from any other,
 * without asking and without being able to make one.
 *
 * The first key signs; each is published. A scanner has the set of some time ago, so a new key is
 * put *behind* the others first, and in front when all scanners have fetched the set. The old one
 * stays until the last event is over for which it signed. A secret that has leaked is taken away at
 * once, and the tickets that it signed get new codes.
 *
 * Neither signer nor set changes once it is made, so any thread may use it at any time. Signing and
 * checking neither allocate nor fail. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/ticketing/keyring.h"

enum {
	TICKET_KEYS_MAX = KEYRING_KEYS_MAX,
	TICKET_KID_SIZE_MAX = KEYRING_KID_SIZE_MAX, /* Characters of a key's id. */
	TICKET_SECRET_KEY_SIZE = 32,                /* Bytes of these three. */
	TICKET_PUBLIC_KEY_SIZE = 32,
	TICKET_SIGNATURE_SIZE = 64,

	TICKET_KEY_SET_SIZE_MAX = 16 * 1024, /* Bytes of JSON that are read. */
	TICKET_KEY_SET_DEPTH_MAX = 8,        /* A JWK Set needs 3. */
	TICKET_KEY_SET_CONTAINERS_MAX = 100,
	TICKET_KEY_SET_TOKENS_MAX = 1000,
};

struct ticket_key {
	char kid[TICKET_KID_SIZE_MAX]; /* Filled up with zeros. */
	size_t kid_size;
	uint8_t bytes[TICKET_PUBLIC_KEY_SIZE];
};

/* Public keys, of which none is secret: it may be copied, and needs no release. */
struct ticket_key_set {
	struct ticket_key keys[TICKET_KEYS_MAX];
	size_t count;
};

static inline struct slice ticket_key_kid(const struct ticket_key *key)
{
	return (struct slice){.data = key->kid, .size = key->kid_size};
}

/* The key with this id, as long as the set; NULL when there is none. */
const struct ticket_key *ticket_key_find(const struct ticket_key_set *set, struct slice kid);

/* Whether `signature` is the one of these bytes by this key. Of all texts that a lax reader might
 * take for a signature, one only is: an S that is not reduced (RFC 8032, section 5.1.7) is refused,
 * as are keys and points R of small order or not in their one spelling. Everything that it works on
 * is public. */
__attribute__((warn_unused_result)) bool ticket_key_verify(const struct ticket_key *key,
	struct slice message, const uint8_t signature[TICKET_SIGNATURE_SIZE]);

/* ---- those who sign ---- */

struct ticket_signer;

/* Read the secret keys: 1 to TICKET_KEYS_MAX of them; an id is 1 to TICKET_KID_SIZE_MAX URL-safe
 * characters (slice_is_id) and differs from the others; a key is TICKET_SECRET_KEY_SIZE bytes in
 * base64 with its padding, and differs from the others too. No spaces. STATUS_REFUSED for anything
 * else; the fault says which one ("key 2"), and quotes nothing, since it goes to the log.
 * STATUS_UNAVAILABLE when memory is short. `text` is borrowed for the call; to wipe it is up to the
 * caller. */
__attribute__((warn_unused_result)) enum status ticket_signer_new(
	struct slice text, struct ticket_signer **signer, struct fault *fault);

/* Wipe the keys and free. NULL is accepted. */
void ticket_signer_free(struct ticket_signer *signer);

/* The public halves, in the order of the secret ones; the first is of the key that signs. As long
 * as the signer. */
const struct ticket_key_set *ticket_signer_public(const struct ticket_signer *signer);

/* Sign with the first key. The same message gives the same signature. How long it takes depends on
 * the message's size alone. */
void ticket_signer_sign(const struct ticket_signer *signer, struct slice message,
	uint8_t signature[TICKET_SIGNATURE_SIZE]);

/* ---- what is published ---- */

/* The set as a JWK Set (RFC 7517, section 5) of octet key pairs (RFC 8037, section 2):
 *
 *	{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","use":"sig","x":"<base64url>"},…]}
 *
 * Its media type is application/jwk-set+json. The caller owns it; NULL when memory is short. */
json_t *ticket_key_set_json(const struct ticket_key_set *set);

/* Read a JWK Set. Members that are not known are ignored; so are keys of another kind, of another
 * curve or for another use, as RFC 7517 asks for. Of ours each needs a kid of 1 to
 * TICKET_KID_SIZE_MAX URL-safe characters that no other has, and an x that is a point of Ed25519 in
 * its one spelling and of the large order. STATUS_REFUSED for anything else, also for a set in
 * which none is ours, more than TICKET_KEYS_MAX are, or one shows its secret (`d`), with the JSON
 * path of what is wrong; then `set` may hold anything. STATUS_UNAVAILABLE when memory is short. */
__attribute__((warn_unused_result)) enum status ticket_key_set_read(
	struct slice json, struct ticket_key_set *set, struct fault *fault);
