/* A line is rendered into memory on the stack and written by one write(2).
 *
 * The line is at most PIPE_BUF bytes: up to there POSIX promises that writes to a pipe do not mix,
 * and a pipe is what a service's log usually goes into. */
#include "lib/base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"

enum { LINE_SIZE_MAX = 4096 };
static_assert(LINE_SIZE_MAX <= PIPE_BUF, "a line into a pipe stays whole");

static enum log_form chosen_form = LOG_PLAIN;
static enum log_level least_level = LOG_INFO;
static int descriptor = STDERR_FILENO;

/* What is being rendered. Like a buffer, it ignores what is added after something did not fit. */
struct line {
	char *data;
	size_t size;
	size_t size_max;
	bool full;
};

static void add(struct line *line, const char *bytes, size_t size);
static void add_text(struct line *line, const char *text);
static void add_string(struct line *line, struct slice text);
static void add_word(struct line *line, struct slice text);
static void add_real(struct line *line, enum log_form form, double value);
static void add_head(struct line *line, enum log_form form, enum log_level level, int64_t wall_ms,
	const char *event);
static void add_field(struct line *line, enum log_form form, const struct log_field *field);

void log_configure(enum log_form form, enum log_level level)
{
	chosen_form = form;
	least_level = level;
}

void log_redirect(int fd)
{
	descriptor = fd;
}

void log_write(enum log_level level, const char *event, const struct log_field fields[])
{
	if (level < least_level)
		return;

	/* Callers log a failure before they look at errno again. */
	int errno_before = errno;
	char line[LINE_SIZE_MAX];
	size_t size = log_render(line, sizeof line, chosen_form, level,
		clock_wall_ms(clock_system()), event, fields);
	/* A line that was written in part is not continued: another thread's may stand behind it.
	 * A log that cannot be written must not stop the sale, so nothing else is done about it. */
	while (size > 0 && write(descriptor, line, size) < 0 && errno == EINTR)
		;
	errno = errno_before;
}

size_t log_render(char *line, size_t size, enum log_form form, enum log_level level,
	int64_t wall_ms, const char *event, const struct log_field fields[])
{
	const char *end = form == LOG_JSON ? "}\n" : "\n";
	size_t end_size = strlen(end);
	if (size < end_size)
		return 0;

	struct line out = {.data = line, .size_max = size - end_size};
	add_head(&out, form, level, wall_ms, event);
	if (out.full)
		return 0;
	for (const struct log_field *field = fields; field->name; field++) {
		size_t size_before = out.size;
		add_field(&out, form, field);
		/* A long path must not take the status behind it along. */
		if (out.full) {
			out.size = size_before;
			out.full = false;
		}
	}
	memcpy(line + out.size, end, end_size);
	return out.size + end_size;
}

static void add_head(struct line *line, enum log_form form, enum log_level level, int64_t wall_ms,
	const char *event)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	static const char *const columns[] = {"DEBUG   ", "INFO    ", "WARNING ", "ERROR   "};
	char time[TIME_TEXT_SIZE];
	time_format(wall_ms, time);

	if (form == LOG_JSON) {
		add_text(line, "{\"time\":\"");
		add_text(line, time);
		add_text(line, "\",\"level\":\"");
		add_text(line, names[level]);
		add_text(line, "\",\"event\":");
		add_string(line, slice_of(event));
	} else {
		add_text(line, time);
		add_text(line, " ");
		add_text(line, columns[level]);
		add_word(line, slice_of(event));
	}
}

static void add_field(struct line *line, enum log_form form, const struct log_field *field)
{
	if (form == LOG_JSON) {
		add_text(line, ",");
		add_string(line, slice_of(field->name));
		add_text(line, ":");
	} else {
		add_text(line, " ");
		add_word(line, slice_of(field->name));
		add_text(line, "=");
	}

	char number[24];
	switch (field->kind) {
	case LOG_FIELD_TEXT:
		if (form == LOG_JSON)
			add_string(line, field->text);
		else
			add_word(line, field->text);
		break;
	case LOG_FIELD_INTEGER:
		snprintf(number, sizeof number, "%lld", (long long)field->integer);
		add_text(line, number);
		break;
	case LOG_FIELD_REAL:
		add_real(line, form, field->real);
		break;
	}
}

/* As few digits as give the same number again. */
static void add_real(struct line *line, enum log_form form, double value)
{
	if (!isfinite(value)) {
		/* JSON has no name for these. */
		const char *name = isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
		add_text(line, form == LOG_JSON ? "null" : name);
		return;
	}

	char number[40];
	snprintf(number, sizeof number, "%.15g", value);
	if (strtod(number, NULL) != value)
		snprintf(number, sizeof number, "%.17g", value);
	/* Only the locale's decimal point is neither digit, sign nor exponent; it may be a comma,
	 * or several bytes. */
	for (char *next = number; *next;) {
		size_t other = strcspn(next, "0123456789+-e");
		if (other > 0) {
			add_text(line, ".");
			next += other;
			continue;
		}
		add(line, next, 1);
		next++;
	}
}

/* In the plain form text stands bare if nothing in it could be taken for something else; otherwise
 * it is written as a JSON string. */
static void add_word(struct line *line, struct slice text)
{
	bool bare = text.size > 0;
	for (size_t index = 0; index < text.size && bare; index++) {
		char c = text.data[index];
		bare = c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\';
	}
	if (bare)
		add(line, text.data, text.size);
	else
		add_string(line, text);
}

static void add_string(struct line *line, struct slice text)
{
	add(line, "\"", 1);
	while (text.size > 0 && !line->full) {
		size_t plain = json_plain_size(text);
		add(line, text.data, plain);
		text.data += plain;
		text.size -= plain;
		if (text.size == 0)
			break;
		char character[JSON_CHARACTER_SIZE_MAX];
		size_t size = json_take_character(&text, character);
		add(line, character, size);
	}
	add(line, "\"", 1);
}

static void add_text(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

static void add(struct line *line, const char *bytes, size_t size)
{
	if (line->full || size > line->size_max - line->size) {
		line->full = true;
		return;
	}
	if (size > 0)
		memcpy(line->data + line->size, bytes, size);
	line->size += size;
}
