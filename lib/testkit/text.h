/* Texts that nobody has to free: paths, bodies, statements of a test.
 *
 *	person_ask(&ada, "GET", text("/holds/%s", hold), …);
 *
 * Each stays until the thread that made it ends, or has made TEXT_BYTES_MAX bytes of others since:
 * so many that what was made before a loop which waits is still there after it. */
#pragma once

enum { TEXT_BYTES_MAX = 32 << 20 };

/* As printf writes. Ends the program when memory is short. */
__attribute__((format(printf, 1, 2))) const char *text(const char *format, ...);
