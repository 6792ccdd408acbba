#include "real-implementation/session_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "lib/ticketing/place_token.h"

/* Bytes 0 to 31, and 100 to 163. */
#define KEY_NEW "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_OLD \
	"old-key8:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6" \
	"foKGiow=="
#define KEY_OTHER "k1:yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc="

/* Made by Python's hmac and base64 from the format in session_token.h. */
#define TEXT \
	"AQJrMQ8eLTxLWkl4h5altMPS4fAAAAGLz-VoewAAAYvVC8R7KY8PYBP2423tuKcKVNJv-nE0caRwtzwZI8o7ewz" \
	"qmgA"
#define OLD_TEXT \
	"AQhvbGQta2V5OA8eLTxLWkl4h5altMPS4fAAAAGLz-VoewAAAYvVC8R767EiVOp-R1ihjxDu9k-UTomzlhPvUme" \
	"G-GO3eXEO9PQ"
/* Signed, but for the purpose of places; over before it was issued; issued before 1970; of a
 * version that is not known; and as late as can be. */
#define PURPOSE_TEXT \
	"AQJrMQ8eLTxLWkl4h5altMPS4fAAAAGLz-VoewAAAYvVC8R7F_N9ie_WTuR3MZNFvBgQaLvR4eCPpXOJduglrSF" \
	"zn_E"
#define SWAPPED_TEXT \
	"AQJrMQ8eLTxLWkl4h5altMPS4fAAAAAAAAAABQAAAAAAAAAEcTTyz95vGHxYz1SvHcbZYM9Sv2I28G3fItywVE0" \
	"FgzE"
#define NEGATIVE_TEXT \
	"AQJrMQ8eLTxLWkl4h5altMPS4fD__________wAAAAAAAAAEEnraXkqFTKe8r-A6yBAD5ccbQDbENajBWvFar4v" \
	"b-mQ"
#define VERSION_TEXT \
	"AgJrMQ8eLTxLWkl4h5altMPS4fAAAAGLz-VoewAAAYvVC8R7xEBOeFy0E9eHskHr5RwO4qJA7ASv53DMJwI2kCj" \
	"49Vc"
#define LATEST_TEXT \
	"AQJrMQ8eLTxLWkl4h5altMPS4fB__________3__________vWq8daJaqNaD2RgNEJhMGTbQWwEETkLdY1g56Oj" \
	"oB7c"

static const int64_t issued_ms = 1700000000123, expires_ms = 1700086400123;
static const char user_text[] = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0";

static struct keyring *keyring_of(const char *text)
{
	struct keyring *keyring = NULL;
	assert_int_equal(keyring_new(slice_of(text), &keyring, NULL), STATUS_OK);
	return keyring;
}

static int open_keyring(void **state)
{
	*state = keyring_of(KEY_NEW "," KEY_OLD);
	return 0;
}

static int close_keyring(void **state)
{
	keyring_free(*state);
	return 0;
}

static struct session_token token_of(const char *user)
{
	struct session_token token = {.issued_at_ms = issued_ms, .expires_at_ms = expires_ms};
	assert_true(id_parse(slice_of(user), &token.user));
	return token;
}

static enum session_verdict read_at(const struct keyring *keyring, const char *text, int64_t now_ms)
{
	struct session_token token;
	return session_token_read(keyring, slice_of(text), now_ms, &token);
}

static void test_as_the_format_says(void **state)
{
	const struct session_token token = token_of(user_text);
	char text[SESSION_TOKEN_TEXT_SIZE], user[ID_TEXT_SIZE];
	assert_int_equal(session_token_make(*state, &token, text), strlen(TEXT));
	assert_string_equal(text, TEXT);
	const char *const known[] = {TEXT, OLD_TEXT};
	for (size_t i = 0; i < 2; i++) {
		struct session_token read = {0};
		assert_int_equal(SESSION_VALID,
			session_token_read(*state, slice_of(known[i]), issued_ms, &read));
		id_format(read.user, user);
		assert_string_equal(user_text, user);
		assert_true(read.issued_at_ms == issued_ms && read.expires_at_ms == expires_ms);
	}
	struct keyring *old_only = keyring_of(KEY_OLD);
	session_token_make(old_only, &token, text);
	assert_string_equal(text, OLD_TEXT);
	keyring_free(old_only);
}

static void test_it_is_over_at_its_end(void **state)
{
	assert_int_equal(SESSION_VALID, read_at(*state, TEXT, 0));
	assert_int_equal(SESSION_VALID, read_at(*state, TEXT, expires_ms - 1));
	assert_int_equal(SESSION_EXPIRED, read_at(*state, TEXT, expires_ms));
	assert_int_equal(SESSION_EXPIRED, read_at(*state, TEXT, INT64_MAX));
	assert_int_equal(SESSION_VALID, read_at(*state, LATEST_TEXT, INT64_MAX - 1));
	assert_int_equal(SESSION_EXPIRED, read_at(*state, LATEST_TEXT, INT64_MAX));
}

static void test_what_no_key_of_ours_signed_is_forged(void **state)
{
	static const char *const texts[] = {"", "A", PURPOSE_TEXT, SWAPPED_TEXT, NEGATIVE_TEXT,
		VERSION_TEXT, TEXT "A", TEXT "=", TEXT TEXT, " " TEXT, TEXT "\n",
		"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(SESSION_FORGED, read_at(*state, texts[i], 0));
	struct keyring *other = keyring_of(KEY_OTHER), *new_only = keyring_of(KEY_NEW);
	assert_int_equal(SESSION_FORGED, read_at(other, TEXT, 0));
	assert_int_equal(SESSION_FORGED, read_at(new_only, OLD_TEXT, 0));
	keyring_free(other);
	keyring_free(new_only);
}

/* Also in what base64 does not use, so that a token has one spelling. */
static void test_each_changed_character_is_seen(void **state)
{
	static const char characters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ";
	char text[] = TEXT;
	for (size_t i = 0; i < sizeof text - 1; i++) {
		for (size_t j = 0; j < sizeof characters; j++) {
			text[i] = characters[j];
			bool same = strcmp(text, TEXT) == 0;
			struct session_token token;
			enum session_verdict verdict = session_token_read(
				*state, (struct slice){text, sizeof text - 1}, 0, &token);
			assert_int_equal(same ? SESSION_VALID : SESSION_FORGED, verdict);
		}
		text[i] = TEXT[i];
	}
	for (size_t size = 0; size < sizeof text - 1; size++) {
		struct session_token token;
		assert_int_equal(SESSION_FORGED,
			session_token_read(*state, (struct slice){text, size}, 0, &token));
	}
}

static void test_a_place_and_a_pass_are_no_sessions(void **state)
{
	char text[TOKEN_TEXT_SIZE];
	const struct place_token place = {.kind = PLACE_TOKEN_PLACE,
		.event = slice_of("e"),
		.person = slice_of("0123456789abcde"),
		.number = 1,
		.epoch = 1};
	place_token_make(*state, &place, text);
	assert_int_equal(SESSION_FORGED, read_at(*state, text, 0));
	const struct pass pass = {
		.event = slice_of("e"), .person = slice_of("p"), .place = 1, .epoch = 1};
	pass_make(*state, &pass, text);
	assert_int_equal(SESSION_FORGED, read_at(*state, text, 0));
	struct token_bytes bytes;
	struct place_token read;
	assert_int_equal(TOKEN_FORGED, place_token_read(*state, slice_of(TEXT), &bytes, &read));
}

static void test_people_are_random(void **state)
{
	enum { PEOPLE = 2000 };
	static struct id people[PEOPLE];
	uint8_t ones[16] = {0}, zeros[16] = {0};
	(void)state;
	for (size_t i = 0; i < PEOPLE; i++) {
		people[i] = session_user_new();
		assert_int_equal(0x40, people[i].bytes[6] & 0xF0);
		assert_int_equal(0x80, people[i].bytes[8] & 0xC0);
		for (size_t j = 0; j < 16; j++) {
			ones[j] |= people[i].bytes[j];
			zeros[j] |= (uint8_t)~people[i].bytes[j];
		}
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(&people[i], &people[j], sizeof people[i]);
	}
	for (size_t j = 0; j < 16; j++) {
		assert_int_equal(j == 6 ? 0x4F : j == 8 ? 0xBF : 0xFF, ones[j]);
		assert_int_equal(j == 6 ? 0xBF : j == 8 ? 0x7F : 0xFF, zeros[j]);
	}
}

static void test_random_tokens_come_back(void **state)
{
	struct random random;
	random_init(&random, random_seed());
	for (int i = 0; i < 2000; i++) {
		struct session_token token = {.user = session_user_new()}, read;
		char text[SESSION_TOKEN_TEXT_SIZE];
		token.issued_at_ms = (int64_t)(random_next(&random) >> 2);
		token.expires_at_ms = token.issued_at_ms + (int64_t)(random_next(&random) >> 2);
		size_t size = session_token_make(*state, &token, text);
		assert_true(size <= SESSION_TOKEN_TEXT_MAX && text[size] == '\0');
		assert_int_not_equal(SESSION_FORGED,
			session_token_read(*state, (struct slice){text, size}, 0, &read));
		assert_memory_equal(&token, &read, sizeof token);
	}
}

static void test_cookies(void **state)
{
	static const struct {
		const char *header;
		enum session_cookie found;
		const char *value;
	} cases[] = {
		{"", SESSION_COOKIE_NONE, NULL},
		{"s", SESSION_COOKIE_NONE, NULL},
		{"s=a", SESSION_COOKIE_ONE, "a"},
		{"s=", SESSION_COOKIE_ONE, ""},
		{"s=a=b=", SESSION_COOKIE_ONE, "a=b="},
		{"s=\"a\"", SESSION_COOKIE_ONE, "\"a\""},
		{"x=1; s=a", SESSION_COOKIE_ONE, "a"},
		{"s=a; x=1", SESSION_COOKIE_ONE, "a"},
		{"x=1;s=a;y=2", SESSION_COOKIE_ONE, "a"},
		{" \ts=a \t; x", SESSION_COOKIE_ONE, "a"},
		{";;s=a;;", SESSION_COOKIE_ONE, "a"},
		{"j={\"s\":1}, x y; s=a", SESSION_COOKIE_ONE, "a"},
		{"x=s=a", SESSION_COOKIE_NONE, NULL},
		{"x=\"; s=a\"", SESSION_COOKIE_ONE, "a\""}, /* No grammar quotes a semicolon. */
		{"S=a", SESSION_COOKIE_NONE, NULL},
		{"ss=a; s_=b; s.=c", SESSION_COOKIE_NONE, NULL},
		{"s =a", SESSION_COOKIE_NONE, NULL},
		{"s, s", SESSION_COOKIE_NONE, NULL},
		{"s=a; s=b", SESSION_COOKIE_AMBIGUOUS, NULL},
		{"s=a; s=a", SESSION_COOKIE_AMBIGUOUS, NULL},
		{"s=; x=1; s=a", SESSION_COOKIE_AMBIGUOUS, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice value = {0};
		enum session_cookie found =
			session_cookie_find(slice_of(cases[i].header), "s", &value);
		if (found != cases[i].found || (cases[i].value && !slice_is(value, cases[i].value)))
			fail_msg("%s: %d, %.*s", cases[i].header, (int)found, SLICE_PRINT(value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_format_says),
		cmocka_unit_test(test_it_is_over_at_its_end),
		cmocka_unit_test(test_what_no_key_of_ours_signed_is_forged),
		cmocka_unit_test(test_each_changed_character_is_seen),
		cmocka_unit_test(test_a_place_and_a_pass_are_no_sessions),
		cmocka_unit_test(test_people_are_random),
		cmocka_unit_test(test_random_tokens_come_back),
		cmocka_unit_test(test_cookies),
	};
	return cmocka_run_group_tests(tests, open_keyring, close_keyring);
}
