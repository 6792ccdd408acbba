#include "lib/ticketing/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

enum { TEXT_MAX = 300 };

static void assert_hex(const uint8_t hash[SHA256_SIZE], const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	char text[SHA256_SIZE * 2 + 1] = "";
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		text[i * 2] = digits[hash[i] >> 4];
		text[i * 2 + 1] = digits[hash[i] & 15];
	}
	assert_string_equal(text, hex);
}

static void assert_mac(const uint8_t *bytes, size_t size, const char *text, const char *hex)
{
	struct hmac_key key;
	uint8_t mac[SHA256_SIZE];
	const struct slice piece = slice_of(text);
	hmac_key_init(&key, bytes, size);
	hmac_pieces(&key, &piece, 1, mac);
	assert_hex(mac, hex);
}

/* FIPS 180-2, appendix B. */
static void the_vectors_of_sha256_are_met(void **state)
{
	(void)state;
	uint8_t hash[SHA256_SIZE];
	const struct slice abc[] = {slice_of("a"), slice_of(""), slice_of("bc")};
	sha256_pieces(abc, 3, hash);
	assert_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_pieces(NULL, 0, hash);
	assert_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, cases 1 to 4. */
static void the_vectors_of_hmac_are_met(void **state)
{
	(void)state;
	uint8_t key[25];
	memset(key, 0x0b, 20);
	assert_mac(key, 20, "Hi There",
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_mac((const uint8_t *)"Jefe", 4, "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	char text[51] = "";
	memset(key, 0xaa, 20);
	memset(text, 0xdd, 50);
	assert_mac(
		key, 20, text, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(i + 1);
	memset(text, 0xcd, 50);
	assert_mac(key, sizeof key, text,
		"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

static void ask_openssl(const uint8_t *key, size_t key_size, const uint8_t *text, size_t size,
	uint8_t mac[SHA256_SIZE])
{
	char digest[] = "SHA256";
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t mac_size = 0;
	EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(algorithm);
	assert_int_equal(EVP_MAC_init(context, key, key_size, parameters), 1);
	assert_int_equal(EVP_MAC_update(context, text, size), 1);
	assert_int_equal(EVP_MAC_final(context, mac, &mac_size, SHA256_SIZE), 1);
	assert_int_equal(mac_size, SHA256_SIZE);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(algorithm);
}

static void fill(struct random *random, uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)random_next(random);
}

/* And a key that has signed signs the same again. */
static void openssl_itself_makes_the_same_mac(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 2000; round++) {
		uint8_t bytes[HMAC_KEY_SIZE_MAX], text[TEXT_MAX];
		uint8_t mac[SHA256_SIZE], expected[SHA256_SIZE];
		struct hmac_key key;
		size_t key_size = (size_t)random_between(&random, 1, HMAC_KEY_SIZE_MAX);
		size_t size = random_below(&random, TEXT_MAX + 1);
		size_t cut = random_below(&random, size + 1);
		fill(&random, bytes, key_size);
		fill(&random, text, size);
		const struct slice pieces[] = {
			slice_of_bytes(text, cut), slice_of_bytes(text + cut, size - cut)};
		ask_openssl(bytes, key_size, text, size, expected);
		hmac_key_init(&key, bytes, key_size);
		for (int again = 0; again < 2; again++) {
			hmac_pieces(&key, pieces, 2, mac);
			assert_memory_equal(mac, expected, sizeof mac);
		}
	}
}

static void numbers_are_written_with_the_highest_byte_first(void **state)
{
	(void)state;
	static const int64_t numbers[] = {0, 1, 0x0102030405060708, INT64_MAX, -1, INT64_MIN};
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		put_big_endian(bytes, numbers[i]);
		assert_true(get_big_endian(bytes) == numbers[i]);
	}
	put_big_endian(bytes, numbers[2]);
	assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_sha256_are_met),
		cmocka_unit_test(the_vectors_of_hmac_are_met),
		cmocka_unit_test(openssl_itself_makes_the_same_mac),
		cmocka_unit_test(numbers_are_written_with_the_highest_byte_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
