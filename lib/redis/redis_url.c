/* The URL of a server (the "redis" scheme of IANA's list of URI schemes), taken apart and checked.
 * No fault repeats any part of it, since the password could be in the wrong place. */
#include "lib/redis/redis_internal.h"

#include <stdio.h>

static enum status refuse(struct fault *fault, const char *what)
{
	return fault_set(fault, "the URL of Redis", "%s", what);
}

static int hexadecimal(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode percent-encoded text into `decoded`, zero-terminated. False when it is malformed, holds a
 * zero byte or is too long. */
static bool decode(struct slice text, char *decoded, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < text.size; i++, used++) {
		char c = text.data[i];
		if (used + 1 >= size)
			return false;
		if (c == '%') {
			int high = i + 2 < text.size ? hexadecimal(text.data[i + 1]) : -1;
			int low = i + 2 < text.size ? hexadecimal(text.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			return false;
		decoded[used] = c;
	}
	decoded[used] = '\0';
	return true;
}

/* [user][:password] */
static enum status parse_user(struct slice text, struct redis_url *url, struct fault *fault)
{
	struct slice user;
	(void)slice_split(&text, ':', &user);
	if (!decode(user, url->user, sizeof url->user))
		return refuse(fault, "has a user name that is malformed or too long");
	if (text.data != NULL && !decode(text, url->password, sizeof url->password))
		return refuse(fault, "has a password that is malformed or too long");
	if (url->user[0] != '\0' && url->password[0] == '\0')
		return refuse(fault, "has a user name without a password");
	return STATUS_OK;
}

/* Split host[:port] or [address][:port]. *port keeps its NULL where none is given. */
static bool split_host(struct slice text, struct slice *host, struct slice *port)
{
	*port = (struct slice){.data = NULL};
	if (text.size == 0 || text.data[0] != '[') {
		(void)slice_split(&text, ':', host);
		*port = text;
		return true;
	}
	text.data++;
	text.size--;
	(void)slice_split(&text, ']', host);
	if (text.data == NULL || (text.size > 0 && text.data[0] != ':'))
		return false;
	if (text.size > 0)
		*port = (struct slice){.data = text.data + 1, .size = text.size - 1};
	return true;
}

/* Names and addresses only. A fault of the connection names the host, so it must not be the end of
 * a password that has an '@' of its own. */
static bool is_host(struct slice host)
{
	for (size_t i = 0; i < host.size; i++) {
		char c = host.data[i], letter = (char)(c | 0x20);
		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') &&
			memchr(".-_:", c, 4) == NULL)
			return false;
	}
	return true;
}

static enum status parse_address(struct slice text, struct redis_url *url, struct fault *fault)
{
	struct slice host, port;
	int64_t number = 6379;
	if (!split_host(text, &host, &port) || host.size == 0)
		return refuse(fault, "has no host");
	if (!is_host(host) || !decode(host, url->host, sizeof url->host))
		return refuse(fault, "has a host that is malformed or too long");
	if (port.data != NULL && !slice_to_integer(port, 1, UINT16_MAX, &number))
		return refuse(fault, "has a port that is not a number from 1 to 65535");
	(void)snprintf(url->port, sizeof url->port, "%u", (unsigned)number & UINT16_MAX);
	return STATUS_OK;
}

enum status redis_url_parse(const char *text, struct redis_url *url, struct fault *fault)
{
	static const char scheme[] = "redis://";
	struct slice rest = slice_of(text), address, user;
	enum status status = STATUS_OK;
	*url = (struct redis_url){.database = 0};
	if (!slice_starts_with(rest, scheme))
		return refuse(fault,
			"does not begin with redis://, and TLS (rediss://) or a socket "
			"cannot be used");
	rest.data += sizeof scheme - 1;
	rest.size -= sizeof scheme - 1;
	if (memchr(rest.data, '?', rest.size) != NULL || memchr(rest.data, '#', rest.size) != NULL)
		return refuse(fault, "has a query or a fragment, which mean nothing here");
	(void)slice_split(&rest, '/', &address);
	if (memchr(address.data, '@', address.size) != NULL) {
		(void)slice_split(&address, '@', &user);
		status = parse_user(user, url, fault);
	}
	if (status == STATUS_OK)
		status = parse_address(address, url, fault);
	if (status == STATUS_OK && rest.data != NULL && rest.size > 0 &&
		!slice_to_integer(rest, 0, REDIS_DATABASE_MAX, &url->database))
		return refuse(fault, "has a database that is not a small number");
	return status;
}

enum status redis_check_url(const char *url, struct fault *fault)
{
	struct redis_url parsed;
	return redis_url_parse(url, &parsed, fault);
}
