/* Fuzzes the values of a configuration. The first byte chooses the kind of the setting. */
#include "lib/base/config_value.h"

#include <stdlib.h>

#include "fuzz/fuzz.h"

static void check(enum config_kind kind, const char *text);
static void check_number(const struct config_setting *setting, const char *text, int64_t number);

static const char *const choices[] = {"json", "plain", "a choice with \"quotes\"", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum config_kind kinds[] = {CONFIG_TEXT, CONFIG_INTEGER, CONFIG_DURATION,
		CONFIG_SIZE, CONFIG_CHOICE, CONFIG_SWITCH};
	if (size == 0)
		return 0;
	char *text = fuzz_copy(fuzz_slice(data + 1, size - 1));
	check(kinds[data[0] % (sizeof kinds / sizeof *kinds)], text);
	free(text);
	return 0;
}

static void check(enum config_kind kind, const char *text)
{
	union {
		const char *text;
		int64_t number;
		bool on;
	} value = {.number = -1};
	const struct config_setting setting = {.flag = "x",
		.kind = kind,
		.value = &value,
		.choices = choices,
		.min = kind == CONFIG_INTEGER ? INT64_MIN : 0,
		.max = INT64_MAX,
		.required = true};
	struct fault fault;
	if (config_set_value(&setting, "--x", text, &fault) != STATUS_OK) {
		fuzz_assert_fault(&fault);
		assert(value.number == -1);
	} else if (kind == CONFIG_TEXT) {
		assert(value.text == text && text[0] != '\0');
	} else if (kind == CONFIG_CHOICE) {
		assert(strcmp(choices[value.number], text) == 0);
	} else if (kind == CONFIG_SWITCH) {
		assert(strcmp(value.on ? "true" : "false", text) == 0);
	} else {
		check_number(&setting, text, value.number);
	}
}

/* Written as people write it and read again it is the same; and past its own bound it is refused.
 */
static void check_number(const struct config_setting *setting, const char *text, int64_t number)
{
	char written[CONFIG_NUMBER_TEXT_SIZE];
	struct config_setting narrow = *setting;
	struct fault fault;
	config_number_format(setting->kind, number, written);
	assert(config_set_value(setting, "--x", written, &fault) == STATUS_OK);
	assert(*(int64_t *)setting->value == number);
	if (number == setting->min)
		return;
	narrow.max = number - 1;
	assert(config_set_value(&narrow, "--x", text, &fault) == STATUS_REFUSED);
	fuzz_assert_fault(&fault);
}
