/* Fuzzes the readers of place tokens and passes: with the input as the text, and, since no input
 * gets past a signature by chance, with the input as a body that is signed here. What is believed
 * is within its bounds and is written again as the very same text. */
#include "lib/ticketing/place_token.h"

#include "fuzz/fuzz.h"
#include "lib/ticketing/base64.h"

/* Those of place_token_test.c, so that its tokens are seeds here. */
static const char keys[] =
	"k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,"
	"old-key8:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6f"
	"oKGiow==";

static const struct keyring *open_keyring(void);
static void check_text(const struct keyring *keyring, struct slice text);
static void check_place(const struct keyring *keyring, struct slice text);
static void check_pass(const struct keyring *keyring, struct slice text);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct keyring *keyring = open_keyring();
	check_text(keyring, fuzz_slice(data, size));
	if (size > TOKEN_BYTES_MAX - KEYRING_MAC_SIZE)
		return 0;
	uint8_t bytes[TOKEN_BYTES_MAX];
	char text[TOKEN_TEXT_SIZE];
	if (size > 0)
		memcpy(bytes, data, size);
	keyring_sign(keyring, "onsale-token", fuzz_slice(data, size), bytes + size);
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

/* It is a place, a pass or neither, never both. */
static void check_text(const struct keyring *keyring, struct slice text)
{
	struct token_bytes bytes;
	struct place_token token;
	struct pass pass;
	enum token_verdict as_place = place_token_read(keyring, text, &bytes, &token);
	enum token_verdict as_pass = pass_read(keyring, text, 0, &bytes, &pass);
	assert(as_place == TOKEN_VALID || as_place == TOKEN_FORGED);
	assert(as_place == TOKEN_FORGED || as_pass == TOKEN_FORGED);
	if (as_place == TOKEN_VALID)
		check_place(keyring, text);
	if (as_pass != TOKEN_FORGED)
		check_pass(keyring, text);
}

static void check_field(struct slice field)
{
	assert(field.size >= 1 && field.size <= TOKEN_FIELD_SIZE_MAX);
	assert(!memchr(field.data, '\0', field.size));
}

/* The same fields give the same text, if it was the newest key that had signed them. */
static void check_again(struct slice text, const char *again, size_t size)
{
	static const char newest[] = {2, 'k', '1'};
	uint8_t bytes[TOKEN_BYTES_MAX];
	size_t bytes_size;
	bool read = base64_read(BASE64_URL_PLAIN, text, bytes, sizeof bytes, &bytes_size);
	assert(read && bytes_size > 2 + sizeof newest);
	if (memcmp(bytes + 2, newest, sizeof newest) == 0)
		assert(slice_equal((struct slice){.data = again, .size = size}, text));
}

static void check_place(const struct keyring *keyring, struct slice text)
{
	struct token_bytes bytes;
	struct place_token token;
	char again[TOKEN_TEXT_SIZE];
	enum token_verdict verdict = place_token_read(keyring, text, &bytes, &token);
	assert(verdict == TOKEN_VALID);
	assert(token.kind == PLACE_TOKEN_PLACE || token.kind == PLACE_TOKEN_RANK);
	check_field(token.event);
	check_field(token.person);
	assert(token.number >= 1 && token.epoch >= 1 && token.issued_at_ms >= 0);
	check_again(text, again, place_token_make(keyring, &token, again));
}

static void check_pass(const struct keyring *keyring, struct slice text)
{
	struct token_bytes bytes;
	struct pass pass;
	char again[TOKEN_TEXT_SIZE];
	enum token_verdict verdict = pass_read(keyring, text, INT64_MAX, &bytes, &pass);
	assert(verdict == TOKEN_EXPIRED);
	check_field(pass.event);
	check_field(pass.person);
	assert(pass.place >= 1 && pass.epoch >= 1 && pass.admitted_at_ms >= 0);
	assert(pass.claim_ends_at_ms >= pass.admitted_at_ms);
	assert(pass.session_ends_at_ms >= pass.claim_ends_at_ms);
	check_again(text, again, pass_make(keyring, &pass, again));
}
