/* What fuzz targets share.
 *
 * A target is one function that gets bytes. It feeds them to a parser and asserts what must hold of
 * any answer: what is accepted says the same when it is written and read again, what is refused is
 * refused in words. Under the sanitizers of the preset `fuzz` memory errors end the process too. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"

/* The target: always returns 0; the name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct slice fuzz_slice(const uint8_t *data, size_t size)
{
	/* An empty input may come without an address; text that is there always has one. */
	return (struct slice){.data = data ? (const char *)data : "", .size = size};
}

/* A copy with a zero byte behind it, for parsers of C strings; the caller frees it. It ends where
 * `text` has a zero byte, and has no bytes to spare, so that reading past it is seen. */
char *fuzz_copy(struct slice text);

/* Whether it is UTF-8 that stays on one line: without control characters. Unlike in slice_is_text,
 * noncharacters are allowed, since what is quoted from outside may have them. */
bool fuzz_is_line(struct slice text);

/* Assert that the fault says where and why, in text that may stand in JSON and in a log. */
void fuzz_assert_fault(const struct fault *fault);

/* Assert that `line` is one line of valid JSON, an object, with its newline. */
void fuzz_assert_json_line(struct slice line);
