/* What a request must be like before any of it may reach libcurl, which trusts its caller: it would
 * send a line break in a header as it is, turn an empty header into the removal of one, and add a
 * Content-Type of its own choice. */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "lib/http/client_internal.h"

static bool check_url(const struct http_fetch *fetch, char *detail);
static bool check_headers(const struct http_fetch *fetch, char *detail);
static bool check_body(
	const struct http_fetch *fetch, const struct http_fetcher_options *options, char *detail);
static bool check_aws(const struct http_fetch *fetch, char *detail);

/* Say why, and return false. The texts name no value: a header may be a secret. */
__attribute__((format(printf, 2, 3))) static bool refuse(char *detail, const char *why, ...)
{
	va_list arguments;
	va_start(arguments, why);
	vsnprintf(detail, HTTP_FETCH_DETAIL_SIZE, why, arguments);
	va_end(arguments);
	return false;
}

static bool is_one_of(const char *name, const char *const names[])
{
	for (size_t i = 0; names[i]; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

bool http_fetch_check(const struct http_fetch *fetch, const struct http_fetcher_options *options,
	char detail[HTTP_FETCH_DETAIL_SIZE])
{
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};
	/* Methods are case-sensitive (RFC 9110, section 9.1): "get" is another one. */
	if (!fetch->method || !is_one_of(fetch->method, methods) || fetch->method[0] > 'Z')
		return refuse(detail, "The method is not one of those that are allowed");
	for (const char *c = fetch->method; *c; c++)
		if (*c < 'A' || *c > 'Z')
			return refuse(detail, "The method is not in upper case");
	return check_url(fetch, detail) && check_headers(fetch, detail) &&
		check_body(fetch, options, detail) && check_aws(fetch, detail);
}

/* Letters and digits of ASCII, and those of `others`; without regard to the locale. */
static bool is_made_of(const char *text, size_t size, const char *others)
{
	for (size_t i = 0; i < size; i++) {
		char c = text[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || !strchr(others, c))
			return false;
	}
	return true;
}

static bool check_url(const struct http_fetch *fetch, char *detail)
{
	const char *url = fetch->url;
	size_t size = url ? strnlen(url, HTTP_FETCH_URL_SIZE_MAX + 1) : 0;
	if (size == 0 || size > HTTP_FETCH_URL_SIZE_MAX)
		return refuse(detail, "The URL is empty or too long");
	if (!is_made_of(url, size, "-._~:/?#[]@!$&'()*+,;=%"))
		return refuse(detail, "The URL has a character that must be escaped");
	/* libcurl forgives one slash and three, and other readers of the same URL find another host
	 * in it then. */
	const char *rest = strncasecmp(url, "http://", 7) == 0 ? url + 7
		: strncasecmp(url, "https://", 8) == 0         ? url + 8
							       : NULL;
	if (!rest || *rest == '/' || *rest == '\0')
		return refuse(detail, "The URL does not begin with http:// or https:// and a host");

	CURLU *parsed = curl_url();
	if (!parsed)
		return refuse(detail, "There is too little memory to read the URL");
	CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	curl_url_cleanup(parsed);
	if (code == CURLUE_USER_NOT_ALLOWED)
		return refuse(detail, "The URL has user information");
	return code == CURLUE_OK || refuse(detail, "The URL is none: %s", curl_url_strerror(code));
}

/* RFC 9110, section 5.5: visible characters, spaces, tabs and bytes from 0x80 on. */
static bool is_field_value(struct slice value)
{
	for (size_t i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if ((c < ' ' && c != '\t') || c == 0x7F)
			return false;
	}
	return slice_trim(value).size > 0;
}

static bool check_headers(const struct http_fetch *fetch, char *detail)
{
	static const char *const own[] = {"Host", "Content-Length", "Transfer-Encoding", "Expect",
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE",
		"Trailer", "Upgrade", NULL};
	if (fetch->header_count > HTTP_FETCH_HEADERS_MAX)
		return refuse(detail, "It has more than %d headers", HTTP_FETCH_HEADERS_MAX);
	for (size_t i = 0; i < fetch->header_count; i++) {
		const char *name = fetch->headers[i].name;
		if (!name || !*name || !is_made_of(name, strlen(name), "!#$%&'*+-.^_`|~"))
			return refuse(detail, "The name of header %zu is no token", i + 1);
		if (is_one_of(name, own))
			return refuse(detail, "The header %s is not the caller's to set", name);
		if (!is_field_value(fetch->headers[i].value))
			return refuse(detail,
				"The header %.60s is empty or has a control character", name);
	}
	return true;
}

static bool has_header(const struct http_fetch *fetch, const char *name)
{
	for (size_t i = 0; i < fetch->header_count; i++)
		if (strcasecmp(fetch->headers[i].name, name) == 0)
			return true;
	return false;
}

static bool check_body(
	const struct http_fetch *fetch, const struct http_fetcher_options *options, char *detail)
{
	if (fetch->body.size == 0)
		return true;
	if (strcmp(fetch->method, "GET") == 0 || strcmp(fetch->method, "HEAD") == 0)
		return refuse(detail, "%s has no body", fetch->method);
	if (fetch->body.size > options->body_bytes_max)
		return refuse(detail, "The body has more than %zu bytes", options->body_bytes_max);
	return has_header(fetch, "Content-Type") ||
		refuse(detail, "It has a body but no Content-Type");
}

/* Whether one name is the beginning of the other, or the same. */
static bool is_prefix_pair(const char *a, const char *b)
{
	size_t a_size = strlen(a), b_size = strlen(b);
	return strncasecmp(a, b, a_size < b_size ? a_size : b_size) == 0;
}

static bool is_name_of_aws(const char *text)
{
	return text && *text && is_made_of(text, strlen(text), "-");
}

static bool is_token_of_aws(const char *text)
{
	return is_field_value(slice_of(text)) && !strpbrk(text, " \t");
}

static bool check_aws(const struct http_fetch *fetch, char *detail)
{
	static const char *const added[] = {
		"Host", "X-Amz-Date", "X-Amz-Security-Token", "Authorization", NULL};
	if (!fetch->aws)
		return true;
	if (!is_name_of_aws(fetch->aws->region) || !is_name_of_aws(fetch->aws->service))
		return refuse(detail, "The region or the service to sign for is no name");
	if (!fetch->aws->access_key || !is_token_of_aws(fetch->aws->access_key) ||
		!fetch->aws->secret_key || !*fetch->aws->secret_key ||
		(fetch->aws->session_token && !is_token_of_aws(fetch->aws->session_token)))
		return refuse(detail, "The credentials to sign with are missing or malformed");

	const char *path = strchr(strchr(fetch->url, ':') + 3, '/');
	if (strpbrk(fetch->url, "?#") || (path && !is_made_of(path, strlen(path), "/-._~")))
		return refuse(detail, "A query or an escaped path cannot be signed");
	for (size_t i = 0; i < fetch->header_count; i++) {
		const char *name = fetch->headers[i].name;
		for (size_t j = 0; added[j]; j++)
			if (is_prefix_pair(name, added[j]))
				return refuse(detail, "The header %.60s cannot be signed", name);
		for (size_t j = 0; j < i; j++)
			if (is_prefix_pair(name, fetch->headers[j].name))
				return refuse(
					detail, "The header %.60s repeats or begins another", name);
	}
	return true;
}
