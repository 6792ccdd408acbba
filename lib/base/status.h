/* The first of the two levels of error: what became of a *call*.
 *
 * What happened to one request inside a call that went well is an outcome in its result, never a
 * status. A third kind, a bug, is an assert, which stays in release builds. */
#pragma once

enum status {
	STATUS_OK,          /* Done; every result is filled in. */
	STATUS_UNAVAILABLE, /* Nothing was applied; a retry is safe. */
	STATUS_UNKNOWN,     /* Perhaps applied; retry with the same request ids only. */
	STATUS_REFUSED,     /* Nothing was applied, and the same call would be refused again. */
};

/* The status's name in lower case, for logs. Never NULL. */
const char *status_name(enum status status);

/* A refusal in words, for whoever wrote the input: a flag, a file, a message. The caller owns the
 * struct; functions that take one fill it in only when they do not return STATUS_OK. */
struct fault {
	char where[160]; /* What is wrong: "--port", "$.zones[3].rows[0]", "DATABASE_URL". */
	char what[240];  /* Why, as a sentence without a full stop. */
};

/* Fill in a fault, cutting what is too long. Returns STATUS_REFUSED, so that
 * `return fault_set(…)` is the usual form. `fault` may be NULL. */
__attribute__((format(printf, 3, 4))) enum status fault_set(
	struct fault *fault, const char *where, const char *what, ...);
