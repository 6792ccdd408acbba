/* verify_shuffle --base URL --event ID [--place-token TOKEN | --rank N --place N]
 *
 * Recomputes the shuffle of a finished lobby from what its server publishes, and says whether the
 * seed is the one that was promised, the list the one whose hash was published, and the place
 * right. It trusts nothing but the commitment that was noted down before the start (--commitment;
 * without it, what the server says now). Exit code 0: all of it is right; 1: something is not; 2:
 * it could not be found out. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/program.h"
#include "lib/http/client.h"
#include "lib/ticketing/shuffle.h"

enum {
	PAGE = 1000,
	MS_MAX = 30000,
	FOUND_RIGHT = 0,
	FOUND_WRONG = 1,
	NOT_FOUND_OUT = 2,
};

static struct {
	const char *base, *event, *place_token, *commitment;
	int64_t rank, place;
} settings;

static const struct config_setting table[] = {
	{.flag = "base",
		.environment = "BASE",
		.kind = CONFIG_TEXT,
		.value = &settings.base,
		.required = true,
		.help = "the server: http://127.0.0.1:8101"},
	{.flag = "event",
		.kind = CONFIG_TEXT,
		.value = &settings.event,
		.required = true,
		.help = "the event's id"},
	{.flag = "place-token",
		.environment = "PLACE_TOKEN",
		.kind = CONFIG_TEXT,
		.value = &settings.place_token,
		.help = "whose place is to be checked: the token of a lobby's rank"},
	{.flag = "rank",
		.kind = CONFIG_INTEGER,
		.value = &settings.rank,
		.fallback = "0",
		.max = SHUFFLE_LOBBY_SIZE_MAX,
		.help = "whose place is to be checked, instead of a token"},
	{.flag = "place",
		.kind = CONFIG_INTEGER,
		.value = &settings.place,
		.fallback = "0",
		.max = SHUFFLE_LOBBY_SIZE_MAX,
		.help = "the place that this rank was given"},
	{.flag = "commitment",
		.kind = CONFIG_TEXT,
		.value = &settings.commitment,
		.help = "seedCommitment as noted down before the start"},
};

struct finished {
	struct shuffle_published published;
	struct lobby_list list;
};

static int verify(struct http_fetcher *fetcher);
static bool read_room(struct http_fetcher *fetcher, struct finished *finished);
static bool read_list(struct http_fetcher *fetcher, struct finished *finished);
static bool read_place(struct http_fetcher *fetcher);

int main(int argc, char **argv)
{
	static const struct config_program program = {
		.name = "verify_shuffle",
		.summary = "Recomputes a lobby's shuffle from what its server publishes.",
		.version = "1.0",
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
	};
	int code = program_configure(&program, argc, argv, NULL);
	if (code != PROGRAM_READY)
		return code;
	struct http_fetcher *fetcher;
	struct fault fault;
	if (http_fetcher_open(&(struct http_fetcher_options){0}, &fetcher, &fault) != STATUS_OK) {
		fprintf(stderr, "verify_shuffle: there is no memory\n");
		return NOT_FOUND_OUT;
	}
	code = verify(fetcher);
	http_fetcher_close(fetcher);
	return code;
}

static int told(const char *what, enum shuffle_verdict verdict)
{
	printf("%s: %s\n", what, verdict == SHUFFLE_FAIR ? "right" : shuffle_verdict_text(verdict));
	return verdict == SHUFFLE_FAIR ? FOUND_RIGHT : FOUND_WRONG;
}

static int verify_place(const struct finished *finished, const struct shuffle *shuffle)
{
	const struct shuffle_published *published = &finished->published;
	enum shuffle_verdict verdict =
		shuffle_verify_place(published, settings.rank, settings.place);
	/* Two ways to compute it, which were written apart. */
	if (verdict == SHUFFLE_FAIR && shuffle_place(shuffle, settings.rank) != settings.place)
		verdict = SHUFFLE_OTHER_PLACE;
	printf("rank %" PRId64 ", place %" PRId64 ": ", settings.rank, settings.place);
	return told("the place", verdict);
}

static int verify(struct http_fetcher *fetcher)
{
	struct finished finished = {0};
	uint8_t seed[SHUFFLE_HASH_SIZE];
	if (!read_room(fetcher, &finished) || !read_list(fetcher, &finished) ||
		!read_place(fetcher))
		return NOT_FOUND_OUT;
	printf("people in the lobby: %" PRId64 "\n", finished.list.size);
	int code = told("seed and list", shuffle_verify(&finished.published, &finished.list, seed));
	if (code != FOUND_RIGHT)
		return code;
	struct shuffle *shuffle = shuffle_new(seed, finished.list.size);
	if (!shuffle) {
		fprintf(stderr, "verify_shuffle: there is no memory\n");
		return NOT_FOUND_OUT;
	}
	if (settings.rank > 0)
		code = verify_place(&finished, shuffle);
	shuffle_free(shuffle);
	return code;
}

/* ---- What the server publishes ---- */

/* GET this path; NULL when it is not answered with an object, which is told. */
static json_t *get(struct http_fetcher *fetcher, const char *path)
{
	char url[HTTP_FETCH_URL_SIZE_MAX];
	(void)snprintf(url, sizeof url, "%s%s", settings.base, path);
	struct http_fetch fetch = {.method = "GET", .url = url, .retry = HTTP_RETRY_IDEMPOTENT};
	struct http_fetch *done;
	json_t *json = NULL;
	if (http_fetcher_submit(fetcher, &fetch) != STATUS_OK)
		return NULL;
	while (http_fetcher_collect(fetcher, MS_MAX, &done, 1) == 0)
		;
	const struct http_fetch_result *result = &fetch.result;
	if (result->outcome == HTTP_FETCH_ANSWERED && result->status == 200)
		json = json_loadb(result->body.data, result->body.size, 0, NULL);
	if (!json_is_object(json)) {
		fprintf(stderr, "verify_shuffle: %s: %s, status %u\n", path,
			http_fetch_outcome_name(result->outcome), result->status);
		json_decref(json);
		json = NULL;
	}
	http_fetch_release(&fetch);
	return json;
}

static bool read_hash(const char *text, uint8_t hash[SHUFFLE_HASH_SIZE])
{
	if (!text || strlen(text) != 2 * (size_t)SHUFFLE_HASH_SIZE ||
		strspn(text, "0123456789abcdef") != 2 * (size_t)SHUFFLE_HASH_SIZE)
		return false;
	for (size_t i = 0; i < SHUFFLE_HASH_SIZE; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
		hash[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

static bool hash_member(const json_t *json, const char *name, uint8_t hash[SHUFFLE_HASH_SIZE])
{
	return read_hash(json_string_value(json_object_get(json, name)), hash);
}

static bool read_room(struct http_fetcher *fetcher, struct finished *finished)
{
	char path[256];
	(void)snprintf(path, sizeof path, "/events/%.64s/waiting-room", settings.event);
	json_t *json = get(fetcher, path);
	if (!json)
		return false;
	struct shuffle_published *published = &finished->published;
	bool good = hash_member(json, "seed", published->seed) &&
		hash_member(json, "lobbyHash", published->list_hash) &&
		(settings.commitment ? read_hash(settings.commitment, published->commitment)
				     : hash_member(json, "seedCommitment", published->commitment));
	published->lobby_size = json_integer_value(json_object_get(json, "lobbySize"));
	json_decref(json);
	if (!good)
		fprintf(stderr, "verify_shuffle: the lobby has not been shuffled yet\n");
	return good;
}

static bool add_page(struct finished *finished, const json_t *items)
{
	const json_t *item;
	size_t i;
	json_array_foreach(items, i, item)
	{
		uint8_t entry[SHUFFLE_HASH_SIZE];
		if (finished->list.size == SHUFFLE_LOBBY_SIZE_MAX ||
			!read_hash(json_string_value(item), entry))
			return false;
		lobby_list_add_entry(&finished->list, entry);
	}
	return true;
}

static bool read_list(struct http_fetcher *fetcher, struct finished *finished)
{
	lobby_list_init(&finished->list, slice_of(settings.event));
	for (size_t count = PAGE; count == PAGE;) {
		char path[256];
		(void)snprintf(path, sizeof path,
			"/events/%.64s/waiting-room/lobby?from=%" PRId64 "&limit=%d",
			settings.event, finished->list.size + 1, PAGE);
		json_t *json = get(fetcher, path);
		const json_t *items = json_object_get(json, "items");
		count = json_array_size(items);
		bool good = json_is_array(items) && add_page(finished, items);
		json_decref(json);
		if (!good) {
			fprintf(stderr, "verify_shuffle: the lobby's list is malformed\n");
			return false;
		}
	}
	return true;
}

/* Rank and place as the server tells the token's holder. */
static bool read_place(struct http_fetcher *fetcher)
{
	char path[512];
	if (!settings.place_token)
		return true;
	(void)snprintf(path, sizeof path, "/waiting-room/%.400s", settings.place_token);
	json_t *json = get(fetcher, path);
	settings.rank = json_integer_value(json_object_get(json, "lobbyRank"));
	settings.place = json_integer_value(json_object_get(json, "place"));
	json_decref(json);
	if (settings.rank > 0 && settings.place > 0)
		return true;
	fprintf(stderr, "verify_shuffle: the token is not of a place that was drawn\n");
	return false;
}
