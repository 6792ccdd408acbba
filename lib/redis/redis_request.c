/* Requests as bytes: arrays of bulk strings (Redis serialization protocol, "Sending commands to a
 * Redis server"). Written here and not by hiredis, which would copy every argument twice. */
#include "lib/redis/redis_internal.h"

#include <assert.h>
#include <openssl/evp.h>

enum { NUMBER_SIZE = 24 };

/* Write the digits of a number at the end of `text`, and return them. */
static struct slice format_number(char text[NUMBER_SIZE], int64_t value)
{
	size_t at = NUMBER_SIZE;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	do {
		text[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		text[--at] = '-';
	return (struct slice){.data = text + at, .size = NUMBER_SIZE - at};
}

/* "*3\r\n" or "$5\r\n". */
static void add_header(struct buffer *buffer, char type, size_t count)
{
	char text[NUMBER_SIZE];
	struct slice digits = format_number(text, (int64_t)count);
	buffer_add(buffer, &type, 1);
	buffer_add(buffer, digits.data, digits.size);
	buffer_add(buffer, "\r\n", 2);
}

static void add_slice(struct buffer *buffer, struct slice bytes)
{
	add_header(buffer, '$', bytes.size);
	buffer_add(buffer, bytes.data, bytes.size);
	buffer_add(buffer, "\r\n", 2);
}

static void add_integer(struct buffer *buffer, int64_t value)
{
	char text[NUMBER_SIZE];
	add_slice(buffer, format_number(text, value));
}

static void add_arguments(struct buffer *buffer, const struct redis_request *request)
{
	for (size_t i = 0; i < request->argument_count; i++) {
		const struct redis_argument *argument = &request->arguments[i];
		if (argument->kind == REDIS_ARGUMENT_INTEGER)
			add_integer(buffer, argument->value.integer);
		else
			add_slice(buffer, argument->value.slice);
	}
}

static void encode_command(struct redis *redis, const struct redis_request *request)
{
	struct slice rest = slice_of(request->command->name), word;
	size_t word_count = 1;
	for (size_t i = 0; i < rest.size; i++)
		word_count += rest.data[i] == ' ';
	add_header(&redis->bytes, '*', word_count + request->argument_count);
	while (slice_split(&rest, ' ', &word))
		add_slice(&redis->bytes, word);
}

/* --- Scripts --- */

static void compute_sha1(struct slice source, char sha1[REDIS_SHA1_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	int done = EVP_Digest(source.data, source.size, digest, &size, EVP_sha1(), NULL);
	assert(done == 1 && size * 2 + 1 == REDIS_SHA1_SIZE);
	for (unsigned i = 0; i < size; i++) {
		sha1[2 * i] = digits[digest[i] >> 4];
		sha1[2 * i + 1] = digits[digest[i] & 15];
	}
	sha1[2 * size] = '\0';
}

static struct redis_known_script *know(struct redis *redis, const struct redis_script *script)
{
	for (size_t i = 0; i < redis->script_count; i++)
		if (redis->scripts[i].script == script)
			return &redis->scripts[i];
	assert(redis->script_count < REDIS_SCRIPTS_MAX);
	struct redis_known_script *known = &redis->scripts[redis->script_count++];
	*known = (struct redis_known_script){.script = script};
	compute_sha1(slice_of(script->source), known->sha1);
	return known;
}

void redis_forget_script(struct redis *redis, const struct redis_script *script)
{
	know(redis, script)->sent = false;
}

void redis_forget_scripts(struct redis *redis)
{
	for (size_t i = 0; i < redis->script_count; i++)
		redis->scripts[i].sent = false;
}

static void encode_script(struct redis *redis, const struct redis_request *request)
{
	struct redis_known_script *known = know(redis, request->script);
	assert(request->key_count <= request->argument_count);
	add_header(&redis->bytes, '*', 3 + request->argument_count);
	add_slice(&redis->bytes, slice_of(known->sent ? "EVALSHA" : "EVAL"));
	add_slice(&redis->bytes, slice_of(known->sent ? known->sha1 : request->script->source));
	add_integer(&redis->bytes, (int64_t)request->key_count);
	known->sent = true;
}

void redis_encode(struct redis *redis, const struct redis_request *request)
{
	assert((request->command == NULL) != (request->script == NULL));
	/* Room for the words before the arguments; Redis would close the connection. */
	if (request->argument_count > REDIS_ARGUMENTS_MAX - 8) {
		redis->bytes.failed = true;
		return;
	}
	if (request->script != NULL)
		encode_script(redis, request);
	else
		encode_command(redis, request);
	add_arguments(&redis->bytes, request);
}
