/* See text.h. */
#include "lib/testkit/text.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct kept {
	struct kept *next;
	size_t size;
	char bytes[];
};

/* Of one thread, the oldest first. */
struct texts {
	struct kept *first, **end;
	size_t size;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void need(int good)
{
	if (good)
		return;
	(void)fputs("text: memory is short, or the format is not good\n", stderr);
	abort();
}

static void forget_first(struct texts *texts)
{
	struct kept *kept = texts->first;
	texts->first = kept->next;
	texts->size -= kept->size;
	if (!texts->first)
		texts->end = &texts->first;
	free(kept);
}

static void forget_all(void *context)
{
	struct texts *texts = context;
	while (texts->first)
		forget_first(texts);
	free(texts);
}

static void make_key(void)
{
	need(pthread_key_create(&key, forget_all) == 0);
}

static struct texts *texts_of_thread(void)
{
	need(pthread_once(&once, make_key) == 0);
	struct texts *texts = pthread_getspecific(key);
	if (texts)
		return texts;
	texts = calloc(1, sizeof *texts);
	need(texts && pthread_setspecific(key, texts) == 0);
	texts->end = &texts->first;
	return texts;
}

const char *text(const char *format, ...)
{
	struct texts *texts = texts_of_thread();
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	need(size >= 0);
	struct kept *kept = malloc(sizeof *kept + (size_t)size + 1);
	need(kept != NULL);
	*kept = (struct kept){.size = sizeof *kept + (size_t)size + 1};
	va_start(arguments, format);
	(void)vsnprintf(kept->bytes, (size_t)size + 1, format, arguments);
	va_end(arguments);
	while (texts->first && texts->size + kept->size > TEXT_BYTES_MAX)
		forget_first(texts);
	*texts->end = kept;
	texts->end = &kept->next;
	texts->size += kept->size;
	return kept->bytes;
}
