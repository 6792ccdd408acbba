/* The access log: a line per request whatever the request is, nothing secret in it, and no harm
 * when nobody reads it. */
#include "lib/http/server_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/log.h"

static int log_fd = -1;

static int open_with_file(void **state)
{
	(void)state;
	log_fd = memfd_create("access_log", MFD_CLOEXEC);
	assert_true(log_fd > 0);
	/* Room for names that are longer than a line of the log may be. */
	fixture_open((struct http_server_options){.loop_count = 2,
		.worker_count = 2,
		.connection_pool_size = 4 * HTTP_CONNECTION_POOL_SIZE_MIN,
		.access_log_fd = log_fd});
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fixture_close();
	close(log_fd);
	return 0;
}

/* End the server, which writes out what is left, and return everything that was written. */
static char *log_text(int fd)
{
	fixture_end_server();
	off_t size = lseek(fd, 0, SEEK_END);
	assert_true(size >= 0);
	char *text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(size, pread(fd, text, (size_t)size, 0));
	return text;
}

static json_t *next_line(char **rest)
{
	char *end = strchr(*rest, '\n');
	assert_non_null(end);
	json_error_t error;
	json_t *line = json_loadb(*rest, (size_t)(end - *rest), JSON_REJECT_DUPLICATES, &error);
	if (!line)
		fail_msg("%s: %.*s", error.text, (int)(end - *rest), *rest);
	*rest = end + 1;
	return line;
}

/* How many lines there are; each must be JSON with the members that each request has. */
static size_t count_lines(char *rest)
{
	size_t count = 0;
	for (; *rest; count++) {
		json_t *line = next_line(&rest);
		assert_string_equal(
			"http.request", json_string_value(json_object_get(line, "event")));
		assert_true(json_is_string(json_object_get(line, "time")));
		assert_true(json_is_string(json_object_get(line, "method")));
		assert_true(json_is_integer(json_object_get(line, "status")));
		assert_true(json_is_integer(json_object_get(line, "us")));
		assert_int_equal(32, json_string_length(json_object_get(line, "requestId")));
		json_decref(line);
	}
	return count;
}

static void want_line(char **rest, const char *method, const char *path, int status)
{
	json_t *line = next_line(rest);
	const char *found = json_string_value(json_object_get(line, "path"));
	assert_string_equal(method, json_string_value(json_object_get(line, "method")));
	assert_int_equal(status, json_integer_value(json_object_get(line, "status")));
	if (path)
		assert_string_equal(path, found ? found : "(none)");
	else
		assert_null(found);
	json_decref(line);
}

static void test_a_line_per_request(void **state)
{
	(void)state;
	char id[64];
	ask("GET", "/plain", NULL, NULL, 200);
	snprintf(id, sizeof id, "%s", http_client_reply_header(&fixture.reply, "X-Request-Id"));
	ask("POST", "/work-echo", NULL, "hello", 200);
	ask("HEAD", "/items/a%2Fb", NULL, NULL, 200);
	ask("POST", "/small", NULL, "01234567890123456789", 413);
	ask("GET", "/silent-deferred", NULL, NULL, 500);
	char *text = log_text(log_fd), *rest = text;
	assert_int_equal(5, count_lines(text));
	char *first = text;
	json_t *line = next_line(&first);
	assert_string_equal(id, json_string_value(json_object_get(line, "requestId")));
	assert_int_equal(6, json_integer_value(json_object_get(line, "bytesOut")));
	json_decref(line);
	line = next_line(&first);
	assert_int_equal(5, json_integer_value(json_object_get(line, "bytesIn")));
	json_decref(line);
	want_line(&rest, "GET", "/plain", 200);
	want_line(&rest, "POST", "/work-echo", 200);
	want_line(&rest, "HEAD", "/items/a/b", 200);
	want_line(&rest, "POST", "/small", 413);
	want_line(&rest, "GET", "/silent-deferred", 500);
	free(text);
}

/* A line does not wait until there are many. */
static void test_lines_come_soon(void **state)
{
	(void)state;
	ask("GET", "/plain", NULL, NULL, 200);
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (lseek(log_fd, 0, SEEK_END) == 0 && now_ms() < end_ms)
		pause_ms(5);
	assert_true(lseek(log_fd, 0, SEEK_END) > 0);
}

static void test_secrets_are_not_logged(void **state)
{
	(void)state;
	static const char header[] = "Authorization: Bearer hidden1\r\nCookie: hidden2\r\n"
				     "Content-Type: application/json\r\n";
	ask("GET", "/places/hidden3", header, NULL, 200);
	ask("GET", "/places/hidden4%00", header, NULL, 400);
	ask("GET", "/places/hidden5?a=%00", header, NULL, 400);
	ask("GET", "/query?a=hidden6", header, NULL, 200);
	ask("GET", "/plain/hidden7", header, NULL, 404);
	ask("GET", "/hidden8", header, NULL, 404);
	ask("POST", "/places/hidden9", header, NULL, 405);
	ask("POST", "/json", header, "{\"a\":\"hidden10\"}", 200);
	ask("GET", "http://hidden11@hidden12/plain", header, NULL, 200);
	char *text = log_text(log_fd), *rest = text;
	assert_int_equal(9, count_lines(text));
	assert_null(strstr(text, "hidden"));
	want_line(&rest, "GET", "/places/{placeToken}", 200);
	want_line(&rest, "GET", "/places/{placeToken}", 400);
	want_line(&rest, "GET", "/places/{placeToken}", 400);
	want_line(&rest, "GET", "/query", 200);
	want_line(&rest, "GET", NULL, 404);
	want_line(&rest, "GET", NULL, 404);
	want_line(&rest, "POST", NULL, 405);
	want_line(&rest, "POST", "/json", 200);
	want_line(&rest, "GET", "/plain", 200);
	free(text);
}

static void test_no_line_can_be_forged(void **state)
{
	(void)state;
	static const char *const starts[] = {"G\"T /plain", "G\\T /plain", "G\x01\x7F\xFFT /plain",
		"GET /items/\"},{\"x\":\"", "GET /items/\\", "GET /items/%22%7D%0A%7B",
		"GET /items/%0A%7B%22event%22:1%7D", "GET /items/\xFF\xC0\xAF",
		"GET /items/%E2%80%A8%C2%85", "GET /items/%1B%5B2J", "{\"event\":\"x\"} /plain"};
	enum { COUNT = sizeof starts / sizeof starts[0] };
	for (size_t i = 0; i < COUNT; i++) {
		char text[256];
		snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
			starts[i]);
		send_raw(text);
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_receive(&fixture.client, "GET", &fixture.reply));
		fixture_wait_connections(0);
	}
	char *text = log_text(log_fd);
	assert_int_equal(COUNT, count_lines(text));
	assert_null(strchr(text, '\x1B'));
	assert_null(strchr(text, '\x7F'));
	free(text);
}

/* Lines have a greatest length, whatever is sent. */
static void test_long_names_are_cut(void **state)
{
	(void)state;
	static char word[8000], text[10000];
	memset(word, '\x7F', sizeof word - 1);
	snprintf(text, sizeof text, "%s /plain HTTP/1.1\r\nHost: h\r\n\r\n", word);
	send_raw(text);
	want("GET", 405);
	memset(word, 'x', sizeof word - 1);
	snprintf(text, sizeof text, "GET /items/%s HTTP/1.1\r\nHost: h\r\n\r\n", word);
	send_raw(text);
	want("GET", 200);
	char *lines = log_text(log_fd);
	assert_int_equal(2, count_lines(lines));
	for (char *line = lines, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_true(end - line < 4096);
	}
	free(lines);
}

/* Requests that were broken off have been there, too. */
static void test_broken_requests_are_logged(void **state)
{
	(void)state;
	send_raw("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n" EXPECT_CONTINUE "\r\n");
	want_continue(&fixture.client);
	http_client_send_text(&fixture.client, "hel");
	http_client_abort(&fixture.client);
	fixture_wait_connections(0);
	char *text = log_text(log_fd), *rest = text;
	assert_int_equal(1, count_lines(text));
	want_line(&rest, "POST", "/echo", 499);
	free(text);
}

/* ---- Pipes ---- */

enum { ASKERS = 8, REQUESTS = 500 };

static void *ask_long_paths(void *unused)
{
	(void)unused;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, fixture.port);
	char path[600] = "/items/";
	memset(path + 7, '\"', 400);
	for (size_t i = 0; i < REQUESTS; i++) {
		path[7 + i % 400] = i % 2 ? 'x' : '\0';
		assert_int_equal(
			HTTP_CLIENT_OK, http_client_call(&client, "GET", path, NULL, NULL, &reply));
		path[7 + i % 400] = '\"';
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

static void ask_from_all(void)
{
	pthread_t askers[ASKERS];
	for (size_t i = 0; i < ASKERS; i++)
		assert_int_equal(0, pthread_create(&askers[i], NULL, ask_long_paths, NULL));
	for (size_t i = 0; i < ASKERS; i++)
		pthread_join(askers[i], NULL);
}

struct reader {
	int fd;
	int to_fd;
};

/* Slowly, so that the pipe is full for most of the time and writes come in pieces. */
static void *read_pipe(void *context)
{
	const struct reader *reader = context;
	char bytes[1000];
	ssize_t size;
	while ((size = read(reader->fd, bytes, sizeof bytes)) > 0)
		if (write(reader->to_fd, bytes, (size_t)size) != size)
			break;
	return NULL;
}

/* Several loops write to one pipe. */
static void test_lines_never_mix(void **state)
{
	(void)state;
	int ends[2];
	pthread_t thread;
	assert_int_equal(0, pipe(ends));
	fcntl(ends[1], F_SETPIPE_SZ, 8192);
	log_fd = memfd_create("read", MFD_CLOEXEC);
	struct reader reader = {.fd = ends[0], .to_fd = log_fd};
	assert_int_equal(0, pthread_create(&thread, NULL, read_pipe, &reader));
	fixture_open((struct http_server_options){.loop_count = 4, .access_log_fd = ends[1]});
	ask_from_all();
	fixture_end_server();
	close(ends[1]);
	pthread_join(thread, NULL);
	close(ends[0]);
	char *text = log_text(log_fd);
	assert_true(count_lines(text) > REQUESTS);
	free(text);
}

/* How many lines the server says that it has dropped. */
static size_t dropped(int fd)
{
	char *text = log_text(fd), *rest = text;
	size_t total = 0;
	while (*rest) {
		json_t *line = next_line(&rest);
		const char *event = json_string_value(json_object_get(line, "event"));
		if (strcmp(event, "http.access_log_dropped") == 0)
			total += (size_t)json_integer_value(json_object_get(line, "lines"));
		json_decref(line);
	}
	free(text);
	return total;
}

static void test_a_pipe_that_nobody_reads(void **state)
{
	(void)state;
	int ends[2], own_fd = memfd_create("log", MFD_CLOEXEC);
	static char bytes[1 << 16];
	assert_int_equal(0, pipe(ends));
	fcntl(ends[1], F_SETPIPE_SZ, 4096);
	log_configure(LOG_JSON, LOG_INFO);
	log_redirect(own_fd);
	log_fd = memfd_create("read", MFD_CLOEXEC);
	fixture_open((struct http_server_options){.loop_count = 2, .access_log_fd = ends[1]});
	/* Nobody waits for the pipe: a call that did would never be answered. */
	ask_from_all();
	want_alive();
	fixture_end_server();
	ssize_t size = read(ends[0], bytes, sizeof bytes);
	assert_true(size > 0);
	assert_int_equal(size, write(log_fd, bytes, (size_t)size));
	char *text = log_text(log_fd);
	size_t read_count = count_lines(text);
	assert_int_equal(ASKERS * REQUESTS + 1, read_count + dropped(own_fd));
	free(text);
	log_redirect(STDERR_FILENO);
	close(own_fd);
	close(ends[0]);
	close(ends[1]);
}

/* A reader that has died must not take the server along by SIGPIPE. */
static void test_a_pipe_whose_reader_has_gone(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(0, pipe(ends));
	close(ends[0]);
	log_redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
	log_fd = ends[1];
	fixture_open((struct http_server_options){.loop_count = 1, .access_log_fd = log_fd});
	for (size_t i = 0; i < 5; i++) {
		ask("GET", "/plain", NULL, NULL, 200);
		pause_ms(100);
	}
	fixture_end_server();
	log_redirect(STDERR_FILENO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_line_per_request, open_with_file, close_all),
		cmocka_unit_test_setup_teardown(test_lines_come_soon, open_with_file, close_all),
		cmocka_unit_test_setup_teardown(
			test_secrets_are_not_logged, open_with_file, close_all),
		cmocka_unit_test_setup_teardown(
			test_no_line_can_be_forged, open_with_file, close_all),
		cmocka_unit_test_setup_teardown(test_long_names_are_cut, open_with_file, close_all),
		cmocka_unit_test_setup_teardown(
			test_broken_requests_are_logged, open_with_file, close_all),
		cmocka_unit_test_teardown(test_lines_never_mix, close_all),
		cmocka_unit_test_teardown(test_a_pipe_that_nobody_reads, close_all),
		cmocka_unit_test_teardown(test_a_pipe_whose_reader_has_gone, close_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
