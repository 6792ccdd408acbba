/* One attempt of one call: libcurl's options for it, its callbacks, and what it came to.
 *
 * Whether anything was sent is told by two things. libcurl calls on_send once it has a connection
 * and before the request goes out; so what fails earlier (name, connection, TLS) sent nothing. From
 * then on CURLINFO_REQUEST_SIZE counts the bytes that the socket took. A byte that the socket took
 * may have arrived, and a server may act on half a request; so one byte is enough for LOST.
 *
 * on_send is also what keeps libcurl from sending a request twice: when a reused connection dies
 * without an answer, libcurl (7.88 at least) takes that for a server that had closed it before, and
 * sends again on a new one. The server may just as well have died while it acted on the request. */
#include <stdio.h>
#include <unistd.h>

#include "lib/http/client_internal.h"

static bool set_request(struct http_fetch_slot *slot);
static void set_connection(struct http_fetch_slot *slot, int64_t attempt_ms);
static size_t on_head_line(char *line, size_t one, size_t size, void *data);
static size_t on_body(char *bytes, size_t one, size_t size, void *data);
static int on_send(void *data, char *remote, char *local, int remote_port, int local_port);
static curl_socket_t on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address);
static struct http_attempt_result judge(const struct http_fetch_slot *slot, CURLcode code);
static void take_times(struct http_fetch_slot *slot);

bool http_attempt_start(struct http_fetch_slot *slot, int64_t attempt_ms)
{
	struct http_fetch *fetch = slot->fetch;
	slot->sends = 0;
	slot->head_bytes = 0;
	slot->head_is_final = slot->too_large = false;
	slot->addresses_tried = slot->addresses_refused = 0;
	slot->error[0] = '\0';
	buffer_reset(&fetch->own.head);
	buffer_reset(&fetch->own.body);
	fetch->result.status = 0;

	/* Keeps the TLS session; connections belong to the multi handle. */
	curl_easy_reset(slot->easy);
	set_connection(slot, attempt_ms);
	if (set_request(slot) &&
		curl_multi_add_handle(slot->fetcher->multi, slot->easy) == CURLM_OK)
		return true;
	curl_slist_free_all(slot->headers);
	slot->headers = NULL;
	snprintf(fetch->result.detail, sizeof fetch->result.detail, "There is too little memory");
	return false;
}

struct http_attempt_result http_attempt_end(struct http_fetch_slot *slot, CURLcode code)
{
	struct http_fetch *fetch = slot->fetch;
	struct http_attempt_result result = judge(slot, code);
	take_times(slot);
	const char *detail = slot->error[0] ? slot->error
		: code == CURLE_OK          ? "The connection ended within the head"
					    : curl_easy_strerror(code);
	snprintf(fetch->result.detail, sizeof fetch->result.detail, "%.*s",
		HTTP_FETCH_DETAIL_SIZE - 1, detail);
	curl_multi_remove_handle(slot->fetcher->multi, slot->easy);
	/* The handle must not keep what belongs to the caller, keys above all. */
	curl_easy_reset(slot->easy);
	curl_slist_free_all(slot->headers);
	slot->headers = NULL;
	return result;
}

/* ---- What is asked for ---- */

static void set_connection(struct http_fetch_slot *slot, int64_t attempt_ms)
{
	const struct http_fetcher *fetcher = slot->fetcher;
	const struct http_fetcher_options *options = &fetcher->options;
	CURL *easy = slot->easy;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	if (options->proxy == HTTP_PROXY_NONE)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	/* What a proxy says before there is a tunnel is no answer. */
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, fetcher->user_agent);
	if (fetcher->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, fetcher->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	/* libcurl takes 0 for no limit, and refuses what does not fit into an int. */
	attempt_ms = attempt_ms < 1 ? 1 : attempt_ms;
	attempt_ms = attempt_ms < HTTP_FETCHER_MS_MAX ? attempt_ms : HTTP_FETCHER_MS_MAX;
	slot->end_ms = clock_monotonic_ms(clock_system()) + attempt_ms;
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)attempt_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms_max);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)((options->idle_ms_max + 999) / 1000));
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	/* A resolver that hangs must not hold up everybody else when its call is over. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head_line);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
}

static bool add_header(struct http_fetch_slot *slot, const char *name, struct slice value)
{
	struct buffer line;
	buffer_init(&line, SIZE_MAX / 2);
	buffer_add_text(&line, name);
	buffer_add_text(&line, ": ");
	struct slice trimmed = slice_trim(value);
	buffer_add(&line, trimmed.data, trimmed.size);
	buffer_add(&line, "", 1);
	struct curl_slist *longer =
		line.failed ? NULL : curl_slist_append(slot->headers, line.data);
	buffer_release(&line);
	if (longer)
		slot->headers = longer;
	return longer != NULL;
}

static bool set_aws(struct http_fetch_slot *slot, const struct http_fetch_aws *aws)
{
	struct buffer scope;
	buffer_init(&scope, SIZE_MAX / 2);
	buffer_add_format(&scope, "aws:amz:%s:%s", aws->region, aws->service);
	buffer_add(&scope, "", 1);
	bool done = !scope.failed &&
		curl_easy_setopt(slot->easy, CURLOPT_AWS_SIGV4, scope.data) == CURLE_OK &&
		curl_easy_setopt(slot->easy, CURLOPT_USERNAME, aws->access_key) == CURLE_OK &&
		curl_easy_setopt(slot->easy, CURLOPT_PASSWORD, aws->secret_key) == CURLE_OK;
	buffer_release(&scope);
	if (done && aws->session_token)
		done = add_header(slot, "X-Amz-Security-Token", slice_of(aws->session_token));
	return done;
}

/* The body goes in as POSTFIELDS whatever the method: from a read callback libcurl could not sign
 * it. A method that promises a body and has none says so, since libcurl would not. */
static bool set_request(struct http_fetch_slot *slot)
{
	const struct http_fetch *fetch = slot->fetch;
	CURL *easy = slot->easy;
	for (size_t i = 0; i < fetch->header_count; i++)
		if (!add_header(slot, fetch->headers[i].name, fetch->headers[i].value))
			return false;
	if (fetch->body.size > 0) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body.size);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->body.data);
	} else if (fetch->method[0] == 'P') {
		if (!add_header(slot, "Content-Length", slice_of("0")))
			return false;
	}
	if (strcmp(fetch->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, fetch->method) != CURLE_OK)
		return false;
	if (fetch->aws && !set_aws(slot, fetch->aws))
		return false;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot->headers);
	return curl_easy_setopt(easy, CURLOPT_URL, fetch->url) == CURLE_OK;
}

/* ---- What happens ---- */

static curl_socket_t on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_fetch_slot *slot = data;
	(void)purpose;
	if (slot->fetcher->options.addresses == HTTP_ADDRESSES_PUBLIC &&
		!http_address_is_public(&address->addr)) {
		slot->addresses_refused++;
		return CURL_SOCKET_BAD;
	}
	slot->addresses_tried++;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int64_t bytes_sent(const struct http_fetch_slot *slot)
{
	long size = 0;
	curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &size);
	return size;
}

static int on_send(void *data, char *remote, char *local, int remote_port, int local_port)
{
	struct http_fetch_slot *slot = data;
	(void)remote, (void)local, (void)remote_port, (void)local_port;
	/* A connection that took no byte at all leaves the request free for another. */
	if (slot->sends > 0 && bytes_sent(slot) > 0) {
		slot->sends++;
		return CURL_PREREQFUNC_ABORT;
	}
	slot->sends++;
	return CURL_PREREQFUNC_OK;
}

/* libcurl hands over whole lines: status lines and headers of each answer, interim ones included,
 * an empty line after each, and after the body the trailers. */
static size_t on_head_line(char *line, size_t one, size_t size, void *data)
{
	struct http_fetch_slot *slot = data;
	struct http_fetch *fetch = slot->fetch;
	(void)one;
	slot->head_bytes += size;
	if (slot->head_bytes > slot->fetcher->options.head_bytes_max) {
		slot->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (slot->head_is_final)
		return size;

	struct slice text = {.data = line, .size = size};
	if (slice_starts_with(text, "HTTP/")) {
		long status = 0;
		curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
		fetch->result.status = (unsigned)status;
		buffer_reset(&fetch->own.head);
		return size;
	}
	buffer_add(&fetch->own.head, line, size);
	/* 101 cannot come, since nothing asks for an upgrade. */
	if (line[0] == '\r' || line[0] == '\n')
		slot->head_is_final = fetch->result.status >= 200;
	return fetch->own.head.failed ? CURL_WRITEFUNC_ERROR : size;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *data)
{
	struct http_fetch_slot *slot = data;
	struct http_fetch *fetch = slot->fetch;
	(void)one;
	buffer_add(&fetch->own.body, bytes, size);
	if (!fetch->own.body.failed)
		return size;
	slot->too_large = true;
	return CURL_WRITEFUNC_ERROR;
}

/* ---- What it came to ---- */

static enum http_fetch_cause cause_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_CAUSE_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_CAUSE_RESOLVE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return HTTP_CAUSE_TLS;
	case CURLE_OUT_OF_MEMORY:
		return HTTP_CAUSE_MEMORY;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_ABORTED_BY_CALLBACK:
		return HTTP_CAUSE_BROKEN;
	default:
		return HTTP_CAUSE_MALFORMED;
	}
}

static struct http_attempt_result judge_unsent(const struct http_fetch_slot *slot, CURLcode code)
{
	if (slot->addresses_refused > 0 && slot->addresses_tried == 0)
		return (struct http_attempt_result){HTTP_FETCH_REFUSED, HTTP_CAUSE_ADDRESS};
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
		code == CURLE_LOGIN_DENIED || code == CURLE_BAD_FUNCTION_ARGUMENT)
		return (struct http_attempt_result){HTTP_FETCH_REFUSED, HTTP_CAUSE_REQUEST};
	enum http_fetch_cause cause = cause_of(code);
	if (cause == HTTP_CAUSE_MALFORMED)
		cause = HTTP_CAUSE_CONNECT;
	return (struct http_attempt_result){HTTP_FETCH_NOT_SENT, cause};
}

static struct http_attempt_result judge(const struct http_fetch_slot *slot, CURLcode code)
{
	/* libcurl has limits of its own for the lines of a head, and reports them as a lack of
	 * memory. */
	bool sent = slot->sends > 1 || (slot->sends == 1 && bytes_sent(slot) > 0);
	bool head_too_large = sent && !slot->head_is_final && code == CURLE_OUT_OF_MEMORY;
	if (slot->too_large || head_too_large)
		return (struct http_attempt_result){HTTP_FETCH_TOO_LARGE, HTTP_CAUSE_SIZE};
	/* A second sending that on_send forbade, after an answer: libcurl repeats a request without
	 * Expect when the answer to that was 417. */
	bool answered = code == CURLE_ABORTED_BY_CALLBACK && slot->sends > 1;
	if (slot->head_is_final && (code == CURLE_OK || answered))
		return (struct http_attempt_result){HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE};
	if (!sent)
		return judge_unsent(slot, code);
	/* libcurl is content with a connection that ends within the head. */
	enum http_fetch_cause cause = code == CURLE_OK ? HTTP_CAUSE_BROKEN : cause_of(code);
	return (struct http_attempt_result){HTTP_FETCH_LOST, cause};
}

static int64_t time_us(CURL *easy, CURLINFO info)
{
	curl_off_t us = 0;
	curl_easy_getinfo(easy, info, &us);
	return us;
}

static void take_times(struct http_fetch_slot *slot)
{
	struct http_fetch_times *times = &slot->fetch->result.times;
	long connections = 0;
	curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connections);
	slot->fetcher->connections += (uint64_t)connections;
	times->connected_us =
		connections > 0 ? time_us(slot->easy, CURLINFO_PRETRANSFER_TIME_T) : 0;
	times->first_byte_us =
		slot->head_bytes > 0 ? time_us(slot->easy, CURLINFO_STARTTRANSFER_TIME_T) : 0;
}
