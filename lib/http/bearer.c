/* See bearer.h. */
#include "lib/http/bearer.h"

#include <strings.h>

/* The scheme's name is the same in small letters and in capitals (RFC 9110, section 11.1). */
bool http_bearer(const struct http_exchange *exchange, struct slice *token)
{
	static const char scheme[] = "Bearer ";
	enum { SCHEME_SIZE = sizeof scheme - 1 };
	struct slice given;
	if (!http_header(exchange, "Authorization", &given) || given.size < SCHEME_SIZE ||
		strncasecmp(given.data, scheme, SCHEME_SIZE) != 0)
		return false;
	*token = (struct slice){.data = given.data + SCHEME_SIZE, .size = given.size - SCHEME_SIZE};
	return true;
}

bool http_bearer_is(const struct http_exchange *exchange, struct slice secret)
{
	struct slice given;
	if (secret.size == 0 || !http_bearer(exchange, &given))
		return false;
	size_t difference = given.size ^ secret.size;
	for (size_t i = 0; i < given.size; i++)
		difference |= (unsigned char)(given.data[i] ^ secret.data[i % secret.size]);
	return difference == 0;
}

bool http_admin_asks(struct http_exchange *exchange, struct slice secret)
{
	static const struct http_problem unauthorized = {
		401, "unauthorized", "This needs the admin's token"};
	if (http_bearer_is(exchange, secret))
		return true;
	http_reply_problem(exchange, &unauthorized, NULL);
	http_reply_header(exchange, "WWW-Authenticate", "Bearer");
	return false;
}
