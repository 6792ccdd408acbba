/* Fuzzes the reader of session tokens: with the input as the text, and, since no input gets past a
 * signature by chance, with the input as a body that is signed here. What is believed is within its
 * bounds and is written again as the very same text. And the reader of Cookie headers: what it
 * finds is a piece of the header behind the name, and is found in whatever order the cookies come.
 */
#include "real-implementation/session_token.h"

#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "lib/ticketing/base64.h"

/* Those of session_token_test.c, so that its tokens are seeds here. */
static const char keys[] =
	"k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,"
	"old-key8:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6f"
	"oKGiow==";
static const char name[] = "onsale_session";

static const struct keyring *open_keyring(void);
static void check_text(const struct keyring *keyring, struct slice text);
static void check_cookie(struct slice header);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct keyring *keyring = open_keyring();
	check_text(keyring, fuzz_slice(data, size));
	check_cookie(fuzz_slice(data, size));
	if (size > SESSION_TOKEN_BYTES_MAX - KEYRING_MAC_SIZE)
		return 0;
	uint8_t bytes[SESSION_TOKEN_BYTES_MAX];
	char text[SESSION_TOKEN_TEXT_SIZE];
	if (size > 0)
		memcpy(bytes, data, size);
	keyring_sign(keyring, "onsale-session", fuzz_slice(data, size), bytes + size);
	size_t written = base64_write_url(bytes, size + KEYRING_MAC_SIZE, text);
	check_text(keyring, (struct slice){.data = text, .size = written});
	return 0;
}

/* Once for all inputs; it stays until the program ends. */
static const struct keyring *open_keyring(void)
{
	static struct keyring *keyring;
	if (!keyring) {
		enum status status = keyring_new(slice_of(keys), &keyring, NULL);
		assert(status == STATUS_OK);
	}
	return keyring;
}

/* The same fields give the same text, if it was the newest key that had signed them. */
static void check_again(struct slice text, const char *again, size_t size)
{
	static const char newest[] = {2, 'k', '1'};
	uint8_t bytes[SESSION_TOKEN_BYTES_MAX];
	size_t bytes_size;
	bool read = base64_read(BASE64_URL_PLAIN, text, bytes, sizeof bytes, &bytes_size);
	assert(read && bytes_size > 1 + sizeof newest);
	if (memcmp(bytes + 1, newest, sizeof newest) == 0)
		assert(slice_equal((struct slice){.data = again, .size = size}, text));
}

static void check_text(const struct keyring *keyring, struct slice text)
{
	struct session_token token, other;
	char again[SESSION_TOKEN_TEXT_SIZE];
	enum session_verdict verdict = session_token_read(keyring, text, 0, &token);
	if (verdict == SESSION_FORGED)
		return;
	assert(token.issued_at_ms >= 0 && token.expires_at_ms >= token.issued_at_ms);
	assert((verdict == SESSION_VALID) == (token.expires_at_ms > 0));
	assert(session_token_read(keyring, text, token.expires_at_ms, &other) == SESSION_EXPIRED);
	check_again(text, again, session_token_make(keyring, &token, again));
}

static void check_cookie(struct slice header)
{
	struct slice value, found;
	if (session_cookie_find(header, name, &value) != SESSION_COOKIE_ONE)
		return;
	assert(value.data >= header.data + sizeof name);
	assert(value.data + value.size <= header.data + header.size);
	assert(memcmp(value.data - sizeof name, "onsale_session=", sizeof name) == 0);
	assert(value.size == 0 || !memchr(value.data, ';', value.size));
	size_t size = header.size + sizeof "; onsale_session=x";
	char *more = malloc(size);
	assert(more);
	memcpy(more, "other=x;", 8);
	memcpy(more + 8, header.data, header.size);
	assert(session_cookie_find((struct slice){more, 8 + header.size}, name, &found) ==
		SESSION_COOKIE_ONE);
	assert(slice_equal(value, found));
	memcpy(more, header.data, header.size);
	memcpy(more + header.size, "; onsale_session=x", size - header.size);
	assert(session_cookie_find((struct slice){more, size - 1}, name, &found) ==
		SESSION_COOKIE_AMBIGUOUS);
	free(more);
}
