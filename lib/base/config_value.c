/* Single values of a configuration. */
#include "lib/base/config_value.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/log.h"

enum {
	SECRET_SIZE_MAX = 64 * 1024,
	SHOWN_SIZE_MAX = 32, /* Bytes of a wrong value that a fault repeats. */
};

struct unit {
	const char *name;
	int64_t factor;
};

/* The largest first. */
static const struct unit duration_units[] = {
	{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit size_units[] = {
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {NULL, 0}};

static enum status set_number(const struct config_setting *setting, const char *where,
	const char *text, struct fault *fault);
static enum status set_choice(const struct config_setting *setting, const char *where,
	const char *text, struct fault *fault);
static enum status set_switch(const struct config_setting *setting, const char *where,
	const char *text, struct fault *fault);
static bool read_number(enum config_kind kind, struct slice text, int64_t *number);
static enum status refuse_value(
	struct fault *fault, const char *where, const char *text, const char *expected);
static enum status read_whole(int file, char *bytes, size_t *size);
static void warn_if_readable(int file, const char *path);
static const char *keep(const char *bytes, size_t size);

static const struct unit *units_of(enum config_kind kind)
{
	static const struct unit plain[] = {{"", 1}, {NULL, 0}};
	return kind == CONFIG_DURATION ? duration_units : kind == CONFIG_SIZE ? size_units : plain;
}

void config_number_format(enum config_kind kind, int64_t number, char text[CONFIG_NUMBER_TEXT_SIZE])
{
	const struct unit *unit = units_of(kind);
	while (unit->factor > 1 && (number == 0 || number % unit->factor != 0))
		unit++;
	snprintf(text, CONFIG_NUMBER_TEXT_SIZE, "%" PRId64 "%s", number / unit->factor, unit->name);
}

enum status config_set_value(const struct config_setting *setting, const char *where,
	const char *text, struct fault *fault)
{
	assert(setting->kind != CONFIG_SECRET);
	switch (setting->kind) {
	case CONFIG_TEXT:
		if (setting->required && text[0] == '\0')
			return fault_set(fault, where, "is required and must not be empty");
		*(const char **)setting->value = text;
		return STATUS_OK;
	case CONFIG_INTEGER:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		return set_number(setting, where, text, fault);
	case CONFIG_CHOICE:
		return set_choice(setting, where, text, fault);
	case CONFIG_SWITCH:
		return set_switch(setting, where, text, fault);
	case CONFIG_SECRET:
		break;
	}
	return STATUS_REFUSED;
}

static enum status set_number(const struct config_setting *setting, const char *where,
	const char *text, struct fault *fault)
{
	int64_t number;
	if (read_number(setting->kind, slice_of(text), &number) && number >= setting->min &&
		number <= setting->max) {
		*(int64_t *)setting->value = number;
		return STATUS_OK;
	}

	const char *what = setting->kind == CONFIG_DURATION ? "a duration (250ms, 30s, 10m, 2h)"
		: setting->kind == CONFIG_SIZE              ? "a size (512, 64KiB, 8MiB, 1GiB)"
							    : "an integer";
	char min[CONFIG_NUMBER_TEXT_SIZE], max[CONFIG_NUMBER_TEXT_SIZE], expected[128];
	config_number_format(setting->kind, setting->min, min);
	config_number_format(setting->kind, setting->max, max);
	snprintf(expected, sizeof expected, "%s from %s to %s", what, min, max);
	return refuse_value(fault, where, text, expected);
}

/* Digits, then one unit; "30" is no duration, since nothing tells seconds from milliseconds. */
static bool read_number(enum config_kind kind, struct slice text, int64_t *number)
{
	if (kind == CONFIG_INTEGER)
		return slice_to_integer(text, INT64_MIN, INT64_MAX, number);

	struct slice digits = text;
	digits.size = 0;
	while (digits.size < text.size && text.data[digits.size] >= '0' &&
		text.data[digits.size] <= '9')
		digits.size++;
	struct slice name = {.data = text.data + digits.size, .size = text.size - digits.size};
	int64_t count;
	if (!slice_to_integer(digits, 0, INT64_MAX, &count))
		return false;
	for (const struct unit *unit = units_of(kind); unit->name; unit++) {
		if (slice_is(name, unit->name))
			return !__builtin_mul_overflow(count, unit->factor, number);
	}
	return false;
}

static enum status set_choice(const struct config_setting *setting, const char *where,
	const char *text, struct fault *fault)
{
	char expected[128] = "one of";
	size_t size = strlen(expected);
	for (int64_t index = 0; setting->choices[index]; index++) {
		const char *choice = setting->choices[index];
		if (strcmp(choice, text) == 0) {
			*(int64_t *)setting->value = index;
			return STATUS_OK;
		}
		if (size < sizeof expected) {
			int length = snprintf(expected + size, sizeof expected - size, "%s %s",
				index > 0 ? "," : "", choice);
			size += (size_t)length;
		}
	}
	return refuse_value(fault, where, text, expected);
}

static enum status set_switch(const struct config_setting *setting, const char *where,
	const char *text, struct fault *fault)
{
	bool on = strcmp(text, "true") == 0;
	if (!on && strcmp(text, "false") != 0)
		return refuse_value(fault, where, text, "true or false");
	*(bool *)setting->value = on;
	return STATUS_OK;
}

/* The value is repeated escaped and cut: it may be anything, and faults are printed. */
static enum status refuse_value(
	struct fault *fault, const char *where, const char *text, const char *expected)
{
	struct slice shown = slice_of(text);
	bool cut = shown.size > SHOWN_SIZE_MAX;
	if (cut)
		shown.size = SHOWN_SIZE_MAX;
	struct buffer quoted;
	buffer_init(&quoted, 8 * SHOWN_SIZE_MAX);
	buffer_add_json(&quoted, shown);
	fault_set(fault, where, "must be %s, not %.*s%s", expected,
		SLICE_PRINT(buffer_slice(&quoted)), cut ? "..." : "");
	buffer_release(&quoted);
	return STATUS_REFUSED;
}

enum status config_read_secret(const struct config_setting *setting, const char *where,
	const char *path, struct fault *fault)
{
	static char bytes[SECRET_SIZE_MAX + 1];
	size_t size = 0;
	enum status status = STATUS_OK;

	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return fault_set(
			fault, where, "names a file that cannot be read: %s", strerror(errno));
	if (read_whole(file, bytes, &size)) {
		status = fault_set(
			fault, where, "names a file that cannot be read: %s", strerror(errno));
		goto end;
	}
	if (size > SECRET_SIZE_MAX) {
		status = fault_set(
			fault, where, "names a file of more than %d bytes", SECRET_SIZE_MAX);
		goto end;
	}
	if (size > 0 && bytes[size - 1] == '\n')
		size--;
	if (size == 0 || memchr(bytes, '\0', size)) {
		status = fault_set(fault, where, "names a file that is empty or has a zero byte");
		goto end;
	}
	warn_if_readable(file, path);
	*(const char **)setting->value = keep(bytes, size);

end:
	/* The compiler must not leave this out although nothing reads the bytes again. */
	explicit_bzero(bytes, sizeof bytes);
	close(file);
	return status;
}

/* Read up to one byte more than a secret may have. On STATUS_UNAVAILABLE errno says why. */
static enum status read_whole(int file, char *bytes, size_t *size)
{
	*size = 0;
	while (*size <= SECRET_SIZE_MAX) {
		ssize_t got = read(file, bytes + *size, SECRET_SIZE_MAX + 1 - *size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return STATUS_UNAVAILABLE;
		if (got == 0)
			break;
		*size += (size_t)got;
	}
	return STATUS_OK;
}

/* A warning and no fault: container platforms mount secrets with modes of their own. A pipe has no
 * mode worth speaking of. */
static void warn_if_readable(int file, const char *path)
{
	struct stat status;
	if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0077))
		log_warning("config.secret_readable_by_others", LOG_TEXT("file", path));
}

/* The list is never walked; through it leak checkers see that the memory is still in use. */
static const char *keep(const char *bytes, size_t size)
{
	struct kept {
		struct kept *older;
		char text[];
	};
	static struct kept *newest;

	struct kept *kept = malloc(sizeof *kept + size + 1);
	if (!kept)
		abort(); /* At start, 64 KiB short: nothing could go on. */
	kept->older = newest;
	memcpy(kept->text, bytes, size);
	kept->text[size] = '\0';
	newest = kept;
	return kept->text;
}
