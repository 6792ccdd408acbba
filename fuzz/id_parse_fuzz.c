/* Fuzzes id_parse: what is accepted is the id that it is written as, but for the case. */
#include <ctype.h>

#include "fuzz/fuzz.h"
#include "lib/base/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_slice(data, size);
	struct id id, again;
	char written[ID_TEXT_SIZE];
	if (!id_parse(text, &id))
		return 0;
	id_format(id, written);
	assert(text.size == strlen(written));
	for (size_t i = 0; i < text.size; i++)
		assert(tolower((unsigned char)text.data[i]) == written[i]);
	assert(id_parse(slice_of(written), &again) && memcmp(&id, &again, sizeof id) == 0);
	assert(slice_is_id(text, ID_TEXT_SIZE - 1));
	return 0;
}
