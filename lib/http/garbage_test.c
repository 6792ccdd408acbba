/* Random bytes and requests that were damaged at random: whatever comes, the server answers the
 * next client. The seed is printed; ONSALE_SEED repeats a run. */
#include "lib/http/server_fixture.h"

#include <pthread.h>
#include <sys/socket.h>

#include "lib/testkit/random.h"

/* On a slow machine it goes on until enough of it was handled: when the pieces of a request come
 * too slowly, it is cut off instead. */
enum {
	THREADS = 8,
	SIZE_MAX_GARBAGE = 20000,
	CONNECTIONS = 200,
	HANDLED_MIN = 160,
	RUN_MS_MAX = 60000
};

static const char *const whole[] = {
	"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /items/a%2Fb?x=1 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
	("POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
	 "22\r\n\r\n"
	 "{\"a\":[1,2,{\"b\":\"\\u00e9\"}]}"),
	("POST /work-echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	 "5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"),
	"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
	"GET /deferred HTTP/1.1\r\nHost: h\r\n\r\nGET /work HTTP/1.1\r\nHost: h\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\nHEAD /large HTTP/1.0\r\nHost: h\r\n\r\n",
	"PUT /items/1 HTTP/1.1\r\nHost: h\r\nCookie: a=b; c=\"d\"\r\nContent-Length: 3\r\n\r\nabc",
};

struct garbage {
	char bytes[SIZE_MAX_GARBAGE];
	size_t size;
};

static void add_random_bytes(struct garbage *garbage, struct random *random)
{
	size_t count = random_below(random, random_chance(random, 1, 10) ? 9000 : 100);
	while (count-- > 0 && garbage->size < sizeof garbage->bytes)
		garbage->bytes[garbage->size++] = (char)random_below(random, 256);
}

static void add_request(struct garbage *garbage, struct random *random)
{
	const char *text = whole[random_below(random, sizeof whole / sizeof whole[0])];
	size_t size = strlen(text);
	if (garbage->size + size > sizeof garbage->bytes)
		return;
	memcpy(garbage->bytes + garbage->size, text, size);
	garbage->size += size;
}

/* Change, leave out, or double a piece. */
static void damage(struct garbage *garbage, struct random *random)
{
	static const char marks[] = "\r\n\0 :%?{}\"\\;,/\t\x80\xFF"
				    "0123456789";
	if (garbage->size == 0)
		return;
	size_t at = random_below(random, garbage->size);
	size_t size = 1 + random_below(random, 8);
	if (size > garbage->size - at)
		size = garbage->size - at;
	switch (random_below(random, 4)) {
	case 0:
		garbage->bytes[at] = (char)random_below(random, 256);
		break;
	case 1:
		garbage->bytes[at] = marks[random_below(random, sizeof marks - 1)];
		break;
	case 2:
		memmove(garbage->bytes + at, garbage->bytes + at + size, garbage->size - at - size);
		garbage->size -= size;
		break;
	default:
		if (garbage->size + size > sizeof garbage->bytes)
			return;
		memmove(garbage->bytes + at + size, garbage->bytes + at, garbage->size - at);
		garbage->size += size;
	}
}

static void make(struct garbage *garbage, struct random *random)
{
	garbage->size = 0;
	if (random_chance(random, 1, 4))
		add_random_bytes(garbage, random);
	for (size_t i = random_below(random, 4); i > 0; i--)
		add_request(garbage, random);
	if (random_chance(random, 1, 8))
		add_random_bytes(garbage, random);
	for (size_t i = random_below(random, 6); i > 0; i--)
		damage(garbage, random);
}

struct sender {
	pthread_t thread;
	size_t number;
	size_t connections;
};

/* Sent whole or in two pieces; then read, left, reset or half closed. */
static void send_one(struct garbage *garbage, struct random *random)
{
	struct http_client client;
	char received[4096];
	size_t first = random_below(random, garbage->size + 1);
	http_client_init(&client, fixture.port);
	if (http_client_connect(&client) != HTTP_CLIENT_OK)
		return;
	http_client_send(&client, garbage->bytes, first);
	if (random_chance(random, 1, 4))
		pause_ms(1);
	http_client_send(&client, garbage->bytes + first, garbage->size - first);
	if (random_chance(random, 1, 2))
		http_client_finish_sending(&client);
	if (random_chance(random, 1, 2)) {
		pause_ms(1);
		ssize_t ignored = recv(client.fd, received, sizeof received, 0);
		(void)ignored;
	}
	if (random_chance(random, 1, 3))
		http_client_abort(&client);
	http_client_release(&client);
}

static void *send_garbage(void *context)
{
	struct sender *sender = context;
	struct garbage *garbage = calloc(1, sizeof *garbage);
	struct random random;
	assert_non_null(garbage);
	random_init_stream(&random, random_seed(), sender->number);
	int64_t end_ms = now_ms() + RUN_MS_MAX;
	while (sender->connections < CONNECTIONS ||
		(atomic_load(&fixture.handled) < HANDLED_MIN && now_ms() < end_ms)) {
		make(garbage, &random);
		send_one(garbage, &random);
		sender->connections++;
	}
	free(garbage);
	return NULL;
}

/* Whatever came before, each kind of request is answered; on a busy machine perhaps only the second
 * time, since the limits of this server are short. */
static void want_served(void)
{
	static const struct {
		const char *method, *path, *body;
	} kinds[] = {{"GET", "/plain", NULL}, {"GET", "/work", NULL}, {"GET", "/deferred", NULL},
		{"POST", "/json", "{\"a\":1}"}};
	int64_t end_ms = now_ms() + PATIENCE_MS;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		enum http_client_outcome outcome;
		do
			outcome = http_client_call(&fixture.client, kinds[i].method, kinds[i].path,
				NULL, kinds[i].body, &fixture.reply);
		while ((outcome != HTTP_CLIENT_OK || fixture.reply.status == 408) &&
			now_ms() < end_ms);
		assert_int_equal(HTTP_CLIENT_OK, outcome);
		assert_int_equal(200, fixture.reply.status);
	}
}

static void test_garbage(void **state)
{
	(void)state;
	static struct sender senders[THREADS];
	random_seed();
	fixture_open((struct http_server_options){
		.loop_count = 2,
		.worker_count = 4,
		.head_ms_max = 500,
		.body_ms_max = 500,
		.idle_ms_max = 500,
	});
	for (size_t i = 0; i < THREADS; i++) {
		senders[i].number = i;
		assert_int_equal(
			0, pthread_create(&senders[i].thread, NULL, send_garbage, &senders[i]));
	}
	size_t total = 0;
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(senders[i].thread, NULL);
		total += senders[i].connections;
	}
	print_message(
		"%zu connections, %zu requests handled\n", total, atomic_load(&fixture.handled));
	/* Some of it was still good enough to be answered; else this would only test the parser. */
	assert_true(atomic_load(&fixture.handled) >= HANDLED_MIN);
	want_served();
	http_client_close(&fixture.client);
	fixture_wait_connections(0);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_garbage)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
