#include "lib/ticketing/ticket_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

/* The secret keys of RFC 8032, section 7.1, tests 1 to 3. */
#define KEY_A "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define KEY_B "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs="
#define KEY_C "xaqN9D+fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc="
/* Their public keys, as JWK writes them. */
#define X_A "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define X_B "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"

static struct ticket_signer *signer_of(const char *text)
{
	struct ticket_signer *signer = NULL;
	struct fault fault = {.what = ""};
	if (ticket_signer_new(slice_of(text), &signer, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	return signer;
}

static void hex_of(const uint8_t *bytes, size_t size, char *hex)
{
	for (size_t i = 0; i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

static void assert_signs(
	const char *key, const char *public_hex, struct slice message, const char *signature_hex)
{
	struct ticket_signer *signer = signer_of(key);
	const struct ticket_key_set *set = ticket_signer_public(signer);
	uint8_t signature[TICKET_SIGNATURE_SIZE];
	char hex[2 * TICKET_SIGNATURE_SIZE + 1];
	hex_of(set->keys[0].bytes, TICKET_PUBLIC_KEY_SIZE, hex);
	assert_string_equal(hex, public_hex);
	ticket_signer_sign(signer, message, signature);
	hex_of(signature, sizeof signature, hex);
	assert_string_equal(hex, signature_hex);
	assert_true(ticket_key_verify(&set->keys[0], message, signature));
	ticket_signer_free(signer);
}

/* RFC 8032, section 7.1. */
static void keys_and_signatures_are_those_of_the_standard(void **state)
{
	(void)state;
	assert_signs("1:" KEY_A, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		slice_of(""),
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
		"c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
	assert_signs("2:" KEY_B, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		slice_of("\x72"),
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
		"458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_signs("3:" KEY_C, "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
		slice_of("\xaf\x82"),
		"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
		"ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
}

static void the_first_signs_and_each_is_published(void **state)
{
	(void)state;
	struct ticket_signer *signer = signer_of("b:" KEY_B ",Aa0-_.~z:" KEY_A);
	const struct ticket_key_set *set = ticket_signer_public(signer);
	const struct slice message = slice_of("message");
	uint8_t signature[TICKET_SIGNATURE_SIZE];
	assert_int_equal(set->count, 2);
	assert_ptr_equal(ticket_key_find(set, slice_of("b")), &set->keys[0]);
	assert_ptr_equal(ticket_key_find(set, slice_of("Aa0-_.~z")), &set->keys[1]);
	assert_null(ticket_key_find(set, slice_of("a")));
	assert_null(ticket_key_find(set, slice_of("")));
	assert_null(ticket_key_find(set, slice_of("Aa0-_.~")));
	ticket_signer_sign(signer, message, signature);
	assert_true(ticket_key_verify(&set->keys[0], message, signature));
	assert_false(ticket_key_verify(&set->keys[1], message, signature));
	assert_false(ticket_key_verify(&set->keys[0], slice_of("messagf"), signature));
	ticket_signer_free(signer);
	ticket_signer_free(NULL);
}

/* ---- reading secrets ---- */

static void assert_fault(const char *text, const char *where, const char *what)
{
	struct ticket_signer *signer = NULL;
	struct fault fault = {.what = ""};
	assert_int_equal(ticket_signer_new(slice_of(text), &signer, &fault), STATUS_REFUSED);
	assert_null(signer);
	assert_string_equal(fault.where, where);
	if (!strstr(fault.what, what))
		fail_msg("\"%s\" does not say \"%s\"", fault.what, what);
	assert_int_equal(ticket_signer_new(slice_of(text), &signer, NULL), STATUS_REFUSED);
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	assert_fault("", "key 1", "must begin with an id");
	assert_fault(":" KEY_A, "key 1", "must begin with an id");
	assert_fault("a:" KEY_A ",", "key 2", "must begin with an id");
	assert_fault("123456789:" KEY_A, "key 1", "1 to 8 URL-safe");
	assert_fault("a b:" KEY_A, "key 1", "URL-safe");
	assert_fault("a", "key 1", "has 0 bytes");
	assert_fault("a:" KEY_A ",b:", "key 2", "has 0 bytes");
	assert_fault("a: " KEY_A, "key 1", "not a key in base64");
	assert_fault("a:" KEY_A "\n", "key 1", "not a key in base64");
	assert_fault("a:nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "key 1", "not a key");
	assert_fault("a:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "key 1", "not a key");
	assert_fault("a:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2B=", "key 1", "not a key");
	/* 31, 33 and, as libsodium and other programs keep them, 64 bytes. */
	assert_fault("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "key 1", "has 31 bytes");
	assert_fault("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", "key 1", "has 33 bytes");
	assert_fault("a:" KEY_A ",b:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/"
		     "tPJZAc6DuFy89qmIyWvAhpo9wdRGg==",
		"key 2", "has 64 bytes");
	assert_fault("a:" KEY_A ",b:" KEY_B ",a:" KEY_C, "key 3", "has the id of key 1");
	assert_fault("a:" KEY_A ",b:" KEY_B ",c:" KEY_B, "key 3", "is the same as key 2");
	struct ticket_signer *signer;
	struct fault fault;
	struct slice nothing = {.data = NULL, .size = 0};
	assert_int_equal(ticket_signer_new(nothing, &signer, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, "key 1");
}

static void at_most_eight_keys_are_taken(void **state)
{
	(void)state;
	char text[1024] = "";
	size_t size = 0;
	for (int i = 0; i < TICKET_KEYS_MAX + 1; i++) {
		/* The first character alone makes keys that differ. */
		size += (size_t)snprintf(text + size, sizeof text - size, "%sk%d:%c%s",
			i > 0 ? "," : "", i, 'A' + i, &KEY_A[1]);
		if (i + 1 == TICKET_KEYS_MAX)
			ticket_signer_free(signer_of(text));
	}
	assert_fault(text, "key 9", "one too many");
}

static void no_fault_shows_a_key(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	static const char good[] = "k1:" KEY_A ",k2:" KEY_C;
	int refused_count = 0;
	for (int round = 0; round < 5000; round++) {
		char text[sizeof good];
		struct ticket_signer *signer = NULL;
		struct fault fault = {.what = ""};
		memcpy(text, good, sizeof good);
		size_t at = random_below(&random, sizeof good - 1);
		text[at] = (char)random_next(&random);
		struct slice slice = {
			.data = text, .size = random_chance(&random, 1, 4) ? at : sizeof good - 1};
		if (ticket_signer_new(slice, &signer, &fault) == STATUS_REFUSED) {
			refused_count++;
			assert_null(strstr(fault.what, "WGx"));
			assert_null(strstr(fault.what, "aqN"));
			assert_true(strlen(fault.where) <= strlen("key 2"));
		}
		ticket_signer_free(signer);
	}
	assert_true(refused_count > 250);
}

/* ---- the published set ---- */

#define JWK(kid, x) \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"" kid "\",\"use\":\"sig\",\"x\":\"" x "\"" \
	"}"
#define SET(keys) "{\"keys\":[" keys "]}"

static void a_set_is_written_as_a_jwk_set(void **state)
{
	(void)state;
	struct ticket_signer *signer = signer_of("k2:" KEY_B ",k1:" KEY_A);
	json_t *json = ticket_key_set_json(ticket_signer_public(signer));
	char *text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text, SET(JWK("k2", X_B) "," JWK("k1", X_A)));
	struct ticket_key_set read;
	assert_int_equal(ticket_key_set_read(slice_of(text), &read, NULL), STATUS_OK);
	assert_memory_equal(&read, ticket_signer_public(signer), sizeof read);
	free(text);
	json_decref(json);
	ticket_signer_free(signer);
}

/* RFC 7517, section 5: keys and members that are not known are ignored. */
static void what_is_for_others_is_ignored(void **state)
{
	(void)state;
	static const char text[] = SET(
		"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"},"
		"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"kid\":\"b\",\"x\":\"" X_A "\"},"
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"c\",\"use\":\"enc\",\"x\":\"" X_A
		"\"},"
		"{\"kty\":[],\"crv\":\"Ed25519\",\"d\":\"x\"},{},7,null,[\"kty\"],"
		"{\"alg\":\"EdDSA\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"d\",\"x\":\"" X_B
		"\",\"x5c\":[]}") "\n";
	struct ticket_key_set set;
	assert_int_equal(ticket_key_set_read(slice_of(text), &set, NULL), STATUS_OK);
	assert_int_equal(set.count, 1);
	assert_true(slice_is(ticket_key_kid(&set.keys[0]), "d"));
}

static void assert_set_fault(const char *text, const char *where, const char *what)
{
	struct ticket_key_set set;
	struct fault fault = {.what = ""};
	assert_int_equal(ticket_key_set_read(slice_of(text), &set, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, where);
	if (!strstr(fault.what, what))
		fail_msg("\"%s\" does not say \"%s\"", fault.what, what);
	assert_int_equal(ticket_key_set_read(slice_of(text), &set, NULL), STATUS_REFUSED);
}

static void what_is_wrong_in_a_set_is_said(void **state)
{
	(void)state;
	assert_set_fault("", "$", "is not valid JSON");
	assert_set_fault("{\"keys\":[", "$.keys[0]", "is not valid JSON");
	assert_set_fault("[]", "$.keys", "the array of a JWK Set");
	assert_set_fault("{}", "$.keys", "the array of a JWK Set");
	assert_set_fault("{\"keys\":{}}", "$.keys", "the array of a JWK Set");
	assert_set_fault(SET(""), "$.keys", "has no key");
	assert_set_fault(SET("{\"kty\":\"RSA\"}"), "$.keys", "has no key");
	assert_set_fault(SET("{},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X_A "\"}"),
		"$.keys[1].kid", "1 to 8");
	assert_set_fault(SET(JWK("", X_A)), "$.keys[0].kid", "1 to 8");
	assert_set_fault(SET(JWK("123456789", X_A)), "$.keys[0].kid", "1 to 8");
	assert_set_fault(SET(JWK("a b", X_A)), "$.keys[0].kid", "URL-safe");
	assert_set_fault(SET(JWK("k", X_A) "," JWK("k", X_B)), "$.keys[1].kid", "an earlier key");
	assert_set_fault(SET(JWK("k", X_A "=")), "$.keys[0].x", "32 bytes");
	assert_set_fault(SET(JWK("k", X_A "A")), "$.keys[0].x", "32 bytes");
	assert_set_fault(SET(JWK("k", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp")),
		"$.keys[0].x", "32 bytes");
	assert_set_fault(SET(JWK("k", "")), "$.keys[0].x", "32 bytes");
	assert_set_fault(SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":7}"),
		"$.keys[0].x", "32 bytes");
	assert_set_fault(SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"d\":\"" X_B
			     "\",\"x\":\"" X_A "\"}"),
		"$.keys[0].d", "is a secret");
	assert_set_fault("{\"keys\":[],\"keys\":[]}", "$.keys", "is not valid JSON");
	assert_set_fault("{\"keys\":[[[[[[[[[[]]]]]]]]]]}", "$.keys[0][0][0][0][0][0][0]", "");
}

/* Points of small order, one in another spelling (y = p, which is 0), and no point at all. */
static void only_points_of_the_large_order_are_keys(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		SET(JWK("k", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
		SET(JWK("k", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
		SET(JWK("k", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA")),
		SET(JWK("k", "7P_______________________________________38")),
		SET(JWK("k", "7f_______________________________________38")),
		SET(JWK("k", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_set_fault(wrong[i], "$.keys[0].x", "no public key of Ed25519");
}

static void a_set_has_at_most_eight_keys(void **state)
{
	(void)state;
	struct ticket_key_set set;
	for (int count = TICKET_KEYS_MAX; count <= TICKET_KEYS_MAX + 1; count++) {
		char text[4096] = "{\"keys\":[";
		size_t size = strlen(text);
		for (int i = 0; i < count; i++)
			size += (size_t)snprintf(text + size, sizeof text - size,
				"%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k%d\",\"x\":"
				"\"" X_A "\"}",
				i > 0 ? "," : "", i);
		snprintf(text + size, sizeof text - size, "]}");
		if (count > TICKET_KEYS_MAX)
			assert_set_fault(text, "$.keys[8]", "one key too many");
		else
			assert_int_equal(
				ticket_key_set_read(slice_of(text), &set, NULL), STATUS_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_signatures_are_those_of_the_standard),
		cmocka_unit_test(the_first_signs_and_each_is_published),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(at_most_eight_keys_are_taken),
		cmocka_unit_test(no_fault_shows_a_key),
		cmocka_unit_test(a_set_is_written_as_a_jwk_set),
		cmocka_unit_test(what_is_for_others_is_ignored),
		cmocka_unit_test(what_is_wrong_in_a_set_is_said),
		cmocka_unit_test(only_points_of_the_large_order_are_keys),
		cmocka_unit_test(a_set_has_at_most_eight_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
