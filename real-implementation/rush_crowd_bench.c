/* See rush_bench.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "lib/base/clock.h"
#include "lib/testkit/random.h"
#include "lib/ticketing/keyring.h"
#include "real-implementation/rush_bench.h"
#include "real-implementation/session_token.h"

enum {
	SECTIONS = 10,
	ROW_SEATS = 100,
	KEPT_SIZE = 256,
	SESSION_MS = 24 * 3600 * 1000,
};

static FILE *create(const char *path)
{
	FILE *file = fopen(path, "we");
	if (!file)
		bench_fail("%s cannot be written", path);
	return file;
}

static void finish(FILE *file, const char *path)
{
	if (fclose(file) != 0)
		bench_fail("%s cannot be written", path);
}

/* ---- The hall ---- */

static void write_row(FILE *file, long long first, int64_t row)
{
	fprintf(file, "{\"row_number\":\"%lld\",\"position\":{\"x\":0,\"y\":%lld},\"seats\":[",
		(long long)row + 1, (long long)row * 20);
	for (long long i = 0; i < ROW_SEATS; i++)
		fprintf(file,
			"%s{\"seat_guid\":\"s-%lld\",\"seat_number\":\"%lld\",\"category\":\"A\","
			"\"position\":{\"x\":%lld,\"y\":0}}",
			i > 0 ? "," : "", first + i, i + 1, i * 20);
	fprintf(file, "]}");
}

static int64_t hall_seats;

void rush_import_hall(const struct product *product, int64_t seats)
{
	char path[RUSH_TEXT_SIZE];
	int64_t rows = seats / SECTIONS / ROW_SEATS, seat = 1;
	(void)snprintf(path, sizeof path, "%s/hall.json", product->folder);
	FILE *file = create(path);
	fprintf(file,
		"{\"name\":\"Rush "
		"Hall\",\"city\":\"Dublin\",\"size\":{\"width\":20000,\"height\":2000},"
		"\"categories\":[{\"name\":\"A\",\"color\":\"#336699\"}],\"zones\":[");
	for (int64_t zone = 0; zone < SECTIONS; zone++) {
		fprintf(file,
			"%s{\"name\":\"Section %lld\",\"position\":{\"x\":%lld,\"y\":0},\"rows\":[",
			zone > 0 ? "," : "", (long long)zone + 1, (long long)zone * 2000);
		for (int64_t row = 0; row < rows; row++, seat += ROW_SEATS) {
			fprintf(file, "%s", row > 0 ? "," : "");
			write_row(file, seat, row);
		}
		fprintf(file, "],\"areas\":[]}");
	}
	fprintf(file, "]}\n");
	finish(file, path);
	hall_seats = seat - 1;
	product_import("venue", path);
}

void rush_import_event(const struct product *product, const char *name, struct rush_event *event)
{
	char path[RUSH_TEXT_SIZE];
	(void)snprintf(path, sizeof path, "%s/event.json", product->folder);
	scratch_write(product->folder, "event.json",
		"{\"venue\":\"Rush Hall\",\"name\":\"%s\",\"currency\":\"EUR\","
		"\"startsAt\":\"2099-01-01T20:00:00Z\",\"prices\":{\"A\":4500},"
		"\"waitingRoom\":{\"openAtHoldsPerSecond\":0,\"openAtLaneDepth\":0}}",
		name);
	product_import("event", path);
	event->seats = hall_seats;
}

/* ---- People ---- */

static struct {
	char (*tokens)[SESSION_TOKEN_TEXT_SIZE];
	int64_t count;
} people;

void rush_open_people(int64_t count)
{
	struct keyring *keyring;
	struct fault fault = {0};
	int64_t now_ms = clock_wall_ms(clock_system());
	people.tokens = calloc((size_t)count, sizeof *people.tokens);
	people.count = count;
	if (!people.tokens ||
		keyring_new(slice_of(PRODUCT_BENCH_KEY), &keyring, &fault) != STATUS_OK)
		bench_fail("there are no people");
	for (int64_t i = 0; i < count; i++)
		session_token_make(keyring,
			&(struct session_token){.user = session_user_new(),
				.issued_at_ms = now_ms,
				.expires_at_ms = now_ms + SESSION_MS},
			people.tokens[i]);
	keyring_free(keyring);
}

void rush_close_people(void)
{
	free(people.tokens);
}

static const char *token_of(int64_t number)
{
	return people.tokens[number % people.count];
}

/* ---- Requests ---- */

void rush_write_joins(const char *path, const char *event)
{
	FILE *file = create(path);
	for (int64_t i = 0; i < people.count; i++)
		fprintf(file, "POST\t/events/%s/waiting-room\t%s\t\t{}\n", event, token_of(i));
	finish(file, path);
}

void rush_write_holds(const char *path, const struct rush_event *event, int64_t count)
{
	struct random random;
	int64_t *seats = calloc((size_t)event->seats, sizeof *seats);
	FILE *file = create(path);
	if (!seats || count > event->seats)
		bench_fail("there are too few seats");
	for (int64_t i = 0; i < event->seats; i++)
		seats[i] = i + 1;
	random_init(&random, random_seed());
	random_shuffle(&random, seats, (uint64_t)event->seats, sizeof *seats);
	for (int64_t i = 0; i < count; i++)
		fprintf(file, "POST\t/events/%s/holds\t%s\thold-%lld\t{\"seats\":[\"s-%lld\"]}\n",
			event->id, token_of(i), (long long)i, (long long)seats[i]);
	free(seats);
	finish(file, path);
}

/* What was kept of `count` answers, each of which must be there, in the order of their requests.
 * The caller frees it. */
static char (*read_kept(const char *path, int64_t count))[KEPT_SIZE]
{
	char line[KEPT_SIZE + 32], (*kept)[KEPT_SIZE] = calloc((size_t)count, sizeof *kept);
	FILE *file = fopen(path, "re");
	if (!file || !kept)
		bench_fail("%s cannot be read", path);
	while (fgets(line, sizeof line, file)) {
		int64_t number = strtoll(line, NULL, 10);
		const char *text = strchr(line, '\t');
		if (!text)
			bench_fail("%s has the line %s", path, line);
		if (number >= count)
			continue;
		(void)snprintf(
			kept[number], KEPT_SIZE, "%.*s", (int)strcspn(text + 1, "\n"), text + 1);
	}
	fclose(file);
	for (int64_t i = 0; i < count; i++)
		if (!kept[i][0])
			bench_fail("%s: nothing was kept of request %lld", path, (long long)i);
	return kept;
}

/* The part of "<event>.<own>" that is its own: a key that was never used. */
static const char *own_id(const char *id)
{
	const char *dot = strchr(id, '.');
	return dot ? dot + 1 : id;
}

void rush_write_orders(const char *path, const char *kept, int64_t count)
{
	char(*holds)[KEPT_SIZE] = read_kept(kept, count);
	FILE *file = create(path);
	for (int64_t i = 0; i < count; i++)
		fprintf(file, "POST\t/orders\t%s\t%s\t{\"holdId\":\"%s\"}\n", token_of(i),
			own_id(holds[i]), holds[i]);
	free(holds);
	finish(file, path);
}

void rush_write_confirmations(const char *path, const char *kept, int64_t count)
{
	char(*orders)[KEPT_SIZE] = read_kept(kept, count);
	FILE *file = create(path);
	for (int64_t i = 0; i < count; i++)
		fprintf(file,
			"POST\t/orders/%s/confirm\t%s\t%s\t{\"paymentMethod\":"
			"\"pm_card_visa\"}\n",
			orders[i], token_of(i), own_id(orders[i]));
	free(orders);
	finish(file, path);
}

void rush_write_reads(const char *path, const char *kept, int64_t count)
{
	char(*places)[KEPT_SIZE] = read_kept(kept, count);
	FILE *file = create(path);
	for (int64_t i = 0; i < count; i++)
		fprintf(file, "GET\t/waiting-room/%s\t%s\t\t\n", places[i], token_of(i));
	free(places);
	finish(file, path);
}
