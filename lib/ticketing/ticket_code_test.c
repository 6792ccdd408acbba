#include "lib/ticketing/ticket_code.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "lib/ticketing/base32.h"

/* The secret keys of RFC 8032, section 7.1, tests 1 to 3. */
#define KEY_A "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define KEY_B "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs="
#define KEY_C "xaqN9D+fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc="

/* Made by Python's cryptography and base64 from the layout in ticket_code.h. */
#define CODE_TEXT \
	"AFVTCAAAAAAAAAABSOS4E6YAPK6I33YBENCWPCNLL4HC2TA3HKDJPJNUYPJOD4ABCIAAGZKT6EAKMAYQRREVEGL6" \
	"AGZWZMHL6XLOZDS6I2LJPONHRLAQDLRVA57NWZBTSQMN35UOSDJ4D2KXCJ4XWTBE3H47AZUKNQWENWOO2PZH4YAW" \
	"AU"
#define BOUNDS_TEXT \
	"AFXWYZBNNNSXSOH7777777777777777777777777AAAAAAAAAAAAAAAAAAAAAAAAAD777777777T476FWA5S2N5S" \
	"J7M66TYM5IIVHLVAPX5SU52C3IXHP666D3QDAWZUQKLBJGLA7IDCFKIBE77QLVM5T4HT45KBEKJBIX5JACPZIQD2" \
	"BU"

/* The offsets of the layout, once more. */
enum {
	AT_KID = 1,
	AT_EVENT = 9,
	AT_GENERATION = 41,
	AT_SIGNATURE = 47,
	AT_S = AT_SIGNATURE + 32,
};

static struct ticket_signer *signer_of(const char *text)
{
	struct ticket_signer *signer = NULL;
	assert_int_equal(ticket_signer_new(slice_of(text), &signer, NULL), STATUS_OK);
	return signer;
}

static int open_signer(void **state)
{
	struct ticket_signer *signer = NULL;
	if (ticket_signer_new(slice_of("k1:" KEY_A ",old-key8:" KEY_B), &signer, NULL) != STATUS_OK)
		return -1;
	*state = signer;
	return 0;
}

static int close_signer(void **state)
{
	ticket_signer_free(*state);
	return 0;
}

static struct ticket_code some_code(void)
{
	struct ticket_code code = {.generation = 3, .issued_at_s = 1700000000};
	assert_true(id_parse(slice_of("0193a5c2-7b00-7abc-8def-0123456789ab"), &code.event));
	assert_true(id_parse(slice_of("5f0e2d4c-1b3a-8697-a5b4-c3d2e1f00112"), &code.ticket));
	return code;
}

static void assert_code_is(const struct ticket_code *a, const struct ticket_code *b)
{
	assert_memory_equal(&a->event, &b->event, sizeof a->event);
	assert_memory_equal(&a->ticket, &b->ticket, sizeof a->ticket);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->issued_at_s, b->issued_at_s);
}

static enum ticket_code_verdict verdict_of(const struct ticket_signer *signer, struct slice text)
{
	struct ticket_code code;
	return ticket_code_read(ticket_signer_public(signer), text, &code, NULL);
}

/* What is said of these bytes, written as a code is. */
static enum ticket_code_verdict read_bytes(
	const struct ticket_signer *signer, const uint8_t bytes[TICKET_CODE_SIZE])
{
	char text[TICKET_CODE_TEXT_SIZE];
	struct slice slice = {.data = text, .size = base32_write(bytes, TICKET_CODE_SIZE, text)};
	return verdict_of(signer, slice);
}

static void bytes_of(const char *text, uint8_t bytes[TICKET_CODE_SIZE])
{
	assert_true(base32_read(slice_of(text), bytes, TICKET_CODE_SIZE));
}

static void a_code_is_written_as_others_write_it(void **state)
{
	char text[TICKET_CODE_TEXT_SIZE];
	struct ticket_code code = some_code(), got;
	const struct ticket_key *key;
	ticket_code_make(*state, &code, text);
	assert_string_equal(text, CODE_TEXT);
	assert_int_equal(strlen(text), TICKET_CODE_TEXT_MAX);
	assert_int_equal(ticket_code_read(ticket_signer_public(*state), slice_of(text), &got, &key),
		TICKET_CODE_GENUINE);
	assert_code_is(&got, &code);
	assert_true(slice_is(ticket_key_kid(key), "k1"));
}

static void the_bounds_themselves_are_allowed(void **state)
{
	struct ticket_signer *signer = signer_of("old-key8:" KEY_B);
	struct ticket_code code = {.generation = TICKET_GENERATION_MAX, .issued_at_s = UINT32_MAX};
	struct ticket_code got;
	const struct ticket_key *key;
	char text[TICKET_CODE_TEXT_SIZE];
	memset(&code.event, 0xff, sizeof code.event);
	ticket_code_make(signer, &code, text);
	assert_string_equal(text, BOUNDS_TEXT);
	/* It is not the newest key of the other signer, but one that is published. */
	assert_int_equal(ticket_code_read(ticket_signer_public(*state), slice_of(text), &got, &key),
		TICKET_CODE_GENUINE);
	assert_code_is(&got, &code);
	assert_true(slice_is(ticket_key_kid(key), "old-key8"));
	code = (struct ticket_code){.generation = 1, .issued_at_s = 0};
	ticket_code_make(signer, &code, text);
	assert_int_equal(ticket_code_read(ticket_signer_public(signer), slice_of(text), &got, NULL),
		TICKET_CODE_GENUINE);
	assert_code_is(&got, &code);
	ticket_signer_free(signer);
}

/* ---- a stranger, who has the header and OpenSSL, and nothing of ours ---- */

static void strangers_base32(const char *text, uint8_t *bytes)
{
	unsigned int bits = 0, count = 0;
	for (; *text != '\0'; text++) {
		bits = bits << 5 | (unsigned int)(*text <= '7' ? *text - '2' + 26 : *text - 'A');
		count += 5;
		if (count >= 8)
			*bytes++ = (uint8_t)(bits >> (count -= 8));
	}
}

static EVP_PKEY *strangers_key(const struct ticket_key_set *set, const char *kid)
{
	json_t *json = ticket_key_set_json(set), *jwk, *found = NULL;
	size_t i;
	json_array_foreach(json_object_get(json, "keys"), i, jwk)
	{
		if (strcmp(json_string_value(json_object_get(jwk, "kid")), kid) == 0)
			found = jwk;
	}
	assert_non_null(found);
	char text[] = "0000000000000000000000000000000000000000000=";
	const char *x = json_string_value(json_object_get(found, "x"));
	assert_int_equal(strlen(x), 43);
	for (size_t at = 0; at < 43; at++)
		text[at] = (char)(x[at] == '-' ? '+' : x[at] == '_' ? '/' : x[at]);
	uint8_t bytes[33];
	assert_int_equal(EVP_DecodeBlock(bytes, (const uint8_t *)text, 44), 33);
	json_decref(json);
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, 32);
}

static bool stranger_verifies(const struct ticket_key_set *set, const char *text)
{
	uint8_t message[14 + 111] = "onsale-ticket";
	strangers_base32(text, message + 14);
	const uint8_t *code = message + 14;
	char kid[9] = "";
	memcpy(kid, code + 1, 8);
	EVP_PKEY *key = strangers_key(set, kid);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, key), 1);
	int verdict = EVP_DigestVerify(context, code + 47, 64, message, 14 + 47);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return code[0] == 1 && verdict == 1;
}

static void a_stranger_can_verify_a_code(void **state)
{
	const struct ticket_key_set *set = ticket_signer_public(*state);
	struct random random;
	random_init(&random, random_seed());
	assert_true(stranger_verifies(set, BOUNDS_TEXT));
	for (int round = 0; round < 50; round++) {
		struct ticket_code code = {
			.event = id_new(1700000000000),
			.ticket = id_new(1700000000000),
			.generation = random_between(&random, 1, TICKET_GENERATION_MAX),
			.issued_at_s = random_between(&random, 0, UINT32_MAX),
		};
		struct ticket_code got;
		char text[TICKET_CODE_TEXT_SIZE];
		ticket_code_make(*state, &code, text);
		assert_true(stranger_verifies(set, text));
		assert_int_equal(
			ticket_code_read(set, slice_of(text), &got, NULL), TICKET_CODE_GENUINE);
		assert_code_is(&got, &code);
		/* The control: what we refuse, the stranger refuses. */
		size_t at = random_below(&random, TICKET_CODE_TEXT_MAX - 101) + 100;
		text[at] = text[at] == 'A' ? 'B' : 'A';
		assert_false(stranger_verifies(set, text));
		assert_int_equal(verdict_of(*state, slice_of(text)), TICKET_CODE_BAD_SIGNATURE);
	}
}

/* ---- what is refused ---- */

static void each_bit_is_signed(void **state)
{
	uint8_t bytes[TICKET_CODE_SIZE];
	bytes_of(CODE_TEXT, bytes);
	for (size_t bit = 0; bit < TICKET_CODE_SIZE * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		enum ticket_code_verdict verdict = read_bytes(*state, bytes);
		if (bit / 8 < AT_KID)
			assert_int_equal(verdict, TICKET_CODE_MALFORMED);
		else if (bit / 8 < AT_EVENT)
			assert_true(verdict == TICKET_CODE_MALFORMED ||
				verdict == TICKET_CODE_UNKNOWN_KEY);
		else
			assert_int_equal(verdict, TICKET_CODE_BAD_SIGNATURE);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(read_bytes(*state, bytes), TICKET_CODE_GENUINE);
}

static void each_character_has_one_form(void **state)
{
	char text[] = CODE_TEXT;
	for (size_t at = 0; at < TICKET_CODE_TEXT_MAX; at++) {
		for (int bit = 0; bit < 8; bit++) {
			text[at] = (char)(text[at] ^ (1 << bit));
			assert_int_not_equal(
				verdict_of(*state, slice_of(text)), TICKET_CODE_GENUINE);
			text[at] = (char)(text[at] ^ (1 << bit));
		}
	}
	/* The last character has three bits of the signature and two of nothing. */
	size_t good_count = 0;
	for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; *c != '\0'; c++) {
		text[TICKET_CODE_TEXT_MAX - 1] = *c;
		good_count += verdict_of(*state, slice_of(text)) == TICKET_CODE_GENUINE;
	}
	assert_int_equal(good_count, 1);
}

static void a_code_has_one_size(void **state)
{
	char text[TICKET_CODE_TEXT_SIZE + 16] = CODE_TEXT;
	for (size_t size = 0; size < TICKET_CODE_TEXT_MAX; size++) {
		struct slice slice = {.data = text, .size = size};
		assert_int_equal(verdict_of(*state, slice), TICKET_CODE_MALFORMED);
		slice.data += TICKET_CODE_TEXT_MAX - size;
		assert_int_equal(verdict_of(*state, slice), TICKET_CODE_MALFORMED);
	}
	static const char *const behind[] = {"A", "=", "======", " ", "\n", "AA", "AAAAAAAA"};
	for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
		memcpy(text + TICKET_CODE_TEXT_MAX, behind[i], strlen(behind[i]) + 1);
		assert_int_equal(verdict_of(*state, slice_of(text)), TICKET_CODE_MALFORMED);
	}
	struct slice zero = {.data = CODE_TEXT, .size = sizeof CODE_TEXT};
	assert_int_equal(verdict_of(*state, zero), TICKET_CODE_MALFORMED);
	struct slice nothing = {.data = NULL, .size = 0};
	assert_int_equal(verdict_of(*state, nothing), TICKET_CODE_MALFORMED);
}

/* Signed by the key and yet not in the format: what another program might do that has the key. */
static enum ticket_code_verdict read_signed(
	struct ticket_signer *signer, const char *purpose, const uint8_t bytes[TICKET_CODE_SIZE])
{
	uint8_t message[14 + TICKET_CODE_SIZE], again[TICKET_CODE_SIZE];
	memcpy(message, purpose, 14);
	memcpy(message + 14, bytes, AT_SIGNATURE);
	memcpy(again, bytes, AT_SIGNATURE);
	struct slice slice = {.data = (const char *)message, .size = 14 + AT_SIGNATURE};
	ticket_signer_sign(signer, slice, again + AT_SIGNATURE);
	return read_bytes(signer, again);
}

static void a_signature_alone_is_not_enough(void **state)
{
	static const char *const kids[] = {
		"\0\0\0\0\0\0\0", "k1\0x\0\0\0", "\0k1\0\0\0\0", "k 1\0\0\0\0", ".\0\0\0\0\0\0"};
	uint8_t bytes[TICKET_CODE_SIZE];
	bytes_of(CODE_TEXT, bytes);
	assert_int_equal(read_signed(*state, "onsale-ticket", bytes), TICKET_CODE_GENUINE);
	assert_int_equal(read_signed(*state, "onsale-tickeu", bytes), TICKET_CODE_BAD_SIGNATURE);
	bytes[0] = 2;
	assert_int_equal(read_signed(*state, "onsale-ticket", bytes), TICKET_CODE_MALFORMED);
	bytes[0] = 0;
	assert_int_equal(read_signed(*state, "onsale-ticket", bytes), TICKET_CODE_MALFORMED);
	bytes[0] = 1;
	for (size_t i = 0; i < sizeof kids / sizeof *kids; i++) {
		memcpy(bytes + AT_KID, kids[i], 8);
		assert_int_equal(
			read_signed(*state, "onsale-ticket", bytes), TICKET_CODE_MALFORMED);
	}
	bytes_of(CODE_TEXT, bytes);
	memset(bytes + AT_GENERATION, 0, 2);
	assert_int_equal(read_signed(*state, "onsale-ticket", bytes), TICKET_CODE_MALFORMED);
}

static void keys_are_rotated(void **state)
{
	(void)state;
	struct ticket_signer *before = signer_of("a:" KEY_A);
	struct ticket_signer *announced = signer_of("a:" KEY_A ",b:" KEY_B);
	struct ticket_signer *during = signer_of("b:" KEY_B ",a:" KEY_A);
	struct ticket_signer *after = signer_of("b:" KEY_B);
	struct ticket_signer *impostor = signer_of("b:" KEY_C);
	const struct ticket_code code = some_code();
	char old[TICKET_CODE_TEXT_SIZE], new[TICKET_CODE_TEXT_SIZE], false_one[sizeof old];
	ticket_code_make(announced, &code, old);
	ticket_code_make(during, &code, new);
	ticket_code_make(impostor, &code, false_one);
	assert_int_equal(verdict_of(before, slice_of(old)), TICKET_CODE_GENUINE);
	assert_int_equal(verdict_of(announced, slice_of(old)), TICKET_CODE_GENUINE);
	assert_int_equal(verdict_of(during, slice_of(old)), TICKET_CODE_GENUINE);
	assert_int_equal(verdict_of(after, slice_of(old)), TICKET_CODE_UNKNOWN_KEY);
	assert_int_equal(verdict_of(before, slice_of(new)), TICKET_CODE_UNKNOWN_KEY);
	assert_int_equal(verdict_of(announced, slice_of(new)), TICKET_CODE_GENUINE);
	assert_int_equal(verdict_of(during, slice_of(new)), TICKET_CODE_GENUINE);
	assert_int_equal(verdict_of(after, slice_of(new)), TICKET_CODE_GENUINE);
	assert_int_equal(verdict_of(after, slice_of(false_one)), TICKET_CODE_BAD_SIGNATURE);
	struct ticket_key_set none = {.count = 0};
	struct ticket_code got;
	assert_int_equal(
		ticket_code_read(&none, slice_of(old), &got, NULL), TICKET_CODE_UNKNOWN_KEY);
	ticket_signer_free(before);
	ticket_signer_free(announced);
	ticket_signer_free(during);
	ticket_signer_free(after);
	ticket_signer_free(impostor);
}

/* S + L is another spelling of S modulo L, the group's order (RFC 8032, section 5.1.7). */
static void the_scalar_is_reduced(void **state)
{
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6,
		0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	uint8_t bytes[TICKET_CODE_SIZE];
	bytes_of(CODE_TEXT, bytes);
	unsigned int carry = 0;
	for (size_t i = 0; i < sizeof order; i++) {
		carry += bytes[AT_S + i] + (unsigned int)order[i];
		bytes[AT_S + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(carry, 0);
	assert_int_equal(read_bytes(*state, bytes), TICKET_CODE_BAD_SIGNATURE);
}

/* With the neutral point as key and as R, S = 0 would sign everything: S·B = R + h·A holds for any
 * h. No such key passes ticket_key_set_read; here it is put into the set past that. */
static void points_of_small_order_sign_nothing(void **state)
{
	static const uint8_t keys[][32] = {
		{1},              /* The neutral point, */
		{1, [31] = 0x80}, /* another spelling of it, */
		{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, /* that of order 2, */
		{0},                                         /* and those of order 4. */
		{0, [31] = 0x80},
	};
	struct ticket_key_set set = *ticket_signer_public(*state);
	struct ticket_code got;
	uint8_t bytes[TICKET_CODE_SIZE];
	char text[TICKET_CODE_TEXT_SIZE];
	for (size_t i = 0; i < sizeof keys / sizeof *keys * 2; i++) {
		bytes_of(CODE_TEXT, bytes);
		memset(bytes + AT_SIGNATURE, 0, TICKET_SIGNATURE_SIZE);
		memcpy(bytes + AT_SIGNATURE, keys[i / 2], 32);
		/* Every other time with the true key. */
		if (i % 2 == 0)
			memcpy(set.keys[0].bytes, keys[i / 2], 32);
		else
			set = *ticket_signer_public(*state);
		/* h is odd or even, so that with order 2 one of two would do; and so on. */
		for (uint8_t more = 0; more < 16; more++) {
			bytes[AT_SIGNATURE - 1] = more;
			struct slice slice = {
				.data = text, .size = base32_write(bytes, sizeof bytes, text)};
			assert_int_equal(ticket_code_read(&set, slice, &got, NULL),
				TICKET_CODE_BAD_SIGNATURE);
		}
	}
}

static void only_a_genuine_code_is_told(void **state)
{
	char text[] = CODE_TEXT;
	struct ticket_code code = {.generation = 77};
	const struct ticket_key *key = NULL;
	text[TICKET_CODE_TEXT_MAX / 2] ^= 1;
	assert_int_not_equal(
		ticket_code_read(ticket_signer_public(*state), slice_of(text), &code, &key),
		TICKET_CODE_GENUINE);
	assert_int_equal(code.generation, 77);
	assert_null(key);
	assert_string_equal(ticket_code_verdict_name(TICKET_CODE_GENUINE), "genuine");
	assert_string_equal(ticket_code_verdict_name(TICKET_CODE_MALFORMED), "malformed");
	assert_string_equal(ticket_code_verdict_name(TICKET_CODE_UNKNOWN_KEY), "unknown_key");
	assert_string_equal(ticket_code_verdict_name(TICKET_CODE_BAD_SIGNATURE), "bad_signature");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_code_is_written_as_others_write_it),
		cmocka_unit_test(the_bounds_themselves_are_allowed),
		cmocka_unit_test(a_stranger_can_verify_a_code),
		cmocka_unit_test(each_bit_is_signed),
		cmocka_unit_test(each_character_has_one_form),
		cmocka_unit_test(a_code_has_one_size),
		cmocka_unit_test(a_signature_alone_is_not_enough),
		cmocka_unit_test(keys_are_rotated),
		cmocka_unit_test(the_scalar_is_reduced),
		cmocka_unit_test(points_of_small_order_sign_nothing),
		cmocka_unit_test(only_a_genuine_code_is_told),
	};
	return cmocka_run_group_tests(tests, open_signer, close_signer);
}
