/* See fans_bench.h: requests, and what is written down of their answers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "real-implementation/fans_bench.h"

enum {
	ATTEMPT_MS_MAX = 15000,
	BACKOFF_MS_MIN = 100,
	BACKOFF_MS_MAX = 2000,
	SLICE_MS = 100, /* How soon somebody who sleeps sees that it is over. */
	MS_PER_SECOND = 1000,
	NS_PER_MS = 1000000,
	CONFLICT = 409,
	LIMITED = 429,
	BAD_GATEWAY = 502,
	UNAVAILABLE = 503,
	TIMED_OUT = 504,
};

int64_t fans_now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void fan_sleep(struct fan *fan, int64_t ms)
{
	int64_t until_ms = fans_now_ms() + ms;
	for (int64_t now_ms;
		(now_ms = fans_now_ms()) < until_ms && now_ms < atomic_load(&fan->fans->hard_ms);) {
		int64_t left_ms = until_ms - now_ms < SLICE_MS ? until_ms - now_ms : SLICE_MS;
		const struct timespec pause = {.tv_nsec = left_ms * NS_PER_MS};
		(void)nanosleep(&pause, NULL);
	}
}

void fans_time(struct fans *fans, enum fans_step step, int64_t duration_ns)
{
	pthread_mutex_lock(&fans->lock);
	histogram_record(&fans->times[step], duration_ns);
	pthread_mutex_unlock(&fans->lock);
}

static void count_error(struct fan *fan, enum fans_error error)
{
	atomic_fetch_add(&fan->fans->errors[error], 1);
}

/* Whether the answer is one to work with; else why it is none has been counted. */
static bool is_answer(struct fan *fan, enum http_client_outcome came)
{
	if (came != HTTP_CLIENT_OK) {
		bool refused = came == HTTP_CLIENT_UNREACHABLE;
		count_error(fan, refused ? FANS_UNREACHABLE : FANS_BROKEN);
		http_client_close(&fan->client);
		return false;
	}
	fan->json = http_client_reply_json(&fan->reply);
	switch (fan->reply.status) {
	case LIMITED:
		count_error(fan, FANS_LIMITED);
		return false;
	case BAD_GATEWAY:
	case UNAVAILABLE:
	case TIMED_OUT:
		count_error(fan, FANS_BUSY);
		return false;
	case CONFLICT:
		if (strcmp(fan_problem(fan), "idempotency-key-in-use") != 0)
			return true;
		count_error(fan, FANS_BUSY);
		return false;
	default:
		return true;
	}
}

/* Exponential backoff with full jitter, and at least what the server has asked for. */
static int64_t pause_ms(struct fan *fan, int attempt)
{
	int64_t most_ms = BACKOFF_MS_MIN << (attempt < 5 ? attempt : 5);
	const char *after = fan->json ? http_client_reply_header(&fan->reply, "Retry-After") : NULL;
	int64_t asked_ms = after ? atoll(after) * MS_PER_SECOND : 0;
	most_ms = most_ms < BACKOFF_MS_MAX ? most_ms : BACKOFF_MS_MAX;
	asked_ms = asked_ms < BACKOFF_MS_MAX ? asked_ms : BACKOFF_MS_MAX;
	return asked_ms + random_between(&fan->random, BACKOFF_MS_MIN / 2, most_ms);
}

static void write_headers(const struct fan *fan, const char *key, char headers[], size_t size)
{
	int at = 0;
	headers[0] = '\0';
	if (fan->token[0] != '\0')
		at += snprintf(headers, size, "Authorization: Bearer %s\r\n", fan->token);
	if (key)
		at += snprintf(headers + at, size - (size_t)at, "Idempotency-Key: %s\r\n", key);
	if (fan->pass[0] != '\0')
		(void)snprintf(
			headers + at, size - (size_t)at, "Waiting-Room-Pass: %s\r\n", fan->pass);
}

static void forget_answer(struct fan *fan)
{
	json_decref(fan->json);
	fan->json = NULL;
	fan->status = 0;
}

int fan_ask(struct fan *fan, enum fans_step step, const char *method, const char *path,
	const char *key, const char *body)
{
	char headers[2 * FANS_TOKEN_SIZE + 256];
	write_headers(fan, key, headers, sizeof headers);
	fan->client.timeout_ms = ATTEMPT_MS_MAX;
	fan->sent = false;
	for (int attempt = 0; fans_now_ms() < atomic_load(&fan->fans->hard_ms); attempt++) {
		forget_answer(fan);
		int64_t before_ns = clock_monotonic_ns(clock_system());
		enum http_client_outcome came =
			http_client_call(&fan->client, method, path, headers, body, &fan->reply);
		fan->sent = fan->sent || came != HTTP_CLIENT_UNREACHABLE;
		if (is_answer(fan, came)) {
			fans_time(fan->fans, step, clock_monotonic_ns(clock_system()) - before_ns);
			fan->status = fan->reply.status;
			return fan->status;
		}
		fan_sleep(fan, pause_ms(fan, attempt));
	}
	forget_answer(fan);
	return 0;
}

const char *fan_text(const struct fan *fan, const char *name)
{
	const char *text = json_string_value(json_object_get(fan->json, name));
	return text ? text : "";
}

const char *fan_problem(const struct fan *fan)
{
	const char *type = fan_text(fan, "type"), *colon = strrchr(type, ':');
	return colon ? colon + 1 : type;
}

void fan_new_key(struct fan *fan, char key[ID_TEXT_SIZE])
{
	(void)fan;
	id_format(id_new(clock_wall_ms(clock_system())), key);
}

void fan_failed(struct fan *fan, const char *where)
{
	struct fans *fans = fan->fans;
	count_error(fan, FANS_ANSWER);
	pthread_mutex_lock(&fans->lock);
	if (fans->first_failure[0] == '\0')
		(void)snprintf(fans->first_failure, sizeof fans->first_failure, "%s: %d %s %s",
			where, fan->status, fan_problem(fan), fan_text(fan, "detail"));
	pthread_mutex_unlock(&fans->lock);
}

/* ---- The journal ---- */

void fan_note(struct fan *fan, const char *fact, json_t *more)
{
	struct fans *fans = fan->fans;
	char time[TIME_TEXT_SIZE];
	if (!fans->journal) {
		json_decref(more);
		return;
	}
	time_format(clock_wall_ms(clock_system()), time);
	json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "fact", fact, "at", time, "person",
		fan->person, "eventId", fans->event);
	if (more)
		json_object_update(line, more);
	json_decref(more);
	char *text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	pthread_mutex_lock(&fans->lock);
	/* Facts that are not written down would make the journal worth nothing. */
	if (!text || fprintf(fans->journal, "%s\n", text) < 0 || fflush(fans->journal) != 0) {
		fprintf(stderr, "onsale-fans: the journal: %s\n", strerror(errno));
		exit(1);
	}
	pthread_mutex_unlock(&fans->lock);
	free(text);
}
