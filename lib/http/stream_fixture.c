#include "lib/http/stream_fixture.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct reader *reader_open(struct http_server *server, const char *path, const char *headers)
{
	struct reader *reader = calloc(1, sizeof *reader);
	struct http_client client;
	char request[512];
	assert_non_null(reader);
	http_client_init(&client, http_server_port(server));
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&client));
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, headers);
	assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&client, request));
	reader->fd = client.fd;
	client.fd = -1;
	http_client_release(&client);
	return reader;
}

void reader_close(struct reader *reader)
{
	close(reader->fd);
	free(reader);
}

static void reader_take_head(struct reader *reader, char byte)
{
	reader->text[reader->size++] = byte;
	reader->head_end =
		byte == "\r\n\r\n"[reader->head_end] ? reader->head_end + 1 : byte == '\r';
}

/* A byte between two chunks: of the line end behind one, or of the size of the next. */
static void reader_take_line(struct reader *reader, char byte)
{
	assert_true(reader->line_size < sizeof reader->line - 1);
	if (byte != '\n') {
		reader->line[reader->line_size++] = byte;
		return;
	}
	reader->line[reader->line_size] = '\0';
	bool empty = reader->line_size <= 1;
	reader->line_size = 0;
	if (empty)
		return;
	reader->chunk_left = strtoul(reader->line, NULL, 16);
	reader->ended = reader->chunk_left == 0;
}

static void reader_take_byte(struct reader *reader, char byte)
{
	if (reader->head_end < 4) {
		reader_take_head(reader, byte);
	} else if (reader->chunk_left > 0) {
		reader->text[reader->size++] = byte;
		reader->chunk_left--;
	} else {
		reader_take_line(reader, byte);
	}
}

bool reader_take(struct reader *reader, int ms)
{
	char bytes[16384];
	struct pollfd ready = {.fd = reader->fd, .events = POLLIN};
	if (poll(&ready, 1, ms) != 1)
		return false;
	size_t room = sizeof reader->text - 1 - reader->size;
	ssize_t size = recv(reader->fd, bytes, room < sizeof bytes ? room : sizeof bytes, 0);
	for (ssize_t i = 0; i < size; i++)
		reader_take_byte(reader, bytes[i]);
	reader->text[reader->size] = '\0';
	return size > 0;
}

void reader_want(struct reader *reader, const char *text)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (!strstr(reader->text, text) && now_ms() < deadline_ms)
		if (!reader_take(reader, (int)(deadline_ms - now_ms())))
			break;
	if (!strstr(reader->text, text))
		fail_msg("'%s' did not come, but: %s", text, reader->text);
}

void reader_want_not(const struct reader *reader, const char *text)
{
	if (strstr(reader->text, text))
		fail_msg("'%s' should not have come: %s", text, reader->text);
}

void reader_want_end(struct reader *reader)
{
	while (!reader->ended && reader_take(reader, PATIENCE_MS))
		;
	assert_true(reader->ended);
}

size_t reader_count(const struct reader *reader, const char *text)
{
	size_t count = 0;
	for (const char *at = strstr(reader->text, text); at; at = strstr(at + 1, text))
		count++;
	return count;
}

void want_status(struct http_server *server, const char *path, int status)
{
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, http_server_port(server));
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, "GET", path, NULL, NULL, &reply));
	assert_int_equal(status, reply.status);
	http_client_reply_release(&reply);
	http_client_release(&client);
}

void want_streams(const struct http_channel *channel, size_t count)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (http_channel_stream_count(channel) != count && now_ms() < deadline_ms)
		pause_ms(2);
	assert_int_equal(count, http_channel_stream_count(channel));
}
