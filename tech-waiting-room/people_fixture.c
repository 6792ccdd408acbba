/* See servers_fixture.h: people, and the observer. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "tech-waiting-room/servers_fixture.h"

enum {
	BODY_SIZE = 1280,
	PATH_SIZE = 640,
	ROUND_NS = 5000000, /* Between two rounds of a walker. */
	BEATS = 10,         /* Heartbeats per silence that is allowed. */
};

static const int64_t ms_ns = 1000000;

/* One thread's part of the people, and what it asks with. */
struct walker {
	struct people *people;
	size_t index;
	struct http_client clients[SERVERS];
	struct http_client_reply reply;
	struct random random;
};

static int64_t now_ns(void)
{
	return clock_monotonic_ns(clock_system());
}

/* ---- The observer ---- */

__attribute__((format(printf, 2, 3))) static void accuse(
	struct observer *observer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	pthread_mutex_lock(&observer->mutex);
	if (observer->accusations++ == 0)
		vsnprintf(observer->first, sizeof observer->first, format, arguments);
	pthread_mutex_unlock(&observer->mutex);
	va_end(arguments);
}

static int64_t largest_place(struct observer *observer)
{
	pthread_mutex_lock(&observer->mutex);
	int64_t largest = observer->largest;
	pthread_mutex_unlock(&observer->mutex);
	return largest;
}

static void note_place(struct people *people, struct person *person, int64_t place)
{
	struct observer *observer = &people->observer;
	if (place == 0)
		return;
	if (person->place != 0 && place != person->place)
		accuse(observer, "%s had place %lld and now has %lld", person->name,
			(long long)person->place, (long long)place);
	if (person->place == 0 && person->rank == 0 && place <= person->floor)
		accuse(observer, "%s joined after place %lld was acknowledged and got %lld",
			person->name, (long long)person->floor, (long long)place);
	person->place = place;
	pthread_mutex_lock(&observer->mutex);
	if (place > observer->largest)
		observer->largest = place;
	pthread_mutex_unlock(&observer->mutex);
}

/* ---- Asking ---- */

/* The status, or 0 when nobody answered. */
static int ask(struct walker *walker, const char *method, const char *path, const char *body)
{
	size_t server = walker->people->split ? walker->index % SERVERS
					      : (size_t)random_below(&walker->random, SERVERS);
	struct http_client *client = &walker->clients[server];
	enum http_client_outcome outcome =
		http_client_call(client, method, path, NULL, body, &walker->reply);
	return outcome == HTTP_CLIENT_OK ? walker->reply.status : 0;
}

static void move(struct walker *walker, struct person *person, enum walk walk)
{
	atomic_fetch_sub(&walker->people->counts[person->walk], 1);
	person->walk = walk;
	atomic_fetch_add(&walker->people->counts[walk], 1);
}

static void copy_text(const json_t *json, const char *name, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(json, name));
	if (text)
		snprintf(to, size, "%s", text);
}

static void begin_activity(struct walker *walker, struct person *person, int64_t sent_ns)
{
	struct people *people = walker->people;
	int64_t stay_ns = people->stay_ms * ms_ns;
	person->active_ns = now_ns();
	/* The request counted as a heartbeat. */
	person->sure_ns = sent_ns + people->heartbeat_ms * ms_ns;
	person->leaves_at_ns = stay_ns == 0
		? INT64_MAX
		: person->active_ns + random_between(&walker->random, stay_ns / 2, stay_ns * 2);
	move(walker, person, WALK_ACTIVE);
}

/* What an answer with a person's standing says. */
static void take_standing(struct walker *walker, struct person *person, int64_t sent_ns)
{
	struct people *people = walker->people;
	json_t *json = http_client_reply_json(&walker->reply);
	const char *state = json_string_value(json_object_get(json, "state"));
	char ends_at[sizeof person->ends_at] = "";
	if (json_is_false(json_object_get(json, "exact")))
		atomic_store(&people->inexact, true);
	if (json_is_integer(json_object_get(json, "lobbyRank")))
		person->rank = json_integer_value(json_object_get(json, "lobbyRank"));
	note_place(people, person, json_integer_value(json_object_get(json, "place")));
	copy_text(json, "placeToken", person->token, sizeof person->token);
	copy_text(json, "pass", person->pass, sizeof person->pass);
	copy_text(json, "passExpiresAt", ends_at, sizeof ends_at);
	if (!state)
		accuse(&people->observer, "%s was told nothing: %s", person->name,
			walker->reply.body);
	else if (person->walk == WALK_GONE) {
		/* A server that has not heard of it yet says that the person still waits. */
		if (strcmp(state, "admitted") == 0)
			accuse(&people->observer, "%s has left and was let in again", person->name);
	} else if (strcmp(state, "admitted") == 0 && ends_at[0] != '\0') {
		snprintf(person->ends_at, sizeof person->ends_at, "%s", ends_at);
		begin_activity(walker, person, sent_ns);
	} else if (strcmp(state, "expired") == 0 || strcmp(state, "left") == 0)
		move(walker, person, WALK_LOST);
	else
		move(walker, person, WALK_WAITS);
	json_decref(json);
}

static void walk_join(struct walker *walker, struct person *person)
{
	char path[PATH_SIZE], body[BODY_SIZE], token[600] = "";
	if (person->token[0] != '\0')
		snprintf(token, sizeof token, ",\"placeToken\":\"%s\"", person->token);
	snprintf(path, sizeof path, "/events/%s/waiting-room", walker->people->event);
	snprintf(body, sizeof body, "{\"userId\":\"%s\"%s}", person->name, token);
	/* A join without an answer may have counted, so only the first one tells the order. */
	if (!person->asked)
		person->floor = largest_place(&walker->people->observer);
	person->asked = true;
	int64_t sent_ns = now_ns();
	int status = ask(walker, "POST", path, body);
	if (status == 200 || status == 201)
		take_standing(walker, person, sent_ns);
}

static void walk_wait(struct walker *walker, struct person *person)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof path, "/waiting-room/%s", person->token);
	int64_t sent_ns = now_ns();
	int status = ask(walker, "GET", path, NULL);
	if (status == 200)
		take_standing(walker, person, sent_ns);
	else if (status == 404) /* Not known any more: with the token the place comes back. */
		move(walker, person, WALK_JOINS);
}

static void leave(struct walker *walker, struct person *person)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof path, "/waiting-room/%s", person->token);
	if (person->walk == WALK_ACTIVE) {
		int64_t sent_ns = now_ns();
		if (sent_ns < person->sure_ns)
			person->sure_ns = sent_ns;
		move(walker, person, WALK_LEAVES);
	}
	if (ask(walker, "DELETE", path, NULL) == 204)
		move(walker, person, WALK_GONE);
}

/* Whether no more have left than may so far; several who look at once may be one too many each. */
static bool may_leave(struct people *people)
{
	size_t most = atomic_load(&people->leave_max);
	return most == 0 ||
		atomic_load(&people->counts[WALK_GONE]) +
			atomic_load(&people->counts[WALK_LEAVES]) <
		most;
}

static void walk_activity(struct walker *walker, struct person *person)
{
	char path[PATH_SIZE], body[BODY_SIZE];
	int64_t silence_ns = walker->people->heartbeat_ms * ms_ns, sent_ns = now_ns();
	if (sent_ns >= person->leaves_at_ns && may_leave(walker->people)) {
		leave(walker, person);
		return;
	}
	if (sent_ns < person->sure_ns - silence_ns + silence_ns / BEATS)
		return;
	snprintf(path, sizeof path, "/waiting-room/%s/heartbeat", person->token);
	snprintf(body, sizeof body, "{\"pass\":\"%s\"}", person->pass);
	int status = ask(walker, "POST", path, body);
	if (status == 204)
		person->sure_ns = sent_ns + silence_ns;
	else if (status == 404 || status == 410)
		move(walker, person, WALK_LOST); /* Was silent for too long. */
}

static void walk_on(struct walker *walker, struct person *person)
{
	switch (person->walk) {
	case WALK_JOINS:
		walk_join(walker, person);
		break;
	case WALK_WAITS:
		walk_wait(walker, person);
		break;
	case WALK_ACTIVE:
		walk_activity(walker, person);
		break;
	case WALK_LEAVES:
		leave(walker, person);
		break;
	case WALK_GONE: /* Whether somebody who has left is let in again. */
		if (walker->people->asks_after_leaving && random_below(&walker->random, 10) == 0)
			walk_wait(walker, person);
		break;
	case WALK_LOST:
		break;
	}
}

static void *walker_run(void *context)
{
	struct walker *walker = context;
	struct people *people = walker->people;
	for (size_t i = 0; i < SERVERS; i++) {
		http_client_init(&walker->clients[i], people->servers->ports[i]);
		walker->clients[i].timeout_ms = PATIENCE_MS;
	}
	random_init_stream(&walker->random, random_seed(), walker->index);
	while (!atomic_load(&people->stop)) {
		for (size_t i = walker->index; i < people->count; i += WALKERS)
			walk_on(walker, &people->people[i]);
		nanosleep(&(struct timespec){.tv_nsec = ROUND_NS}, NULL);
	}
	for (size_t i = 0; i < SERVERS; i++)
		http_client_release(&walker->clients[i]);
	http_client_reply_release(&walker->reply);
	free(walker);
	return NULL;
}

void people_start(struct people *people)
{
	pthread_mutex_init(&people->observer.mutex, NULL);
	(void)random_seed(); /* Printed before there are threads. */
	atomic_store(&people->counts[WALK_JOINS], people->count);
	for (size_t i = 0; i < people->count; i++)
		snprintf(people->people[i].name, sizeof people->people[i].name, "person-%zu", i);
	for (size_t i = 0; i < WALKERS; i++) {
		struct walker *walker = calloc(1, sizeof *walker);
		if (!walker)
			abort();
		walker->people = people;
		walker->index = i;
		if (pthread_create(&people->walkers[i], NULL, walker_run, walker) != 0)
			abort();
	}
}

bool people_wait(struct people *people, enum walk walk, size_t count)
{
	int64_t deadline_ns = now_ns() + PATIENCE_MS * ms_ns;
	for (;;) {
		size_t there = 0;
		for (size_t i = walk; i <= WALK_LOST; i++)
			there += atomic_load(&people->counts[i]);
		if (there >= count)
			return true;
		if (now_ns() > deadline_ns) {
			fprintf(stderr, "%zu of %zu people have got there\n", there, count);
			return false;
		}
		nanosleep(&(struct timespec){.tv_nsec = ROUND_NS}, NULL);
	}
}

void people_end(struct people *people)
{
	atomic_store(&people->stop, true);
	for (size_t i = 0; i < WALKERS; i++)
		pthread_join(people->walkers[i], NULL);
}

/* ---- The verdict ---- */

/* The most are active at the moment when one of them has just become so. */
size_t people_most_active(const struct people *people)
{
	size_t most = 0;
	for (size_t i = 0; i < people->count; i++) {
		int64_t at_ns = people->people[i].active_ns;
		size_t active = 0;
		for (size_t j = 0; at_ns > 0 && j < people->count; j++)
			active += people->people[j].active_ns > 0 &&
				people->people[j].active_ns <= at_ns &&
				people->people[j].sure_ns > at_ns;
		most = active > most ? active : most;
	}
	return most;
}

void people_judge_places(struct people *people)
{
	bool seen[PEOPLE_MAX + 1] = {false};
	for (size_t i = 0; i < people->count; i++) {
		int64_t place = people->people[i].place;
		if (place < 1 || place > (int64_t)people->count || seen[place])
			accuse(&people->observer, "%s has place %lld of %zu",
				people->people[i].name, (long long)place, people->count);
		else
			seen[place] = true;
	}
}

void people_judge_order(struct people *people)
{
	for (size_t i = 0; i < people->count; i++) {
		for (size_t j = 0; j < people->count; j++) {
			const struct person *one = &people->people[i], *other = &people->people[j];
			if (one->place < other->place && one->ends_at[0] && other->ends_at[0] &&
				strcmp(one->ends_at, other->ends_at) > 0)
				accuse(&people->observer, "place %lld was called after place %lld",
					(long long)one->place, (long long)other->place);
		}
	}
}

size_t people_accusations(struct people *people)
{
	if (people->observer.accusations > 0)
		fprintf(stderr, "%zu accusations; the first: %s\n", people->observer.accusations,
			people->observer.first);
	return people->observer.accusations;
}
