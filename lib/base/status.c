/* The names of statuses, and faults put into words. */
#include "lib/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void copy_cut(char *target, size_t size, const char *text);

const char *status_name(enum status status)
{
	switch (status) {
	case STATUS_OK:
		return "ok";
	case STATUS_UNAVAILABLE:
		return "unavailable";
	case STATUS_UNKNOWN:
		return "unknown";
	case STATUS_REFUSED:
		return "refused";
	}
	return "not a status";
}

enum status fault_set(struct fault *fault, const char *where, const char *what, ...)
{
	if (!fault)
		return STATUS_REFUSED;

	/* A caller that adds to a fault passes parts of the old one, so the new text is made aside.
	 * It is one byte longer than what it goes into, so that the cut below sees every cut. */
	char where_text[sizeof fault->where + 1];
	char what_text[sizeof fault->what + 1];
	va_list arguments;
	va_start(arguments, what);
	if (vsnprintf(what_text, sizeof what_text, what, arguments) < 0)
		what_text[0] = '\0';
	va_end(arguments);
	snprintf(where_text, sizeof where_text, "%s", where);

	copy_cut(fault->where, sizeof fault->where, where_text);
	copy_cut(fault->what, sizeof fault->what, what_text);
	return STATUS_REFUSED;
}

/* Copy what fits. A cut never leaves half of a UTF-8 character, since a fault ends up in JSON. */
static void copy_cut(char *target, size_t size, const char *text)
{
	size_t length = strlen(text);
	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
			length--;
	}
	memcpy(target, text, length);
	target[length] = '\0';
}
