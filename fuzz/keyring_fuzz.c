/* Fuzzes the text that secret keys are read from. What is accepted signs and verifies with its
 * first key; the fault of what is refused quotes none of it, since it goes to the log. */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "lib/ticketing/keyring.h"

static void check_refused(struct slice text, enum status status, const struct fault *fault);
static void check_accepted(const struct keyring *keyring, struct slice text);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_slice(data, size);
	struct keyring *keyring = NULL;
	struct fault fault = {.what = ""};
	/* Without bytes to spare and without a zero behind it, so that reading past it is seen. */
	char *exact = size > 0 ? malloc(size) : NULL;
	assert(exact || size == 0);
	if (exact)
		memcpy(exact, text.data, size);
	text.data = exact ? exact : text.data;
	enum status status = keyring_new(text, &keyring, &fault);
	if (status == STATUS_OK)
		check_accepted(keyring, text);
	else
		check_refused(text, status, &fault);
	keyring_free(keyring);
	free(exact);
	return 0;
}

/* No four characters of a key, which its text has in a row where base64 stands, are in the fault:
 * checked where nothing of our own words could have them by chance, with digits. */
static void check_refused(struct slice text, enum status status, const struct fault *fault)
{
	assert(status == STATUS_REFUSED);
	fuzz_assert_fault(fault);
	assert(slice_starts_with(slice_of(fault->where), "key "));
	for (size_t i = 0; i + 4 <= text.size; i++) {
		size_t digits = 0;
		while (digits < 4 && text.data[i + digits] >= '0' && text.data[i + digits] <= '9')
			digits++;
		assert(digits < 4 || !memmem(fault->what, strlen(fault->what), text.data + i, 4));
	}
}

static size_t count_of(struct slice text, char c)
{
	size_t count = 0;
	for (size_t i = 0; i < text.size; i++)
		count += text.data[i] == c;
	return count;
}

static void check_accepted(const struct keyring *keyring, struct slice text)
{
	static const char purpose[] = "fuzz";
	struct slice rest = text, piece, kid, newest = keyring_newest(keyring);
	uint8_t mac[KEYRING_MAC_SIZE];
	keyring_sign(keyring, purpose, slice_of("message"), mac);
	assert(count_of(text, ',') < KEYRING_KEYS_MAX);
	for (size_t i = 0; slice_split(&rest, ',', &piece); i++) {
		slice_split(&piece, ':', &kid);
		assert(slice_is_id(kid, KEYRING_KID_SIZE_MAX));
		/* Base64 of that many bytes, with its padding. */
		assert(piece.size >= 44 && piece.size <= 88 && piece.size % 4 == 0);
		assert((i == 0) == slice_equal(kid, newest));
		/* The first signs; a mac of its is none of another's, nor of another message. */
		assert(keyring_verify(keyring, kid, purpose, slice_of("message"), mac) == (i == 0));
		assert(!keyring_verify(keyring, kid, "fuzz2", slice_of("message"), mac));
		assert(!keyring_verify(keyring, kid, purpose, slice_of("massage"), mac));
	}
}
