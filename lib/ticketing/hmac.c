/* HMAC(key, text) = H(key ⊕ opad ‖ H(key ⊕ ipad ‖ text)): RFC 2104, section 2. */
#include "lib/ticketing/hmac.h"

#include <assert.h>
#include <openssl/crypto.h>

enum {
	HMAC_INNER_PAD = 0x36,
	HMAC_OUTER_PAD = 0x5c,
};

static void add_pieces(SHA256_CTX *context, const struct slice pieces[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		SHA256_Update(context, pieces[i].data, pieces[i].size);
}

void sha256_pieces(const struct slice pieces[], size_t count, uint8_t hash[SHA256_SIZE])
{
	SHA256_CTX context;
	SHA256_Init(&context);
	add_pieces(&context, pieces, count);
	SHA256_Final(hash, &context);
}

static void init_pad(SHA256_CTX *context, const uint8_t *bytes, size_t size, uint8_t pad)
{
	uint8_t block[SHA256_CBLOCK] = {0};
	memcpy(block, bytes, size);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] ^= pad;
	SHA256_Init(context);
	SHA256_Update(context, block, sizeof block);
	OPENSSL_cleanse(block, sizeof block);
}

void hmac_key_init(struct hmac_key *key, const uint8_t *bytes, size_t size)
{
	assert(size <= HMAC_KEY_SIZE_MAX);
	init_pad(&key->inner, bytes, size, HMAC_INNER_PAD);
	init_pad(&key->outer, bytes, size, HMAC_OUTER_PAD);
}

void hmac_pieces(const struct hmac_key *key, const struct slice pieces[], size_t count,
	uint8_t mac[SHA256_SIZE])
{
	SHA256_CTX context = key->inner;
	add_pieces(&context, pieces, count);
	SHA256_Final(mac, &context);
	context = key->outer;
	SHA256_Update(&context, mac, SHA256_SIZE);
	SHA256_Final(mac, &context);
	/* Of the copies only the states of finished hashes are left, which tell nothing of the key.
	 */
}
