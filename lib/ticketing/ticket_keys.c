/* The secret keys are kept as libsodium's secret keys, the 32 bytes and the public key behind them;
 * the bytes that they were made of are wiped at once. */
#include "lib/ticketing/ticket_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/ticketing/base64.h"

struct ticket_signer {
	uint8_t secrets[TICKET_KEYS_MAX][crypto_sign_ed25519_SECRETKEYBYTES];
	struct ticket_key_set set;
};

_Static_assert(TICKET_SECRET_KEY_SIZE == crypto_sign_ed25519_SEEDBYTES, "a secret is the seed");
_Static_assert(TICKET_PUBLIC_KEY_SIZE == crypto_sign_ed25519_PUBLICKEYBYTES, "as in RFC 8032");
_Static_assert(TICKET_SIGNATURE_SIZE == crypto_sign_ed25519_BYTES, "as in RFC 8032");

static enum status add_key(struct ticket_signer *signer, struct slice piece, struct fault *fault);

const struct ticket_key *ticket_key_find(const struct ticket_key_set *set, struct slice kid)
{
	for (size_t i = 0; i < set->count; i++) {
		if (slice_equal(ticket_key_kid(&set->keys[i]), kid))
			return &set->keys[i];
	}
	return NULL;
}

bool ticket_key_verify(const struct ticket_key *key, struct slice message,
	const uint8_t signature[TICKET_SIGNATURE_SIZE])
{
	return crypto_sign_ed25519_verify_detached(
		       signature, (const uint8_t *)message.data, message.size, key->bytes) == 0;
}

/* ---- those who sign ---- */

enum status ticket_signer_new(struct slice text, struct ticket_signer **signer, struct fault *fault)
{
	struct ticket_signer *made = calloc(1, sizeof *made);
	if (!made)
		return STATUS_UNAVAILABLE;
	enum status status = STATUS_OK;
	struct slice piece;
	while (status == STATUS_OK && slice_split(&text, ',', &piece))
		status = add_key(made, piece, fault);
	if (status == STATUS_OK && made->set.count == 0)
		status = fault_set(fault, "key 1", "is missing: kid:base64,… newest first");
	if (status != STATUS_OK) {
		ticket_signer_free(made);
		return status;
	}
	*signer = made;
	return STATUS_OK;
}

void ticket_signer_free(struct ticket_signer *signer)
{
	if (!signer)
		return;
	sodium_memzero(signer, sizeof *signer);
	free(signer);
}

const struct ticket_key_set *ticket_signer_public(const struct ticket_signer *signer)
{
	return &signer->set;
}

void ticket_signer_sign(const struct ticket_signer *signer, struct slice message,
	uint8_t signature[TICKET_SIGNATURE_SIZE])
{
	/* It has no failure: it returns 0 whatever it is given. */
	(void)crypto_sign_ed25519_detached(
		signature, NULL, (const uint8_t *)message.data, message.size, signer->secrets[0]);
}

/* Make both halves of the key that is to be the next. */
static enum status read_secret(
	struct ticket_signer *signer, struct slice text, const char *where, struct fault *fault)
{
	/* More than a key has, so that "too long" and "not base64" are told apart. */
	uint8_t bytes[TICKET_SECRET_KEY_SIZE * 4];
	size_t size, index = signer->set.count;
	enum status status = STATUS_OK;
	if (!base64_read(BASE64_PADDED, text, bytes, sizeof bytes, &size))
		status = fault_set(fault, where, "is not a key in base64 with its padding");
	else if (size != TICKET_SECRET_KEY_SIZE)
		status = fault_set(fault, where, "has %zu bytes; a secret key of Ed25519 has %d",
			size, TICKET_SECRET_KEY_SIZE);
	else
		(void)crypto_sign_ed25519_seed_keypair(
			signer->set.keys[index].bytes, signer->secrets[index], bytes);
	sodium_memzero(bytes, sizeof bytes);
	return status;
}

/* Two ids for one key would be a rotation that rotates nothing, or a slip of the clipboard. Secrets
 * are the same when their public halves are. */
static enum status check_new(const struct ticket_key_set *set, const struct ticket_key *key,
	const char *where, struct fault *fault)
{
	for (size_t i = 0; i < set->count; i++) {
		if (slice_equal(ticket_key_kid(&set->keys[i]), ticket_key_kid(key)))
			return fault_set(fault, where, "has the id of key %zu", i + 1);
		if (memcmp(set->keys[i].bytes, key->bytes, sizeof key->bytes) == 0)
			return fault_set(fault, where, "is the same as key %zu", i + 1);
	}
	return STATUS_OK;
}

static enum status add_key(struct ticket_signer *signer, struct slice piece, struct fault *fault)
{
	struct ticket_key_set *set = &signer->set;
	char where[sizeof "key 18446744073709551615"];
	snprintf(where, sizeof where, "key %zu", set->count + 1);
	if (set->count == TICKET_KEYS_MAX)
		return fault_set(fault, where, "is one too many; %d at most", TICKET_KEYS_MAX);
	struct slice kid = {0};
	slice_split(&piece, ':', &kid);
	if (!slice_is_id(kid, TICKET_KID_SIZE_MAX))
		return fault_set(fault, where,
			"must begin with an id of 1 to %d URL-safe characters and a colon",
			TICKET_KID_SIZE_MAX);
	struct ticket_key *key = &set->keys[set->count];
	memcpy(key->kid, kid.data, kid.size);
	key->kid_size = kid.size;
	enum status status = read_secret(signer, piece, where, fault);
	if (status == STATUS_OK)
		status = check_new(set, key, where, fault);
	if (status == STATUS_OK)
		set->count++;
	return status;
}
