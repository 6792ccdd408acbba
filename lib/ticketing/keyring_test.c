#include "lib/ticketing/keyring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

/* Bytes 0 to 31, 100 to 163, and 200 to 231. */
#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B \
	"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKGiow=="
#define KEY_C "yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc="

static struct keyring *keyring_of(const char *text)
{
	struct keyring *keyring = NULL;
	struct fault fault = {.what = ""};
	if (keyring_new(slice_of(text), &keyring, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	return keyring;
}

static bool verifies(const struct keyring *keyring, const char *kid, const char *purpose,
	const char *message, const uint8_t mac[KEYRING_MAC_SIZE])
{
	return keyring_verify(keyring, slice_of(kid), purpose, slice_of(message), mac);
}

/* From Python: hmac.new(bytes(range(32)), b"purpose\0message", hashlib.sha256). */
static void a_mac_is_the_one_that_others_compute(void **state)
{
	(void)state;
	static const uint8_t expected[KEYRING_MAC_SIZE] = {0xee, 0xf9, 0x22, 0xbb, 0xfb, 0x1f, 0xea,
		0xb1, 0x3f, 0x37, 0xa0, 0x34, 0xf8, 0x02, 0xa6, 0x14, 0x36, 0x8e, 0xd1, 0xa2, 0x30,
		0x36, 0x5f, 0x81, 0xc8, 0xa9, 0xad, 0xfe, 0x35, 0x10, 0xac, 0xae};
	struct keyring *keyring = keyring_of("k1:" KEY_A);
	uint8_t mac[KEYRING_MAC_SIZE];
	for (int again = 0; again < 3; again++) {
		keyring_sign(keyring, "purpose", slice_of("message"), mac);
		assert_memory_equal(mac, expected, sizeof mac);
		assert_true(verifies(keyring, "k1", "purpose", "message", mac));
	}
	keyring_free(keyring);
}

static void the_newest_signs_and_each_verifies(void **state)
{
	(void)state;
	struct keyring *before = keyring_of("a:" KEY_A);
	struct keyring *during = keyring_of("b:" KEY_B ",a:" KEY_A);
	struct keyring *after = keyring_of("b:" KEY_B);
	uint8_t old[KEYRING_MAC_SIZE], new[KEYRING_MAC_SIZE];
	assert_true(slice_is(keyring_newest(before), "a"));
	assert_true(slice_is(keyring_newest(during), "b"));
	keyring_sign(before, "p", slice_of("m"), old);
	keyring_sign(during, "p", slice_of("m"), new);
	assert_true(verifies(during, "a", "p", "m", old));
	assert_true(verifies(during, "b", "p", "m", new));
	assert_true(verifies(after, "b", "p", "m", new));
	assert_false(verifies(after, "a", "p", "m", old));
	assert_false(verifies(during, "b", "p", "m", old));
	assert_false(verifies(during, "", "p", "m", new));
	assert_false(verifies(during, "bb", "p", "m", new));
	keyring_free(before);
	keyring_free(during);
	keyring_free(after);
}

static void a_mac_is_for_one_purpose_and_message(void **state)
{
	(void)state;
	struct keyring *keyring = keyring_of("a:" KEY_A);
	uint8_t mac[KEYRING_MAC_SIZE];
	keyring_sign(keyring, "place", slice_of("message"), mac);
	assert_false(verifies(keyring, "a", "pass", "message", mac));
	assert_false(verifies(keyring, "a", "place", "messag", mac));
	assert_false(verifies(keyring, "a", "place", "message ", mac));
	assert_false(verifies(keyring, "a", "placem", "essage", mac));
	assert_false(verifies(keyring, "a", "", "placemessage", mac));
	for (size_t bit = 0; bit < sizeof mac * 8; bit++) {
		mac[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(verifies(keyring, "a", "place", "message", mac));
		mac[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(verifies(keyring, "a", "place", "message", mac));
	keyring_free(keyring);
}

static void the_bounds_themselves_are_allowed(void **state)
{
	(void)state;
	struct keyring *keyring = keyring_of("Aa0-_.~z:" KEY_B ",2:" KEY_A);
	assert_true(slice_is(keyring_newest(keyring), "Aa0-_.~z"));
	keyring_free(keyring);
	keyring_free(NULL);
}

static void assert_fault(const char *text, const char *where, const char *what)
{
	struct keyring *keyring = NULL;
	struct fault fault = {.what = ""};
	assert_int_equal(keyring_new(slice_of(text), &keyring, &fault), STATUS_REFUSED);
	assert_null(keyring);
	assert_string_equal(fault.where, where);
	if (!strstr(fault.what, what))
		fail_msg("\"%s\" does not say \"%s\"", fault.what, what);
	assert_int_equal(keyring_new(slice_of(text), &keyring, NULL), STATUS_REFUSED);
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	assert_fault("", "key 1", "must begin with an id");
	assert_fault("a", "key 1", "has 0 bytes");
	assert_fault(":" KEY_A, "key 1", "must begin with an id");
	assert_fault(KEY_A, "key 1", "must begin with an id");
	assert_fault("a:" KEY_A ",", "key 2", "must begin with an id");
	assert_fault(",a:" KEY_A, "key 1", "must begin with an id");
	assert_fault("a:" KEY_A ",b", "key 2", "has 0 bytes");
	assert_fault("a:" KEY_A ",b:", "key 2", "has 0 bytes");
	assert_fault("123456789:" KEY_A, "key 1", "1 to 8 URL-safe");
	assert_fault("a b:" KEY_A, "key 1", "URL-safe");
	assert_fault("..:" KEY_A, "key 1", "URL-safe");
	assert_fault("a: " KEY_A, "key 1", "not a key in base64");
	assert_fault("a:" KEY_A "\n", "key 1", "not a key in base64");
	assert_fault("a:b:" KEY_A, "key 1", "not a key in base64");
	/* Without its padding, and with a bit where there is none. */
	assert_fault("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "key 1", "not a key");
	assert_fault("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", "key 1", "not a key");
	/* 31 and 65 bytes. */
	assert_fault("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "key 1", "has 31 bytes");
	assert_fault("a:" KEY_A
		     ",b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4P"
		     "EBESExQVFhcYGRobHB0eHwA=",
		"key 2", "has 65 bytes");
	assert_fault("a:" KEY_A ",b:" KEY_B ",a:" KEY_C, "key 3", "has the id of key 1");
	assert_fault("a:" KEY_A ",b:" KEY_B ",c:" KEY_B, "key 3", "is the same as key 2");
	struct keyring *keyring;
	struct fault fault;
	struct slice nothing = {.data = NULL, .size = 0};
	assert_int_equal(keyring_new(nothing, &keyring, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, "key 1");
}

static void at_most_eight_keys_are_taken(void **state)
{
	(void)state;
	char text[1024] = "";
	size_t size = 0;
	for (int i = 0; i < KEYRING_KEYS_MAX + 1; i++) {
		/* The first character alone makes keys that differ. */
		size += (size_t)snprintf(text + size, sizeof text - size, "%sk%d:%c%s",
			i > 0 ? "," : "", i, 'A' + i, &KEY_A[1]);
		if (i + 1 < KEYRING_KEYS_MAX)
			continue;
		if (i + 1 == KEYRING_KEYS_MAX)
			keyring_free(keyring_of(text));
		else
			assert_fault(text, "key 9", "one too many");
	}
}

/* Whatever is wrong with it: a fault goes to the log. */
static void no_fault_shows_a_key(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	static const char good[] = "k1:" KEY_A ",k2:" KEY_C;
	int refused_count = 0;
	for (int round = 0; round < 20000; round++) {
		char text[sizeof good];
		struct keyring *keyring = NULL;
		struct fault fault = {.what = ""};
		memcpy(text, good, sizeof good);
		size_t at = random_below(&random, sizeof good - 1);
		text[at] = (char)random_next(&random);
		struct slice slice = {
			.data = text, .size = random_chance(&random, 1, 4) ? at : sizeof good - 1};
		if (keyring_new(slice, &keyring, &fault) == STATUS_REFUSED) {
			refused_count++;
			assert_null(strstr(fault.what, "CAw"));
			assert_null(strstr(fault.what, "8zN"));
			assert_true(strlen(fault.where) <= strlen("key 2"));
		}
		keyring_free(keyring);
	}
	assert_true(refused_count > 1000);
}

enum { THREADS = 4, ROUNDS = 2000 };

struct signer {
	pthread_t thread;
	const struct keyring *keyring;
	char message[16]; /* Each thread signs its own. */
	int wrong_count;
};

static void *sign_and_verify(void *context)
{
	struct signer *signer = context;
	uint8_t first[KEYRING_MAC_SIZE], mac[KEYRING_MAC_SIZE];
	keyring_sign(signer->keyring, "p", slice_of(signer->message), first);
	for (int round = 0; round < ROUNDS; round++) {
		keyring_sign(signer->keyring, "p", slice_of(signer->message), mac);
		if (memcmp(mac, first, sizeof mac) != 0 ||
			!verifies(signer->keyring, "b", "p", signer->message, mac) ||
			verifies(signer->keyring, "a", "p", signer->message, mac))
			signer->wrong_count++;
	}
	return NULL;
}

static void threads_share_a_keyring(void **state)
{
	(void)state;
	struct keyring *keyring = keyring_of("b:" KEY_B ",a:" KEY_A);
	struct signer signers[THREADS];
	for (int i = 0; i < THREADS; i++) {
		signers[i] = (struct signer){.keyring = keyring};
		snprintf(signers[i].message, sizeof signers[i].message, "m%d", i);
		assert_int_equal(
			pthread_create(&signers[i].thread, NULL, sign_and_verify, &signers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(signers[i].thread, NULL), 0);
		assert_int_equal(signers[i].wrong_count, 0);
	}
	keyring_free(keyring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mac_is_the_one_that_others_compute),
		cmocka_unit_test(the_newest_signs_and_each_verifies),
		cmocka_unit_test(a_mac_is_for_one_purpose_and_message),
		cmocka_unit_test(the_bounds_themselves_are_allowed),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(at_most_eight_keys_are_taken),
		cmocka_unit_test(no_fault_shows_a_key),
		cmocka_unit_test(threads_share_a_keyring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
