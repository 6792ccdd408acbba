#include "lib/ticketing/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

enum { BYTES_MAX = 100, TEXT_MAX = 200 };

static void assert_url(const char *bytes, const char *text)
{
	char written[TEXT_MAX];
	size_t size = base64_write_url((const uint8_t *)bytes, strlen(bytes), written);
	assert_true(slice_is((struct slice){.data = written, .size = size}, text));
}

static void assert_read(enum base64_kind kind, const char *text, const char *bytes)
{
	uint8_t read[BYTES_MAX];
	size_t size = 0;
	assert_true(base64_read(kind, slice_of(text), read, sizeof read, &size));
	assert_int_equal(size, strlen(bytes));
	assert_memory_equal(read, bytes, size);
}

static void assert_refused(enum base64_kind kind, const char *text)
{
	uint8_t read[BYTES_MAX];
	size_t size = 0;
	if (base64_read(kind, slice_of(text), read, sizeof read, &size))
		fail_msg("\"%s\" was read", text);
}

/* RFC 4648, section 10. */
static void the_vectors_of_the_standard_are_met(void **state)
{
	(void)state;
	static const char *const vectors[][3] = {
		{"", "", ""},
		{"f", "Zg==", "Zg"},
		{"fo", "Zm8=", "Zm8"},
		{"foo", "Zm9v", "Zm9v"},
		{"foob", "Zm9vYg==", "Zm9vYg"},
		{"fooba", "Zm9vYmE=", "Zm9vYmE"},
		{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
		{"\xfb\xff\xbe", "+/++", "-_--"},
	};
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		assert_url(vectors[i][0], vectors[i][2]);
		assert_read(BASE64_PADDED, vectors[i][1], vectors[i][0]);
		assert_read(BASE64_URL_PLAIN, vectors[i][2], vectors[i][0]);
	}
}

static void padding_is_exactly_what_is_missing(void **state)
{
	(void)state;
	static const char *const wrong[] = {"Zg", "Zg=", "Zg===", "Zm8",
		"Zm8==", "Zm9v=", "Zm9v==", "Zm9v====", "=",
		"==", "===", "====", "Z===", "Zg==Zg==", "Z=g="};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_refused(BASE64_PADDED, wrong[i]);
		if (strchr(wrong[i], '='))
			assert_refused(BASE64_URL_PLAIN, wrong[i]);
	}
}

static void other_spellings_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"Z", "Zm9vY", "Zh", "Zv", "Zm9", "Zm8\n", " Zm8",
		"Zm 8", "Zm9+", "Zm9/", "Zm.v", "Zm9v\xc3\xa4", "Zm9@", "Zm9[", "Zm9`", "Zm9{"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_refused(BASE64_URL_PLAIN, wrong[i]);
	assert_refused(BASE64_PADDED, "Zh==");
	assert_refused(BASE64_PADDED, "Zm9=");
	assert_refused(BASE64_PADDED, "Zm9-");
	assert_refused(BASE64_PADDED, "Zm9_");
}

static void no_more_is_written_than_there_is_room_for(void **state)
{
	(void)state;
	uint8_t bytes[4] = {0, 0, 0, 0x5a};
	size_t size = 7;
	assert_false(base64_read(BASE64_URL_PLAIN, slice_of("Zm9vYg"), bytes, 3, &size));
	assert_int_equal(size, 7);
	assert_true(base64_read(BASE64_URL_PLAIN, slice_of("Zm9v"), bytes, 3, &size));
	assert_int_equal(size, 3);
	assert_int_equal(bytes[3], 0x5a);
	assert_false(base64_read(BASE64_URL_PLAIN, slice_of("Zg"), bytes, 0, &size));
	assert_true(base64_read(BASE64_URL_PLAIN, slice_of(""), bytes, 0, &size));
}

static void what_is_written_is_read_again(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[BYTES_MAX], read[BYTES_MAX];
		char text[TEXT_MAX];
		size_t size = random_below(&random, BYTES_MAX + 1), read_size;
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)random_next(&random);
		struct slice written = {.data = text, .size = base64_write_url(bytes, size, text)};
		assert_int_equal(written.size, (size * 4 + 2) / 3);
		assert_true(base64_read(BASE64_URL_PLAIN, written, read, size, &read_size));
		assert_int_equal(read_size, size);
		assert_memory_equal(read, bytes, size);
	}
}

/* Whatever is read is what would be written. */
static void each_sequence_of_bytes_has_one_spelling(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	static const char characters[] = "ABQgwxyz0123456789-_+/= ";
	int read_count = 0;
	for (int round = 0; round < 100000; round++) {
		char text[12], again[16];
		uint8_t bytes[9];
		struct slice drawn = {.data = text, .size = random_below(&random, 6)};
		size_t size;
		for (size_t i = 0; i < drawn.size; i++)
			text[i] = characters[random_below(&random, sizeof characters - 1)];
		if (!base64_read(BASE64_URL_PLAIN, drawn, bytes, sizeof bytes, &size))
			continue;
		read_count++;
		struct slice written = {
			.data = again, .size = base64_write_url(bytes, size, again)};
		assert_true(slice_equal(written, drawn));
	}
	assert_true(read_count > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_standard_are_met),
		cmocka_unit_test(padding_is_exactly_what_is_missing),
		cmocka_unit_test(other_spellings_are_refused),
		cmocka_unit_test(no_more_is_written_than_there_is_room_for),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(each_sequence_of_bytes_has_one_spelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
