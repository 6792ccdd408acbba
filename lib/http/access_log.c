/* One line per request, in JSON, gathered per loop and written in bursts.
 *
 * Query strings, headers and bodies are never logged, nor are the values of path parameters whose
 * name ends in "Token"; a path that leads nowhere is left out, since a mistyped one may carry a
 * secret. A pipe that nobody reads must not stop the loop: lines that it does not take are dropped
 * and counted. */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "lib/http/internal.h"
#include "lib/http/trace.h"

enum {
	ACCESS_LOG_BYTES_DUE = 32 << 10,
	ACCESS_LOG_BYTES_MAX = 256 << 10,
	ACCESS_LOG_MS_DUE = 200,
	ACCESS_LOG_PIPE_BYTES = 4096, /* POSIX: a writable pipe takes PIPE_BUF bytes at once. */
	ACCESS_LOG_METHOD_BYTES_MAX = 16,
	ACCESS_LOG_PATH_BYTES_MAX = 512,
};

static_assert(
	JSON_CHARACTER_SIZE_MAX * (ACCESS_LOG_METHOD_BYTES_MAX + ACCESS_LOG_PATH_BYTES_MAX) + 512 <=
		ACCESS_LOG_PIPE_BYTES,
	"a line fits into one write, so that lines of several loops never mix");

void http_access_log_open(struct http_access_log *log, int fd)
{
	struct stat about;
	*log = (struct http_access_log){.fd = fd};
	log->is_file = fd > 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
	buffer_init(&log->lines, ACCESS_LOG_BYTES_MAX);
}

static void report_dropped(struct http_access_log *log)
{
	if (log->dropped > 0)
		log_warning("http.access_log_dropped", LOG_INTEGER("lines", log->dropped));
	log->dropped = 0;
}

void http_access_log_close(struct http_access_log *log)
{
	struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
	for (size_t before = 0; log->lines.size != before;) {
		before = log->lines.size;
		http_access_log_flush(log, 0, HTTP_FLUSH_NOW);
		/* A reader that still reads is waited for a little. */
		if (log->lines.size > 0 && poll(&ready, 1, ACCESS_LOG_MS_DUE) != 1)
			break;
	}
	for (size_t i = 0; i < log->lines.size; i++)
		log->dropped += log->lines.data[i] == '\n';
	report_dropped(log);
	buffer_release(&log->lines);
}

static bool parameter_is_secret(struct slice name)
{
	static const char token[] = "Token";
	size_t size = sizeof token - 1;
	return name.size >= size && memcmp(name.data + name.size - size, token, size) == 0;
}

/* The pattern of the route with the values of its parameters in their places. */
static void add_path(struct buffer *lines, const struct http_exchange *exchange)
{
	char path[ACCESS_LOG_PATH_BYTES_MAX];
	size_t used = 0, index = 0;
	if (!exchange->route)
		return;
	struct slice rest = slice_of(exchange->route->pattern + 1), segment;
	while (used < sizeof path && slice_split(&rest, '/', &segment)) {
		if (segment.size > 2 && segment.data[0] == '{') {
			struct slice name = http_route_parameter_name(exchange->route, index);
			if (!parameter_is_secret(name))
				segment = exchange->parameters[index];
			index++;
		}
		path[used++] = '/';
		size_t room = sizeof path - used;
		size_t size = segment.size < room ? segment.size : room;
		if (size > 0)
			memcpy(path + used, segment.data, size);
		used += size;
	}
	buffer_add_text(lines, ",\"path\":");
	buffer_add_json(lines, (struct slice){.data = path, .size = used});
}

/* printf would take a tenth of an empty request's time. */
static void add_number(struct buffer *lines, const char *label, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buffer_add_text(lines, label);
	buffer_add(lines, digits + at, sizeof digits - at);
}

static void add_time(struct http_access_log *log)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (now_ms != log->time_ms)
		time_format(now_ms, log->time);
	log->time_ms = now_ms;
	buffer_add_text(&log->lines, "{\"time\":\"");
	buffer_add_text(&log->lines, log->time);
}

static void add_trace(struct buffer *lines, const struct http_exchange *exchange)
{
	struct trace_context trace;
	if (!exchange->traceparent.data || !trace_parse(exchange->traceparent, &trace))
		return;
	buffer_add_text(lines, ",\"traceId\":\"");
	buffer_add_text(lines, trace.trace_id);
	buffer_add_text(lines, "\"");
}

void http_access_log_add(struct http_access_log *log, const struct http_exchange *exchange)
{
	if (log->fd <= 0)
		return;
	struct buffer *lines = &log->lines;
	size_t before = lines->size;
	add_time(log);
	buffer_add_text(lines, "\",\"event\":\"http.request\",\"method\":");
	/* A client may call a method anything, at any length. */
	struct slice method = slice_of(exchange->method_text ? exchange->method_text : "");
	if (method.size > ACCESS_LOG_METHOD_BYTES_MAX)
		method.size = ACCESS_LOG_METHOD_BYTES_MAX;
	buffer_add_json(lines, method);
	add_path(lines, exchange);
	add_trace(lines, exchange);
	add_number(lines, ",\"status\":", exchange->queued_reply ? exchange->status : 499);
	add_number(lines, ",\"bytesIn\":", exchange->body_bytes);
	add_number(lines, ",\"bytesOut\":", exchange->reply.size);
	add_number(lines, ",\"us\":", (uint64_t)(http_now_ns() - exchange->received_ns) / 1000);
	buffer_add_text(lines, ",\"requestId\":\"");
	buffer_add_text(lines, exchange->request_id);
	buffer_add_text(lines, "\"}\n");
	if (lines->failed) {
		lines->failed = false;
		lines->size = before;
		log->dropped++;
	}
}

/* How much of `text` a pipe takes at once: whole lines, since other loops write to it as well. */
static size_t pipe_size(const char *text, size_t size)
{
	if (size <= ACCESS_LOG_PIPE_BYTES)
		return size;
	const char *last = memrchr(text, '\n', ACCESS_LOG_PIPE_BYTES);
	assert(last);
	return (size_t)(last - text) + 1;
}

/* Write to something other than a file, if it takes `size` bytes without waiting. Between the
 * question and the write no other loop may fill the pipe, else this one would wait for its reader.
 */
static ssize_t write_to_pipe(int fd, const char *text, size_t size)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	ssize_t went = 0;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	pthread_mutex_lock(&mutex);
	/* Without its reader it is ready as well, but a write would raise SIGPIPE. */
	if (poll(&ready, 1, 0) == 1 && ready.revents == POLLOUT)
		went = write(fd, text, pipe_size(text, size));
	pthread_mutex_unlock(&mutex);
	return went;
}

/* Write as much as can be written without waiting. Returns how many bytes went. */
static size_t write_ready(struct http_access_log *log)
{
	size_t written = 0;
	while (written < log->lines.size) {
		const char *text = log->lines.data + written;
		size_t size = log->lines.size - written;
		ssize_t went = log->is_file ? write(log->fd, text, size)
					    : write_to_pipe(log->fd, text, size);
		if (went < 0 && errno == EINTR)
			continue;
		if (went <= 0)
			break;
		written += (size_t)went;
	}
	return written;
}

int64_t http_access_log_flush(struct http_access_log *log, int64_t now_ms, enum http_flush flush)
{
	if (log->fd <= 0 || log->lines.size == 0)
		return -1;
	int64_t due_ms = log->flushed_ms + ACCESS_LOG_MS_DUE - now_ms;
	if (flush == HTTP_FLUSH_WHEN_DUE && due_ms > 0 && log->lines.size < ACCESS_LOG_BYTES_DUE)
		return due_ms;
	size_t written = write_ready(log);
	log->lines.size -= written;
	memmove(log->lines.data, log->lines.data + written, log->lines.size);
	log->flushed_ms = now_ms;
	if (log->lines.size == 0)
		report_dropped(log);
	return log->lines.size > 0 ? ACCESS_LOG_MS_DUE : -1;
}
