#include "lib/ticketing/place_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "lib/ticketing/base64.h"

/* Bytes 0 to 31, and 100 to 163. */
#define KEY_NEW "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_OLD \
	"old-key8:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6" \
	"foKGiow=="
#define KEY_OTHER "k1:yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc="

/* Made by Python's hmac and base64 from the format in place_token.h. */
#define PLACE_TEXT \
	"AQECazELd2ludGVyLWdhbGEFYWxpY2UAAAAAAAASZwAAAAAAAAACAAABi8_laHuaecp59ttOE8N9m6KixLRWTYO2" \
	"puX0G-l4xRdyrHp9vQ"
#define RANK_TEXT \
	"AQICazELd2ludGVyLWdhbGEFYWxpY2UAAAAAAAASZwAAAAAAAAACAAABi8_laHtfdec-m0aNWoT_0GrbV0LyaT64" \
	"u5DmN7GuoAplP830BA"
#define OLD_TEXT \
	"AQEIb2xkLWtleTgLd2ludGVyLWdhbGEFYWxpY2UAAAAAAAASZwAAAAAAAAACAAABi8_laHu9NJIxJvmi6NwM_oC9" \
	"89PlxASohWqhNDcNVHAk7ALiAQ"
#define PASS_TEXT \
	"AQMCazELd2ludGVyLWdhbGEFYWxpY2UAAAAAAAASZwAAAAAAAAACAAABi8_laHsAAAGLz-c9OwAAAYvP8yQbUJFI" \
	"MEPX2zPmQcV_1UH4L9A77IkXhO1QBQ8AJnWWFXA"
#define LONGEST_TEXT \
	"AQMIb2xkLWtleThAZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVl" \
	"ZWVlZWVlZWVlZUBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw" \
	"cHBwcHBwcHBwf_________9__________3__________f_________9__________2n5GX3kBAwGCPimigjHpHzi" \
	"ppog6pProQ_exnF75_hG"

static const int64_t issued_ms = 1700000000123;
static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int open_keyring(void **state)
{
	struct keyring *keyring = NULL;
	if (keyring_new(slice_of(KEY_NEW "," KEY_OLD), &keyring, NULL) != STATUS_OK)
		return -1;
	*state = keyring;
	return 0;
}

static int close_keyring(void **state)
{
	keyring_free(*state);
	return 0;
}

static struct keyring *keyring_of(const char *text)
{
	struct keyring *keyring = NULL;
	assert_int_equal(keyring_new(slice_of(text), &keyring, NULL), STATUS_OK);
	return keyring;
}

static struct place_token alices_place(void)
{
	return (struct place_token){
		.kind = PLACE_TOKEN_PLACE,
		.event = slice_of("winter-gala"),
		.person = slice_of("alice"),
		.number = 4711,
		.epoch = 2,
		.issued_at_ms = issued_ms,
	};
}

static struct pass alices_pass(void)
{
	return (struct pass){
		.event = slice_of("winter-gala"),
		.person = slice_of("alice"),
		.place = 4711,
		.epoch = 2,
		.admitted_at_ms = issued_ms,
		.claim_ends_at_ms = issued_ms + 120000,
		.session_ends_at_ms = issued_ms + 900000,
	};
}

static void assert_place_is(const struct place_token *a, const struct place_token *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_true(slice_equal(a->event, b->event));
	assert_true(slice_equal(a->person, b->person));
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->issued_at_ms, b->issued_at_ms);
}

static void assert_pass_is(const struct pass *a, const struct pass *b)
{
	assert_true(slice_equal(a->event, b->event));
	assert_true(slice_equal(a->person, b->person));
	assert_int_equal(a->place, b->place);
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->admitted_at_ms, b->admitted_at_ms);
	assert_int_equal(a->claim_ends_at_ms, b->claim_ends_at_ms);
	assert_int_equal(a->session_ends_at_ms, b->session_ends_at_ms);
}

static enum token_verdict read_place(const struct keyring *keyring, struct slice text)
{
	struct token_bytes bytes;
	struct place_token token;
	return place_token_read(keyring, text, &bytes, &token);
}

static enum token_verdict read_pass(const struct keyring *keyring, struct slice text)
{
	struct token_bytes bytes;
	struct pass pass;
	return pass_read(keyring, text, issued_ms, &bytes, &pass);
}

/* Neither a place nor a pass. */
static void assert_forged(const struct keyring *keyring, struct slice text)
{
	if (read_place(keyring, text) == TOKEN_FORGED && read_pass(keyring, text) == TOKEN_FORGED)
		return;
	fail_msg("believed: %.*s", (int)text.size, text.data ? text.data : "");
}

static void a_place_is_written_as_others_write_it(void **state)
{
	char text[TOKEN_TEXT_SIZE];
	struct token_bytes bytes;
	struct place_token token = alices_place(), read;
	assert_int_equal(place_token_make(*state, &token, text), strlen(PLACE_TEXT));
	assert_string_equal(text, PLACE_TEXT);
	assert_int_equal(place_token_read(*state, slice_of(text), &bytes, &read), TOKEN_VALID);
	assert_place_is(&read, &token);
	token.kind = PLACE_TOKEN_RANK;
	assert_int_equal(place_token_make(*state, &token, text), strlen(RANK_TEXT));
	assert_string_equal(text, RANK_TEXT);
	assert_int_equal(place_token_read(*state, slice_of(text), &bytes, &read), TOKEN_VALID);
	assert_place_is(&read, &token);
}

static void a_pass_is_written_as_others_write_it(void **state)
{
	char text[TOKEN_TEXT_SIZE];
	struct token_bytes bytes;
	struct pass pass = alices_pass(), read;
	assert_int_equal(pass_make(*state, &pass, text), strlen(PASS_TEXT));
	assert_string_equal(text, PASS_TEXT);
	assert_int_equal(pass_read(*state, slice_of(text), issued_ms, &bytes, &read), TOKEN_VALID);
	assert_pass_is(&read, &pass);
}

static void an_older_key_is_still_believed(void **state)
{
	struct place_token token = alices_place(), read;
	struct token_bytes bytes;
	assert_int_equal(place_token_read(*state, slice_of(OLD_TEXT), &bytes, &read), TOKEN_VALID);
	assert_place_is(&read, &token);
}

static void the_longest_pass_fits(void **state)
{
	(void)state;
	char event[TOKEN_FIELD_SIZE_MAX], person[TOKEN_FIELD_SIZE_MAX], text[TOKEN_TEXT_SIZE];
	memset(event, 'e', sizeof event);
	memset(person, 'p', sizeof person);
	struct keyring *keyring = keyring_of(KEY_OLD);
	struct pass pass = {
		.event = {.data = event, .size = sizeof event},
		.person = {.data = person, .size = sizeof person},
		.place = INT64_MAX,
		.epoch = INT64_MAX,
		.admitted_at_ms = INT64_MAX,
		.claim_ends_at_ms = INT64_MAX,
		.session_ends_at_ms = INT64_MAX,
	};
	assert_int_equal(pass_make(keyring, &pass, text), TOKEN_TEXT_MAX);
	assert_string_equal(text, LONGEST_TEXT);
	assert_int_equal(read_pass(keyring, slice_of(text)), TOKEN_VALID);
	keyring_free(keyring);
}

static void a_pass_is_over_when_its_session_ends(void **state)
{
	struct pass pass = alices_pass(), read;
	struct token_bytes bytes;
	const struct slice text = slice_of(PASS_TEXT);
	const int64_t end = pass.session_ends_at_ms;
	assert_int_equal(pass_read(*state, text, INT64_MIN, &bytes, &read), TOKEN_VALID);
	/* Claimed or not, only the room knows. */
	assert_int_equal(
		pass_read(*state, text, pass.claim_ends_at_ms, &bytes, &read), TOKEN_VALID);
	assert_int_equal(pass_read(*state, text, end - 1, &bytes, &read), TOKEN_VALID);
	memset(&read, 0, sizeof read);
	assert_int_equal(pass_read(*state, text, end, &bytes, &read), TOKEN_EXPIRED);
	assert_pass_is(&read, &pass);
	assert_int_equal(pass_read(*state, text, INT64_MAX, &bytes, &read), TOKEN_EXPIRED);
}

static void one_kind_is_not_another(void **state)
{
	assert_int_equal(read_pass(*state, slice_of(PLACE_TEXT)), TOKEN_FORGED);
	assert_int_equal(read_pass(*state, slice_of(RANK_TEXT)), TOKEN_FORGED);
	assert_int_equal(read_place(*state, slice_of(PASS_TEXT)), TOKEN_FORGED);
	/* The kind is the second byte: characters 1 and 2. */
	char text[] = PLACE_TEXT;
	text[2] = RANK_TEXT[2];
	assert_forged(*state, slice_of(text));
	text[2] = PASS_TEXT[2];
	assert_forged(*state, slice_of(text));
}

/* Another character in each position, each of the 63 that could stand there: this flips each bit
 * and each set of bits of six, the unused bits of the last character included. */
static void no_character_can_be_changed(void **state)
{
	static const char *const texts[] = {PLACE_TEXT, RANK_TEXT, OLD_TEXT, PASS_TEXT};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[TOKEN_TEXT_SIZE];
		size_t size = strlen(texts[i]);
		memcpy(text, texts[i], size + 1);
		for (size_t at = 0; at < size; at++) {
			for (const char *other = characters; *other; other++) {
				text[at] = *other;
				if (*other != texts[i][at])
					assert_forged(*state, slice_of(text));
			}
			text[at] = texts[i][at];
		}
	}
}

/* The same of the bits of the text itself, which may become any byte. */
static void no_bit_of_the_text_can_be_flipped(void **state)
{
	char text[] = PASS_TEXT;
	for (size_t bit = 0; bit < (sizeof text - 1) * 8; bit++) {
		text[bit / 8] ^= (char)(1U << bit % 8);
		assert_forged(*state, (struct slice){.data = text, .size = sizeof text - 1});
		text[bit / 8] ^= (char)(1U << bit % 8);
	}
	assert_int_equal(read_pass(*state, slice_of(text)), TOKEN_VALID);
}

/* What is cut stands alone in memory, so that reading past it is seen by the sanitizers. */
static void a_part_is_no_token(void **state)
{
	static const char *const texts[] = {PLACE_TEXT, PASS_TEXT};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		for (size_t size = 0; size < strlen(texts[i]); size++) {
			char *part = malloc(size + 1);
			assert_non_null(part);
			memcpy(part, texts[i], size);
			assert_forged(*state, (struct slice){.data = part, .size = size});
			memcpy(part, texts[i] + strlen(texts[i]) - size, size);
			assert_forged(*state, (struct slice){.data = part, .size = size});
			free(part);
		}
	}
}

static void nothing_can_be_added(void **state)
{
	static const char *const wrong[] = {"", "=", "A" PLACE_TEXT, PLACE_TEXT "A",
		PLACE_TEXT "AA", PLACE_TEXT "AAA", PLACE_TEXT "AAAA", PLACE_TEXT "=",
		PLACE_TEXT "==", PLACE_TEXT " ", PLACE_TEXT "\n", " " PLACE_TEXT,
		PLACE_TEXT "." PLACE_TEXT, PLACE_TEXT PLACE_TEXT, PASS_TEXT PASS_TEXT,
		LONGEST_TEXT LONGEST_TEXT, "eyJhbGciOiJub25lIn0.e30."};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_forged(*state, slice_of(wrong[i]));
	assert_forged(*state, (struct slice){.data = PLACE_TEXT, .size = sizeof PLACE_TEXT});
	assert_forged(*state, (struct slice){.data = NULL, .size = 0});
}

static void only_our_keys_are_believed(void **state)
{
	(void)state;
	/* Another key of the same id, and a key under another id. */
	struct keyring *other = keyring_of(KEY_OTHER);
	struct keyring *old = keyring_of(KEY_OLD);
	assert_forged(other, slice_of(PLACE_TEXT));
	assert_forged(other, slice_of(PASS_TEXT));
	assert_forged(old, slice_of(PLACE_TEXT));
	assert_int_equal(read_place(old, slice_of(OLD_TEXT)), TOKEN_VALID);
	keyring_free(other);
	keyring_free(old);
}

/* Fields of one token and the MAC of another: event, person, number, epoch, time. */
static void no_field_can_be_taken_from_elsewhere(void **state)
{
	struct place_token others[] = {alices_place(), alices_place(), alices_place(),
		alices_place(), alices_place(), alices_place()};
	others[0].event = slice_of("winter-galb");
	others[1].person = slice_of("alicf");
	others[2].number = 1;
	others[3].epoch = 1;
	others[4].issued_at_ms++;
	/* The same characters, cut in another place. */
	others[5].event = slice_of("winter-gal");
	others[5].person = slice_of("aalice");
	const size_t mac_characters = 42;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		char text[TOKEN_TEXT_SIZE];
		size_t size = place_token_make(*state, &others[i], text);
		assert_int_equal(read_place(*state, slice_of(text)), TOKEN_VALID);
		memcpy(text + size - mac_characters,
			&PLACE_TEXT[sizeof PLACE_TEXT - 1 - mac_characters], mac_characters);
		assert_forged(*state, slice_of(text));
	}
}

/* Sign any bytes with our own key, as a program of another opinion might. */
static struct slice sign(const struct keyring *keyring, const char *purpose, const char *bytes,
	size_t size, char text[TOKEN_TEXT_SIZE])
{
	uint8_t whole[TOKEN_BYTES_MAX];
	memcpy(whole, bytes, size);
	keyring_sign(keyring, purpose, (struct slice){.data = bytes, .size = size}, whole + size);
	size_t written = base64_write_url(whole, size + KEYRING_MAC_SIZE, text);
	return (struct slice){.data = text, .size = written};
}

#define ONE "\0\0\0\0\0\0\0\1"
#define ZERO "\0\0\0\0\0\0\0\0"
#define NEGATIVE "\xff\xff\xff\xff\xff\xff\xff\xff"

static void a_signature_alone_does_not_make_a_token(void **state)
{
	char text[TOKEN_TEXT_SIZE];
	static const struct {
		const char *bytes;
		size_t size;
	} wrong[] = {
#define WRONG(bytes) {(bytes), sizeof(bytes) - 1}
		WRONG(""), WRONG("\1"), WRONG("\1\1"), WRONG("\1\1\2k1"), WRONG("\1\1\2k1\1e"),
		WRONG("\1\1\2k1\1e\1p"), WRONG("\1\1\2k1\1e\1p" ONE ONE), /* A number short. */
		WRONG("\1\1\2k1\1e\1p" ONE ONE ONE "x"),                  /* A byte more. */
		WRONG("\1\1\2k1\1e\1p" ONE ONE ONE ONE ONE), /* A place with a pass's times. */
		WRONG("\1\3\2k1\1e\1p" ONE ONE ONE),         /* The reverse. */
		WRONG("\0\1\2k1\1e\1p" ONE ONE ONE),         /* Other versions and kinds. */
		WRONG("\2\1\2k1\1e\1p" ONE ONE ONE), WRONG("\1\0\2k1\1e\1p" ONE ONE ONE),
		WRONG("\1\4\2k1\1e\1p" ONE ONE ONE),
		WRONG("\1\1\2k1\0\1p" ONE ONE ONE), /* No event, no person. */
		WRONG("\1\1\2k1\1e\0" ONE ONE ONE),
		WRONG("\1\1\2k1\1\0\1p" ONE ONE ONE), /* A zero byte within. */
		WRONG("\1\1\2k1\1e\3p\0p" ONE ONE ONE),
		WRONG("\1\1\2k1\1e\1p" ZERO ONE ONE), /* Numbers out of their bounds. */
		WRONG("\1\1\2k1\1e\1p" NEGATIVE ONE ONE), WRONG("\1\1\2k1\1e\1p" ONE ZERO ONE),
		WRONG("\1\1\2k1\1e\1p" ONE ONE NEGATIVE),
		WRONG("\1\3\2k1\1e\1p" ONE ONE ONE ZERO ONE), /* Times out of order. */
		WRONG("\1\3\2k1\1e\1p" ONE ONE ONE ONE ZERO),
		WRONG("\1\1\2k1\377e\1p" ONE ONE ONE), /* Sizes that lead outside. */
		WRONG("\1\1\377k1\1e\1p" ONE ONE ONE),
		WRONG("\1\1\2k2\1e\1p" ONE ONE ONE), /* A key that we do not have. */
		WRONG("\1\1\0\1e\1p" ONE ONE ONE),
		WRONG("\1\1\2k1\101eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
		      "eeeee\1p" ONE ONE ONE), /* 65 bytes. */
#undef WRONG
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct slice signed_text =
			sign(*state, "onsale-token", wrong[i].bytes, wrong[i].size, text);
		if (read_place(*state, signed_text) != TOKEN_FORGED ||
			read_pass(*state, signed_text) != TOKEN_FORGED)
			fail_msg("case %zu was believed", i);
	}
	static const char good[] = "\1\1\2k1\1e\1p" ONE ONE ZERO;
	struct slice made = sign(*state, "onsale-token", good, sizeof good - 1, text);
	assert_int_equal(read_place(*state, made), TOKEN_VALID);
	assert_forged(*state, sign(*state, "something-else", good, sizeof good - 1, text));
}

static struct slice draw_text(struct random *random, char text[TOKEN_FIELD_SIZE_MAX])
{
	size_t size = (size_t)random_between(random, 1, TOKEN_FIELD_SIZE_MAX);
	for (size_t i = 0; i < size; i++)
		text[i] = (char)random_between(random, 1, 255);
	return (struct slice){.data = text, .size = size};
}

static void what_is_made_is_read_again(void **state)
{
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 5000; round++) {
		char event[TOKEN_FIELD_SIZE_MAX], person[TOKEN_FIELD_SIZE_MAX];
		char text[TOKEN_TEXT_SIZE];
		struct token_bytes bytes;
		struct place_token token = {
			.kind = random_chance(&random, 1, 2) ? PLACE_TOKEN_PLACE : PLACE_TOKEN_RANK,
			.event = draw_text(&random, event),
			.person = draw_text(&random, person),
			.number = random_between(&random, 1, INT64_MAX),
			.epoch = random_between(&random, 1, INT64_MAX),
			.issued_at_ms = random_between(&random, 0, INT64_MAX),
		};
		struct place_token read;
		size_t size = place_token_make(*state, &token, text);
		assert_int_equal(size, strlen(text));
		assert_true(size <= TOKEN_TEXT_MAX && strspn(text, characters) == size);
		assert_int_equal(
			place_token_read(*state, slice_of(text), &bytes, &read), TOKEN_VALID);
		assert_place_is(&read, &token);
		text[random_below(&random, size)] ^= 1;
		assert_forged(*state, slice_of(text));
	}
}

static void passes_are_read_again_too(void **state)
{
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 5000; round++) {
		char event[TOKEN_FIELD_SIZE_MAX], person[TOKEN_FIELD_SIZE_MAX];
		char text[TOKEN_TEXT_SIZE];
		struct token_bytes bytes;
		struct pass pass = {
			.event = draw_text(&random, event),
			.person = draw_text(&random, person),
			.place = random_between(&random, 1, INT64_MAX),
			.epoch = random_between(&random, 1, INT64_MAX),
			.admitted_at_ms = random_between(&random, 0, INT64_MAX),
		};
		pass.claim_ends_at_ms = random_between(&random, pass.admitted_at_ms, INT64_MAX);
		pass.session_ends_at_ms = random_between(&random, pass.claim_ends_at_ms, INT64_MAX);
		struct pass read;
		int64_t now_ms = random_between(&random, 0, INT64_MAX);
		pass_make(*state, &pass, text);
		assert_int_equal(pass_read(*state, slice_of(text), now_ms, &bytes, &read),
			now_ms < pass.session_ends_at_ms ? TOKEN_VALID : TOKEN_EXPIRED);
		assert_pass_is(&read, &pass);
	}
}

static void verdicts_have_names(void **state)
{
	(void)state;
	assert_string_equal(token_verdict_name(TOKEN_VALID), "valid");
	assert_string_equal(token_verdict_name(TOKEN_EXPIRED), "expired");
	assert_string_equal(token_verdict_name(TOKEN_FORGED), "forged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_written_as_others_write_it),
		cmocka_unit_test(a_pass_is_written_as_others_write_it),
		cmocka_unit_test(an_older_key_is_still_believed),
		cmocka_unit_test(the_longest_pass_fits),
		cmocka_unit_test(a_pass_is_over_when_its_session_ends),
		cmocka_unit_test(one_kind_is_not_another),
		cmocka_unit_test(no_character_can_be_changed),
		cmocka_unit_test(no_bit_of_the_text_can_be_flipped),
		cmocka_unit_test(a_part_is_no_token),
		cmocka_unit_test(nothing_can_be_added),
		cmocka_unit_test(only_our_keys_are_believed),
		cmocka_unit_test(no_field_can_be_taken_from_elsewhere),
		cmocka_unit_test(a_signature_alone_does_not_make_a_token),
		cmocka_unit_test(what_is_made_is_read_again),
		cmocka_unit_test(passes_are_read_again_too),
		cmocka_unit_test(verdicts_have_names),
	};
	return cmocka_run_group_tests(tests, open_keyring, close_keyring);
}
