/* Structured log: one line per event, JSON for machines or plain for people, on standard error.
 *
 *	log_info("server.started", LOG_TEXT("address", address), LOG_INTEGER("port", port));
 *
 * An event's name is fixed text with dots; what varies goes into fields. Lines are written whole
 * with one write(2), so lines of several threads never mix. Text is escaped, so that no input can
 * forge a line. Never log a token, a pass, a key or a payment method. */
#pragma once

#include "lib/base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_form { LOG_JSON, LOG_PLAIN };

struct log_field {
	const char *name; /* NULL ends a list. */
	enum { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_REAL } kind;
	struct slice text;
	int64_t integer;
	double real;
};

/* The fields of a call; text may be NULL, which is logged as empty. */
#define LOG_TEXT(name_, value_) log_field_text(name_, value_)
#define LOG_SLICE(name_, value_) \
	((struct log_field){.name = (name_), .kind = LOG_FIELD_TEXT, .text = (value_)})
#define LOG_INTEGER(name_, value_) \
	((struct log_field){ \
		.name = (name_), .kind = LOG_FIELD_INTEGER, .integer = (int64_t)(value_)})
#define LOG_REAL(name_, value_) \
	((struct log_field){.name = (name_), .kind = LOG_FIELD_REAL, .real = (value_)})

static inline struct log_field log_field_text(const char *name, const char *value)
{
	return (struct log_field){
		.name = name, .kind = LOG_FIELD_TEXT, .text = slice_of(value ? value : "")};
}

/* Choose form and least level; until then: plain, info. Call before there are threads. */
void log_configure(enum log_form form, enum log_level level);

/* Send the lines to another descriptor; the caller keeps it open. Call before there are threads. */
void log_redirect(int fd);

/* Write one line. `fields` ends with a field whose name is NULL. */
void log_write(enum log_level level, const char *event, const struct log_field fields[]);

/* Render one line into `line`, at most `size` bytes with its newline, and return its length. What
 * does not fit is cut between fields. Exposed for the access log and for tests. */
size_t log_render(char *line, size_t size, enum log_form form, enum log_level level,
	int64_t wall_ms, const char *event, const struct log_field fields[]);

#define LOG_CALL(level_, ...) LOG_CALL_(level_, __VA_ARGS__, (struct log_field){.name = NULL})
#define LOG_CALL_(level_, event_, ...) \
	log_write(level_, event_, (const struct log_field[]){__VA_ARGS__})

#define log_debug(...) LOG_CALL(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) LOG_CALL(LOG_INFO, __VA_ARGS__)
#define log_warning(...) LOG_CALL(LOG_WARNING, __VA_ARGS__)
#define log_error(...) LOG_CALL(LOG_ERROR, __VA_ARGS__)
