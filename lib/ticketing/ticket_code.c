/* The code's bytes stand behind the purpose in one array, so that what is signed is in one piece.
 */
#include "lib/ticketing/ticket_code.h"

#include <assert.h>

#include "lib/ticketing/base32.h"

static const char purpose[] = "onsale-ticket"; /* Its zero byte is signed, too. */

enum {
	CODE_VERSION = 1,
	AT_VERSION = 0,
	AT_KID = 1,
	AT_EVENT = AT_KID + TICKET_KID_SIZE_MAX,
	AT_TICKET = AT_EVENT + 16,
	AT_GENERATION = AT_TICKET + 16,
	AT_ISSUED = AT_GENERATION + 2,
	AT_SIGNATURE = AT_ISSUED + 4,
	PURPOSE_SIZE = sizeof purpose,
};

_Static_assert(AT_SIGNATURE == 47 && PURPOSE_SIZE == 14, "as the header tells strangers");

struct signed_code {
	uint8_t bytes[PURPOSE_SIZE + TICKET_CODE_SIZE];
};

static inline uint8_t *code_of(struct signed_code *signed_code)
{
	return signed_code->bytes + PURPOSE_SIZE;
}

static inline struct slice message_of(const struct signed_code *signed_code)
{
	return (struct slice){
		.data = (const char *)signed_code->bytes, .size = PURPOSE_SIZE + AT_SIGNATURE};
}

const char *ticket_code_verdict_name(enum ticket_code_verdict verdict)
{
	switch (verdict) {
	case TICKET_CODE_GENUINE:
		return "genuine";
	case TICKET_CODE_UNKNOWN_KEY:
		return "unknown_key";
	case TICKET_CODE_BAD_SIGNATURE:
		return "bad_signature";
	case TICKET_CODE_MALFORMED:
		break;
	}
	return "malformed";
}

static void put_number(uint8_t *bytes, size_t size, int64_t value)
{
	for (size_t i = size; i-- > 0; value >>= 8)
		bytes[i] = (uint8_t)(value & 0xff);
}

static int64_t get_number(const uint8_t *bytes, size_t size)
{
	int64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

void ticket_code_make(const struct ticket_signer *signer, const struct ticket_code *code,
	char text[TICKET_CODE_TEXT_SIZE])
{
	assert(code->generation >= 1 && code->generation <= TICKET_GENERATION_MAX);
	assert(code->issued_at_s >= 0 && code->issued_at_s <= UINT32_MAX);
	const struct ticket_key *key = &ticket_signer_public(signer)->keys[0];
	struct signed_code signed_code = {0};
	uint8_t *bytes = code_of(&signed_code);
	memcpy(signed_code.bytes, purpose, PURPOSE_SIZE);
	bytes[AT_VERSION] = CODE_VERSION;
	memcpy(bytes + AT_KID, key->kid, key->kid_size);
	memcpy(bytes + AT_EVENT, code->event.bytes, sizeof code->event.bytes);
	memcpy(bytes + AT_TICKET, code->ticket.bytes, sizeof code->ticket.bytes);
	put_number(bytes + AT_GENERATION, AT_ISSUED - AT_GENERATION, code->generation);
	put_number(bytes + AT_ISSUED, AT_SIGNATURE - AT_ISSUED, code->issued_at_s);
	ticket_signer_sign(signer, message_of(&signed_code), bytes + AT_SIGNATURE);
	text[base32_write(bytes, TICKET_CODE_SIZE, text)] = '\0';
}

/* The key id without the zeros that fill it up. Zeros within it stay, and make it no id. */
static struct slice kid_of(const uint8_t *bytes)
{
	struct slice kid = {.data = (const char *)bytes + AT_KID, .size = TICKET_KID_SIZE_MAX};
	while (kid.size > 0 && kid.data[kid.size - 1] == '\0')
		kid.size--;
	return kid;
}

enum ticket_code_verdict ticket_code_read(const struct ticket_key_set *set, struct slice text,
	struct ticket_code *code, const struct ticket_key **key)
{
	struct signed_code signed_code;
	uint8_t *bytes = code_of(&signed_code);
	memcpy(signed_code.bytes, purpose, PURPOSE_SIZE);
	if (!base32_read(text, bytes, TICKET_CODE_SIZE) || bytes[AT_VERSION] != CODE_VERSION)
		return TICKET_CODE_MALFORMED;
	struct slice kid = kid_of(bytes);
	int64_t generation = get_number(bytes + AT_GENERATION, AT_ISSUED - AT_GENERATION);
	if (!slice_is_id(kid, TICKET_KID_SIZE_MAX) || generation == 0)
		return TICKET_CODE_MALFORMED;
	const struct ticket_key *found = ticket_key_find(set, kid);
	if (!found)
		return TICKET_CODE_UNKNOWN_KEY;
	if (!ticket_key_verify(found, message_of(&signed_code), bytes + AT_SIGNATURE))
		return TICKET_CODE_BAD_SIGNATURE;
	code->generation = generation;
	code->issued_at_s = get_number(bytes + AT_ISSUED, AT_SIGNATURE - AT_ISSUED);
	memcpy(code->event.bytes, bytes + AT_EVENT, sizeof code->event.bytes);
	memcpy(code->ticket.bytes, bytes + AT_TICKET, sizeof code->ticket.bytes);
	if (key)
		*key = found;
	return TICKET_CODE_GENUINE;
}
