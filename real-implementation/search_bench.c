/* How long a search takes among 100,000 events, over HTTP with everything on, for queries of each
 * kind: names that exist, words that nearly every event has, beginnings, typing errors, and what
 * finds nothing. The must is 50 ms at the 99th percentile, of each kind.
 *
 * The events are generated: names of their own, descriptions whose words are as unevenly frequent
 * as those of a language. Server and clients are threads of this process, PostgreSQL is private. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "lib/base/program.h"
#include "lib/http/server.h"
#include "lib/testkit/histogram.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/random.h"
#include "real-implementation/browse.h"
#include "real-implementation/migrate.h"
#include "real-implementation/search_bench.sql.h"

enum {
	CLIENTS_MAX = 4,
	BATCH = 1000,
	WORD_SIZE = 24,
	WORDS = 20000, /* Of descriptions. */
	ARTISTS = 30000,
	CITIES = 200,
	VENUES = 2000,
	TEXT_SIZE = 1024,
	QUERY_SIZE = 256,
	CALL_MS_MAX = 600000,
	SETS = 2, /* One client, and CLIENTS_MAX. */
};

/* Frequent words of names of events, the most frequent first. */
static const char *const common[] = {"the", "live", "tour", "night", "concert", "festival",
	"symphony", "orchestra", "jazz", "opera", "rock", "quartet", "acoustic", "winter", "summer",
	"anniversary"};
enum { COMMON = sizeof common / sizeof common[0] };

enum kind {
	KIND_ARTIST,
	KIND_BEGINNING,
	KIND_LETTER,
	KIND_COMMON,
	KIND_TWO_COMMON,
	KIND_COMMON_FAR,
	KIND_CITY,
	KIND_TYPO,
	KIND_TWO_TYPOS,
	KIND_LONG,
	KIND_NOTHING,
	KIND_LIST,
	KIND_COUNT,
};

static const char *const titles[KIND_COUNT] = {
	[KIND_ARTIST] = "a performer's two names",
	[KIND_BEGINNING] = "the first three letters of a name",
	[KIND_LETTER] = "one letter",
	[KIND_COMMON] = "a word that many events have",
	[KIND_TWO_COMMON] = "two of them",
	[KIND_COMMON_FAR] = "one of them, in a week two years ahead",
	[KIND_CITY] = "one of them, in one city",
	[KIND_TYPO] = "a name with a typing error",
	[KIND_TWO_TYPOS] = "both names with a typing error",
	[KIND_LONG] = "ten words of a description, one mistyped",
	[KIND_NOTHING] = "what nothing is like",
	[KIND_LIST] = "no search: the next 50 events",
};

struct client {
	pthread_t thread;
	struct random random;
	int64_t end_ns;
	struct histogram times[KIND_COUNT];
	uint64_t found[KIND_COUNT]; /* Answers that had items. */
};

static struct {
	struct postgres_fixture postgres;
	struct postgres *workers[CLIENTS_MAX];
	struct browse browse;
	struct http_server *server;
	char words[WORDS][WORD_SIZE], artists[ARTISTS][2][WORD_SIZE], cities[CITIES][WORD_SIZE];
	struct client clients[CLIENTS_MAX];
	struct series p50_ms[SETS][KIND_COUNT], p99_ms[SETS][KIND_COUNT], worst_ms;
	double found_percent[KIND_COUNT], load_seconds;
} bench;

static int64_t event_count, seconds, rounds;
static const char *result_path;

static int read_settings(int argc, char **argv);
static void open_all(void);
static void close_all(void);
static void make_names(struct random *random);
static void load_events(struct postgres *pg, struct random *random);
static void measure(size_t set, size_t client_count, uint64_t round);
static enum status tell(void);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	open_all();
	for (int64_t round = 0; round < rounds; round++) {
		fprintf(stderr, "round %lld\n", (long long)round + 1);
		/* Every other round goes backwards, so that none always comes after the same. */
		for (size_t turn = 0; turn < SETS; turn++) {
			size_t set = round % 2 == 0 ? turn : SETS - 1 - turn;
			measure(set, set == 0 ? 1 : CLIENTS_MAX, (uint64_t)round);
		}
	}
	close_all();
	return tell() == STATUS_OK ? 0 : 1;
}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "events",
			.kind = CONFIG_INTEGER,
			.value = &event_count,
			.fallback = "100000",
			.min = BATCH,
			.max = 1000000,
			.help = "how many events there are; whole thousands"},
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &seconds,
			.fallback = "20",
			.min = 1,
			.max = 600,
			.help = "how long each load lasts"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &rounds,
			.fallback = "5",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
	};
	static const struct config_program program = {.name = "search_bench",
		.summary = "How long searches of each kind take among many events.",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- The events ---- */

static struct postgres *connect_to(const char *name)
{
	struct postgres *pg = postgres_open(&(struct postgres_options){.url = bench.postgres.url,
		.application_name = name,
		.clock = clock_system(),
		.call_ms_max = CALL_MS_MAX});
	if (!pg)
		bench_fail("memory is short");
	return pg;
}

static void open_all(void)
{
	struct migrate_report report;
	struct fault fault = {0};
	struct random random;
	random_init(&random, 20260700);
	if (postgres_fixture_start(&bench.postgres, "search-bench") != STATUS_OK)
		bench_fail("PostgreSQL does not start");
	if (migrate(bench.postgres.url, CALL_MS_MAX, &report, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		bench.workers[i] = connect_to("search-bench worker");
	make_names(&random);
	load_events(bench.workers[0], &random);
	bench.browse.readers = bench.workers;
	struct http_server_options options = {.routes = browse_route_table,
		.route_count = browse_route_count,
		.context = &bench.browse,
		.loop_count = 1,
		.worker_count = CLIENTS_MAX};
	if (http_server_open(&options, &bench.server, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
}

static void close_all(void)
{
	http_server_close(bench.server);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		postgres_close(bench.workers[i]);
	postgres_fixture_stop(&bench.postgres);
}

/* Something that can be pronounced, of `syllables`. */
static void make_word(struct random *random, char word[WORD_SIZE], size_t syllables)
{
	static const char *const begin[] = {"b", "br", "c", "d", "f", "g", "h", "k", "l", "m", "n",
		"p", "r", "s", "st", "t", "tr", "v", "w", "z"};
	static const char *const middle[] = {"a", "e", "i", "o", "u", "ai", "ea", "ou"};
	static const char *const end[] = {"", "", "n", "r", "l", "s", "nd", "th"};
	size_t size = 0;
	for (size_t i = 0; i < syllables; i++)
		size += (size_t)snprintf(word + size, WORD_SIZE - size, "%s%s%s",
			begin[random_below(random, sizeof begin / sizeof begin[0])],
			middle[random_below(random, sizeof middle / sizeof middle[0])],
			end[random_below(random, sizeof end / sizeof end[0])]);
}

static void make_names(struct random *random)
{
	for (size_t i = 0; i < WORDS; i++)
		make_word(random, bench.words[i], 1 + random_below(random, 3));
	for (size_t i = 0; i < ARTISTS; i++) {
		make_word(random, bench.artists[i][0], 1 + random_below(random, 2));
		make_word(random, bench.artists[i][1], 2 + random_below(random, 2));
	}
	for (size_t i = 0; i < CITIES; i++)
		make_word(random, bench.cities[i], 2);
}

/* An index below `count`, the first ones far more often. */
static size_t uneven(struct random *random, size_t count)
{
	double real = random_real(random);
	return (size_t)((double)count * real * real * real);
}

static const char *a_common_word(struct random *random)
{
	return common[uneven(random, COMMON)];
}

struct batch {
	char names[BATCH][TEXT_SIZE], performers[BATCH][TEXT_SIZE], descriptions[BATCH][TEXT_SIZE];
	struct slice columns[3][BATCH];
	int64_t venues[BATCH], minutes[BATCH];
};

static void make_event(struct random *random, struct batch *batch, size_t i)
{
	size_t artist = random_below(random, ARTISTS), size = 0;
	size_t word_count = 15 + random_below(random, 45);
	snprintf(batch->names[i], TEXT_SIZE, "%s %s: %s %s %s", bench.artists[artist][0],
		bench.artists[artist][1], a_common_word(random), a_common_word(random),
		bench.words[random_below(random, WORDS)]);
	snprintf(batch->performers[i], TEXT_SIZE, "%s %s", bench.artists[artist][0],
		bench.artists[artist][1]);
	batch->descriptions[i][0] = '\0';
	for (size_t word = 0; word < word_count; word++)
		size += (size_t)snprintf(batch->descriptions[i] + size, TEXT_SIZE - size, "%s ",
			bench.words[uneven(random, WORDS)]);
	batch->columns[0][i] = slice_of(batch->names[i]);
	batch->columns[1][i] = slice_of(batch->performers[i]);
	batch->columns[2][i] = slice_of(batch->descriptions[i]);
	batch->venues[i] = (int64_t)random_below(random, VENUES);
	/* Within three years, a tenth of them in the past. */
	batch->minutes[i] = random_between(random, -157680, 1419120);
}

static void load_events(struct postgres *pg, struct random *random)
{
	static const struct postgres_statement add = {.name = "bench_add", .sql = bench_add},
					       add_venues = {
						       .name = "bench_venues", .sql = bench_venues};
	static struct batch batch;
	struct slice cities[CITIES];
	int64_t begin_ns = clock_monotonic_ns(clock_system());
	for (size_t i = 0; i < CITIES; i++)
		cities[i] = slice_of(bench.cities[i]);
	if (postgres_execute(pg, &add_venues,
		    POSTGRES_PARAMETERS(
			    postgres_text_array(cities, CITIES), postgres_bigint(VENUES)),
		    NULL) != STATUS_OK)
		bench_fail("%s", postgres_error(pg)->message);
	for (int64_t done = 0; done < event_count; done += BATCH) {
		for (size_t i = 0; i < BATCH; i++)
			make_event(random, &batch, i);
		if (postgres_execute(pg, &add,
			    POSTGRES_PARAMETERS(postgres_text_array(batch.columns[0], BATCH),
				    postgres_text_array(batch.columns[1], BATCH),
				    postgres_text_array(batch.columns[2], BATCH),
				    postgres_bigint_array(batch.venues, BATCH),
				    postgres_bigint_array(batch.minutes, BATCH)),
			    NULL) != STATUS_OK)
			bench_fail("%s", postgres_error(pg)->message);
	}
	bench.load_seconds = (double)(clock_monotonic_ns(clock_system()) - begin_ns) / 1e9;
	/* As a server's autovacuum does within a minute. VACUUM allows no transaction. */
	static const struct postgres_statement vacuum = {.name = "vacuum", .sql = "VACUUM ANALYZE"};
	if (postgres_execute(pg, &vacuum, POSTGRES_NO_PARAMETERS, NULL) != STATUS_OK)
		bench_fail("%s", postgres_error(pg)->message);
	fprintf(stderr, "%lld events loaded in %.0f s\n", (long long)event_count,
		bench.load_seconds);
}

/* ---- The queries ---- */

/* One letter is left out, doubled, exchanged with the next, or another one. */
static void mistype(struct random *random, const char *word, char typed[WORD_SIZE + 1])
{
	size_t size = strlen(word), at = random_below(random, size - 1);
	memcpy(typed, word, size + 1);
	switch (random_below(random, 4)) {
	case 0:
		memmove(typed + at, typed + at + 1, size - at);
		break;
	case 1:
		memmove(typed + at + 1, typed + at, size - at + 1);
		break;
	case 2:
		typed[at] = word[at + 1];
		typed[at + 1] = word[at];
		break;
	default:
		typed[at + 1] = (char)('a' + random_below(random, 26));
	}
}

static void write_long(struct random *random, char *path)
{
	char typed[WORD_SIZE + 1];
	size_t size = (size_t)snprintf(path, QUERY_SIZE, "/events?q=");
	for (int i = 0; i < 9; i++)
		size += (size_t)snprintf(path + size, QUERY_SIZE - size, "%.12s+",
			bench.words[uneven(random, WORDS / 50)]);
	mistype(random, bench.artists[random_below(random, ARTISTS)][1], typed);
	snprintf(path + size, QUERY_SIZE - size, "%s", typed);
}

static void write_query(struct random *random, enum kind kind, char *path)
{
	const char(*artist)[WORD_SIZE] = bench.artists[random_below(random, ARTISTS)];
	char typed[2][WORD_SIZE + 1];
	mistype(random, artist[0], typed[0]);
	mistype(random, artist[1], typed[1]);
	const char *word = a_common_word(random), *other = a_common_word(random);
	switch (kind) {
	case KIND_ARTIST:
		snprintf(path, QUERY_SIZE, "/events?q=%s+%s", artist[0], artist[1]);
		break;
	case KIND_BEGINNING:
		snprintf(path, QUERY_SIZE, "/events?q=%.3s", artist[1]);
		break;
	case KIND_LETTER:
		snprintf(path, QUERY_SIZE, "/events?q=%.1s", artist[1]);
		break;
	case KIND_COMMON:
		snprintf(path, QUERY_SIZE, "/events?q=%s", word);
		break;
	case KIND_TWO_COMMON:
		snprintf(path, QUERY_SIZE, "/events?q=%s+%s", word, other);
		break;
	case KIND_COMMON_FAR:
		snprintf(path, QUERY_SIZE, "/events?q=%s&from=2028-11-01&to=2028-11-08", word);
		break;
	case KIND_CITY:
		snprintf(path, QUERY_SIZE, "/events?q=%s&city=%s", word,
			bench.cities[random_below(random, CITIES)]);
		break;
	case KIND_TYPO:
		snprintf(path, QUERY_SIZE, "/events?q=%s", typed[1]);
		break;
	case KIND_TWO_TYPOS:
		snprintf(path, QUERY_SIZE, "/events?q=%s+%s", typed[0], typed[1]);
		break;
	case KIND_LONG:
		write_long(random, path);
		break;
	case KIND_NOTHING:
		snprintf(path, QUERY_SIZE, "/events?q=x%llxqj", (long long)random_next(random));
		break;
	default:
		snprintf(path, QUERY_SIZE, "/events");
	}
}

static void *run_client(void *argument)
{
	struct client *client = argument;
	struct http_client http;
	struct http_client_reply reply = {0};
	char path[QUERY_SIZE];
	http_client_init(&http, http_server_port(bench.server));
	while (clock_monotonic_ns(clock_system()) < client->end_ns) {
		enum kind kind = (enum kind)random_below(&client->random, KIND_COUNT);
		write_query(&client->random, kind, path);
		int64_t begin_ns = clock_monotonic_ns(clock_system());
		enum http_client_outcome outcome =
			http_client_call(&http, "GET", path, NULL, NULL, &reply);
		histogram_record(
			&client->times[kind], clock_monotonic_ns(clock_system()) - begin_ns);
		if (outcome != HTTP_CLIENT_OK || reply.status != 200)
			bench_fail("%s: %s %d %s", path, http_client_outcome_name(outcome),
				reply.status, reply.body ? reply.body : "");
		client->found[kind] += !strstr(reply.body, "\"items\":[]");
	}
	http_client_reply_release(&reply);
	http_client_release(&http);
	return NULL;
}

static void measure(size_t set, size_t client_count, uint64_t round)
{
	static struct histogram all;
	int64_t end_ns = clock_monotonic_ns(clock_system()) + seconds * 1000000000;
	double worst_ms = 0;
	for (size_t i = 0; i < client_count; i++) {
		struct client *client = &bench.clients[i];
		memset(client, 0, sizeof *client);
		random_init_stream(&client->random, 20260701, round * CLIENTS_MAX + i);
		for (size_t kind = 0; kind < KIND_COUNT; kind++)
			histogram_init(&client->times[kind]);
		client->end_ns = end_ns;
		if (pthread_create(&client->thread, NULL, run_client, client) != 0)
			bench_fail("no thread");
	}
	for (size_t i = 0; i < client_count; i++)
		pthread_join(bench.clients[i].thread, NULL);
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		uint64_t found = 0;
		histogram_init(&all);
		for (size_t i = 0; i < client_count; i++) {
			histogram_merge(&all, &bench.clients[i].times[kind]);
			found += bench.clients[i].found[kind];
		}
		double p99_ms = (double)histogram_percentile_ns(&all, 99) / 1e6;
		series_add(
			&bench.p50_ms[set][kind], (double)histogram_percentile_ns(&all, 50) / 1e6);
		series_add(&bench.p99_ms[set][kind], p99_ms);
		bench.found_percent[kind] = 100.0 * (double)found /
			(double)(histogram_count(&all) + !histogram_count(&all));
		worst_ms = p99_ms > worst_ms ? p99_ms : worst_ms;
	}
	if (set == 0)
		series_add(&bench.worst_ms, worst_ms);
}

static enum status tell(void)
{
	struct report *report = report_new("search", "Search", (size_t)rounds);
	report_column(report, "what", "Query", 0);
	report_column(report, "p50", "p50 ms", 1);
	report_column(report, "p99", "p99 ms", 1);
	report_column(report, "p50_4", "p50 ms, 4 clients", 1);
	report_column(report, "p99_4", "p99 ms, 4 clients", 1);
	report_column(report, "found", "found something, %", 0);
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		json_t *row = report_row(report, "what", titles[kind]);
		report_cell(row, "p50", &bench.p50_ms[0][kind], BETTER_LESS);
		report_cell(row, "p99", &bench.p99_ms[0][kind], BETTER_LESS);
		report_cell(row, "p50_4", &bench.p50_ms[1][kind], BETTER_LESS);
		report_cell(row, "p99_4", &bench.p99_ms[1][kind], BETTER_LESS);
		report_number(row, "found", bench.found_percent[kind]);
	}
	report_ratio(report,
		&(struct report_ratio){.id = "search",
			.what = "ms, p99 of the slowest kind of query, one client",
			.must = 50,
			.better = BETTER_LESS},
		&bench.worst_ms);
	report_limit(report,
		"%lld generated events, %d words of descriptions, %d performers, %d cities; "
		"clients, server and PostgreSQL share the machine's cores",
		(long long)event_count, WORDS, ARTISTS, CITIES);
	report_note(report, "the events were loaded in %.0f s", bench.load_seconds);
	return report_finish(report, result_path);
}
