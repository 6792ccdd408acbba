/* Fuzzes the reader of ticket codes: with the input as the text, and, since no input gets past a
 * signature by chance, with the input as what stands before the signature, signed here. What is
 * believed is within its bounds and is written again as the very same text. */
#include "lib/ticketing/ticket_code.h"

#include "fuzz/fuzz.h"
#include "lib/ticketing/base32.h"

enum { SIGNED_SIZE = TICKET_CODE_SIZE - TICKET_SIGNATURE_SIZE };

/* Those of ticket_code_test.c, so that its codes are seeds here. */
static const char secrets[] = "k1:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=,"
			      "old-key8:TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=";

static const struct ticket_signer *open_signer(void);
static void check_text(const struct ticket_signer *signer, struct slice text);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char purpose[] = "onsale-ticket";
	const struct ticket_signer *signer = open_signer();
	check_text(signer, fuzz_slice(data, size));
	if (size != SIGNED_SIZE)
		return 0;
	uint8_t message[sizeof purpose + SIGNED_SIZE], bytes[TICKET_CODE_SIZE];
	char text[TICKET_CODE_TEXT_SIZE];
	memcpy(message, purpose, sizeof purpose);
	memcpy(message + sizeof purpose, data, size);
	memcpy(bytes, data, size);
	ticket_signer_sign(signer, fuzz_slice(message, sizeof message), bytes + size);
	size_t written = base32_write(bytes, sizeof bytes, text);
	check_text(signer, (struct slice){.data = text, .size = written});
	return 0;
}

/* Once for all inputs; it stays until the program ends. */
static const struct ticket_signer *open_signer(void)
{
	static struct ticket_signer *signer;
	if (!signer) {
		enum status status = ticket_signer_new(slice_of(secrets), &signer, NULL);
		assert(status == STATUS_OK);
	}
	return signer;
}

static void check_text(const struct ticket_signer *signer, struct slice text)
{
	const struct ticket_key_set *set = ticket_signer_public(signer), none = {.count = 0};
	const struct ticket_key *key = NULL;
	struct ticket_code code;
	char again[TICKET_CODE_TEXT_SIZE];
	enum ticket_code_verdict verdict = ticket_code_read(set, text, &code, &key);
	/* Whether it is malformed has nothing to do with the keys that there are. */
	enum ticket_code_verdict without = ticket_code_read(&none, text, &code, NULL);
	assert(without ==
		(verdict == TICKET_CODE_MALFORMED ? TICKET_CODE_MALFORMED
						  : TICKET_CODE_UNKNOWN_KEY));
	assert((verdict == TICKET_CODE_GENUINE) == (key != NULL));
	if (verdict != TICKET_CODE_GENUINE)
		return;
	assert(text.size == TICKET_CODE_TEXT_MAX);
	assert(code.generation >= 1 && code.generation <= TICKET_GENERATION_MAX);
	assert(code.issued_at_s >= 0 && code.issued_at_s <= UINT32_MAX);
	/* The same fields give the same text, if it was the first key that had signed them. */
	ticket_code_make(signer, &code, again);
	assert(slice_is(text, again) == (key == &set->keys[0]));
}
