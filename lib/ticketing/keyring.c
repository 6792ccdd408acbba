/* Keys are kept as prepared states only; the bytes that they were made of are wiped at once. */
#include "lib/ticketing/keyring.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/ticketing/base64.h"
#include "lib/ticketing/hmac.h"

struct keyring_key {
	char kid[KEYRING_KID_SIZE_MAX];
	size_t kid_size;
	struct hmac_key hmac;
};

struct keyring {
	struct keyring_key keys[KEYRING_KEYS_MAX];
	size_t count; /* From 1, once it is made. */
};

_Static_assert((int)KEYRING_MAC_SIZE == (int)SHA256_SIZE, "the MAC is HMAC-SHA256");
_Static_assert((int)KEYRING_KEY_SIZE_MAX <= (int)HMAC_KEY_SIZE_MAX, "a key is one block");

static enum status add_key(struct keyring *keyring, struct slice piece, struct fault *fault);

enum status keyring_new(struct slice text, struct keyring **keyring, struct fault *fault)
{
	struct keyring *made = calloc(1, sizeof *made);
	if (!made)
		return STATUS_UNAVAILABLE;
	enum status status = STATUS_OK;
	struct slice piece;
	while (status == STATUS_OK && slice_split(&text, ',', &piece))
		status = add_key(made, piece, fault);
	if (status == STATUS_OK && made->count == 0)
		status = fault_set(fault, "key 1", "is missing: kid:base64,… newest first");
	if (status != STATUS_OK) {
		keyring_free(made);
		return status;
	}
	*keyring = made;
	return STATUS_OK;
}

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	OPENSSL_cleanse(keyring, sizeof *keyring);
	free(keyring);
}

static struct slice kid_of(const struct keyring_key *key)
{
	return (struct slice){.data = key->kid, .size = key->kid_size};
}

struct slice keyring_newest(const struct keyring *keyring)
{
	return kid_of(&keyring->keys[0]);
}

static const struct keyring_key *find_key(const struct keyring *keyring, struct slice kid)
{
	for (size_t i = 0; i < keyring->count; i++) {
		if (slice_equal(kid_of(&keyring->keys[i]), kid))
			return &keyring->keys[i];
	}
	return NULL;
}

/* The purpose goes with its zero byte, which ends it: no purpose and message make another's. */
static void sign_with(const struct keyring_key *key, const char *purpose, struct slice message,
	uint8_t mac[KEYRING_MAC_SIZE])
{
	const struct slice pieces[] = {
		{.data = purpose, .size = strlen(purpose) + 1},
		message,
	};
	hmac_pieces(&key->hmac, pieces, sizeof pieces / sizeof *pieces, mac);
}

void keyring_sign(const struct keyring *keyring, const char *purpose, struct slice message,
	uint8_t mac[KEYRING_MAC_SIZE])
{
	sign_with(&keyring->keys[0], purpose, message, mac);
}

bool keyring_verify(const struct keyring *keyring, struct slice kid, const char *purpose,
	struct slice message, const uint8_t mac[KEYRING_MAC_SIZE])
{
	uint8_t expected[KEYRING_MAC_SIZE];
	const struct keyring_key *key = find_key(keyring, kid);
	if (!key)
		return false;
	sign_with(key, purpose, message, expected);
	return CRYPTO_memcmp(expected, mac, sizeof expected) == 0;
}

/* ---- reading ---- */

/* Two ids for one key would be a rotation that rotates nothing, or a slip of the clipboard. The
 * prepared states are compared, since the bytes are not kept. */
static bool same_key(const struct hmac_key *a, const struct hmac_key *b)
{
	static const char probe[] = "probe";
	const struct slice piece = slice_of(probe);
	uint8_t macs[2][KEYRING_MAC_SIZE];
	hmac_pieces(a, &piece, 1, macs[0]);
	hmac_pieces(b, &piece, 1, macs[1]);
	return CRYPTO_memcmp(macs[0], macs[1], KEYRING_MAC_SIZE) == 0;
}

static enum status read_secret(
	struct slice text, const char *where, struct hmac_key *key, struct fault *fault)
{
	/* One more than allowed, so that "too long" and "not base64" are told apart. */
	uint8_t bytes[KEYRING_KEY_SIZE_MAX * 2];
	size_t size;
	enum status status = STATUS_OK;
	if (!base64_read(BASE64_PADDED, text, bytes, sizeof bytes, &size))
		status = fault_set(fault, where, "is not a key in base64 with its padding");
	else if (size < KEYRING_KEY_SIZE_MIN || size > KEYRING_KEY_SIZE_MAX)
		status = fault_set(fault, where, "has %zu bytes; %d to %d are needed", size,
			KEYRING_KEY_SIZE_MIN, KEYRING_KEY_SIZE_MAX);
	else
		hmac_key_init(key, bytes, size);
	OPENSSL_cleanse(bytes, sizeof bytes);
	return status;
}

static enum status check_new(const struct keyring *keyring, const struct keyring_key *key,
	const char *where, struct fault *fault)
{
	for (size_t i = 0; i < keyring->count; i++) {
		if (slice_equal(kid_of(&keyring->keys[i]), kid_of(key)))
			return fault_set(fault, where, "has the id of key %zu", i + 1);
		if (same_key(&keyring->keys[i].hmac, &key->hmac))
			return fault_set(fault, where, "is the same as key %zu", i + 1);
	}
	return STATUS_OK;
}

static enum status add_key(struct keyring *keyring, struct slice piece, struct fault *fault)
{
	char where[sizeof "key 18446744073709551615"];
	snprintf(where, sizeof where, "key %zu", keyring->count + 1);
	if (keyring->count == KEYRING_KEYS_MAX)
		return fault_set(fault, where, "is one too many; %d at most", KEYRING_KEYS_MAX);
	struct slice kid = {0};
	slice_split(&piece, ':', &kid);
	if (!slice_is_id(kid, KEYRING_KID_SIZE_MAX))
		return fault_set(fault, where,
			"must begin with an id of 1 to %d URL-safe characters and a colon",
			KEYRING_KID_SIZE_MAX);
	/* Made in its place, so that no copy of a secret stays on the stack. */
	struct keyring_key *key = &keyring->keys[keyring->count];
	memcpy(key->kid, kid.data, kid.size);
	key->kid_size = kid.size;
	enum status status = read_secret(piece, where, &key->hmac, fault);
	if (status == STATUS_OK)
		status = check_new(keyring, key, where, fault);
	if (status == STATUS_OK)
		keyring->count++;
	return status;
}
