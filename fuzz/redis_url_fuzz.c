/* Fuzzes the URL of Redis: what is taken apart says the same when it is put together again, and
 * what is refused is refused without a word of it, since the password could stand anywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "lib/base/buffer.h"
#include "lib/redis/redis_internal.h"

enum { WRITTEN_BYTES_MAX = 8192 };

static void check_refused(enum status status, const struct fault *fault);
static void check_accepted(const struct redis_url *url);
static void check_again(const struct redis_url *url);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(fuzz_slice(data, size));
	struct redis_url url;
	struct fault fault = {.what = ""};
	enum status status = redis_url_parse(text, &url, &fault);
	assert(redis_check_url(text, NULL) == status);
	free(text);
	if (status != STATUS_OK) {
		check_refused(status, &fault);
		return 0;
	}
	check_accepted(&url);
	check_again(&url);
	return 0;
}

/* The words of a fault are ours alone, and of a fixed kind. */
static void check_refused(enum status status, const struct fault *fault)
{
	static const char *const begins[] = {"has no host", "has a host that is ",
		"has a port that is ", "has a database that is ", "has a user name ",
		"has a password that is ", "has a query or a fragment",
		"does not begin with redis://"};
	bool ours = false;
	assert(status == STATUS_REFUSED);
	fuzz_assert_fault(fault);
	assert(strcmp(fault->where, "the URL of Redis") == 0);
	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		ours = ours || slice_starts_with(slice_of(fault->what), begins[i]);
	assert(ours);
}

static void check_accepted(const struct redis_url *url)
{
	assert(memchr(url->host, '\0', sizeof url->host) && url->host[0] != '\0');
	assert(memchr(url->user, '\0', sizeof url->user));
	assert(memchr(url->password, '\0', sizeof url->password));
	/* A user without a password would be let in as the default user. */
	assert(url->user[0] == '\0' || url->password[0] != '\0');
	/* It is named in faults. */
	assert(fuzz_is_line(slice_of(url->host)) && !strpbrk(url->host, "@/?#%[] "));
	assert(url->port[0] != '0' && strspn(url->port, "0123456789") == strlen(url->port));
	long port = strtol(url->port, NULL, 10);
	assert(port >= 1 && port <= UINT16_MAX);
	assert(url->database >= 0 && url->database <= REDIS_DATABASE_MAX);
}

/* Each byte in its percent-encoding, so that none means anything. */
static void add_encoded(struct buffer *buffer, const char *text)
{
	for (const char *c = text; *c; c++)
		buffer_add_format(buffer, "%%%02X", (unsigned)(unsigned char)*c);
}

static void check_again(const struct redis_url *url)
{
	struct buffer written;
	struct redis_url again;
	struct fault fault;
	bool address = strchr(url->host, ':') != NULL;
	buffer_init(&written, WRITTEN_BYTES_MAX);
	buffer_add_text(&written, "redis://");
	add_encoded(&written, url->user);
	if (url->password[0] != '\0')
		buffer_add_text(&written, ":");
	add_encoded(&written, url->password);
	buffer_add_format(&written, address ? "@[%s]:%s/%lld" : "@%s:%s/%lld", url->host, url->port,
		(long long)url->database);
	buffer_add(&written, "", 1);
	assert(!written.failed);
	assert(redis_url_parse(written.data, &again, &fault) == STATUS_OK);
	assert(strcmp(again.host, url->host) == 0 && strcmp(again.port, url->port) == 0);
	assert(strcmp(again.user, url->user) == 0);
	assert(strcmp(again.password, url->password) == 0);
	assert(again.database == url->database);
	buffer_release(&written);
}
