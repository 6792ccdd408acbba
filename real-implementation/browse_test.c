/* browse.h: lists, pages, filters, search with and without typing errors, one event, and hostile
 * input. */
#include "real-implementation/browse.h"
#include "real-implementation/catalog_fixture.h"

static char event[ID_TEXT_SIZE];

static size_t list(const char *query)
{
	char path[2048];
	snprintf(path, sizeof path, "/events%s", query);
	fixture_ask("GET", path, NULL, NULL, 200);
	return json_array_size(json_object_get(fixture.json, "items"));
}

static const char *name_of(size_t index)
{
	const json_t *items = json_object_get(fixture.json, "items");
	return json_string_value(json_object_get(json_array_get(items, index), "name"));
}

/* The only event found is this one. */
static void finds(const char *query, const char *name)
{
	size_t count = list(query);
	if (count != 1 || strcmp(name, name_of(0)) != 0)
		fail_msg("%s finds %zu: %s", query, count, fixture.reply.body);
}

static void finds_nothing(const char *query)
{
	if (list(query) != 0)
		fail_msg("%s finds %s", query, fixture.reply.body);
	assert_null(json_object_get(fixture.json, "next"));
}

static void refused(const char *query)
{
	char path[4096];
	snprintf(path, sizeof path, "/events%s", query);
	fixture_ask("GET", path, NULL, NULL, 400);
}

static void add_season(void)
{
	fixture_add_venue();
	fixture_add_event("Dvořák: New World", "2099-03-01T19:00:00Z",
		",\"performers\":[\"Meridian Philharmonic\",\"Yara Lindqvist, cello\"],"
		"\"description\":\"His ninth symphony.\"");
	fixture_add_event("Beethoven: Symphony No. 9", "2099-01-01T19:00:00Z", "");
	fixture_add_event(
		"AC/DC", "2099-02-01T19:00:00Z", ",\"onSaleAt\":\"2098-01-01T00:00:00Z\"");
	fixture_add_event("The Who", "2099-04-01T19:00:00Z", "");
	fixture_add_event("Чайковский: Щелкунчик", "2099-05-01T19:00:00Z", "");
	snprintf(event, sizeof event, "%s",
		fixture_add_event("Long ago", "2001-01-01T19:00:00Z", ""));
}

static void upcoming_events_are_listed_in_order(void **state)
{
	(void)state;
	finds_nothing("");
	add_season();
	assert_int_equal(5, list(""));
	assert_string_equal("Beethoven: Symphony No. 9", name_of(0));
	assert_string_equal("AC/DC", name_of(1));
	assert_string_equal("Dvořák: New World", name_of(2));
	const json_t *items = json_object_get(fixture.json, "items");
	const json_t *item = json_array_get(items, 1);
	assert_string_equal("upcoming", json_string_value(json_object_get(item, "status")));
	item = json_array_get(items, 2);
	assert_string_equal("on_sale", json_string_value(json_object_get(item, "status")));
	assert_string_equal(
		"2099-03-01T19:00:00.000Z", json_string_value(json_object_get(item, "startsAt")));
	assert_int_equal(2500, json_integer_value(json_object_get(item, "priceFrom")));
	assert_int_equal(5000, json_integer_value(json_object_get(item, "priceTo")));
	assert_int_equal(2, json_array_size(json_object_get(item, "performers")));
	const json_t *venue = json_object_get(item, "venue");
	assert_string_equal("Saint-Malo", json_string_value(json_object_get(venue, "city")));
	assert_null(json_object_get(item, "description"));
	/* Past ones only where they are asked for. */
	assert_int_equal(6, list("?from=2000-01-01"));
	assert_string_equal("Long ago", name_of(0));
}

static void lists_are_filtered(void **state)
{
	(void)state;
	add_season();
	finds("?from=2099-02-15&to=2099-03-15T00:00:00%2B02:00", "Dvořák: New World");
	finds("?to=2099-01-01T19:00:00.001Z", "Beethoven: Symphony No. 9");
	finds_nothing("?to=2099-01-01T19:00:00Z");                    /* It is excluded. */
	finds("?from=2099-05-01T19:00:00Z", "Чайковский: Щелкунчик"); /* It is included. */
	assert_int_equal(5, list("?city=saint%20malo"));
	assert_int_equal(5, list("?city=SAINT-M%C3%81LO"));
	finds_nothing("?city=Saint");
	finds_nothing("?city=%2D");
	finds("?city=Saint-Malo&q=who&from=2099-01-01", "The Who");
	finds_nothing("?city=Paris&q=who");
	assert_int_equal(5, list("?q=&city=&from=&to="));
}

static void pages_cover_the_list_once(void **state)
{
	char query[256], next[128];
	bool seen_before[7];
	(void)state;
	fixture_add_venue();
	/* Several of one moment, so that the moment alone does not say where a page ended. */
	for (int i = 0; i < 7; i++) {
		snprintf(query, sizeof query, "Concert %d", i);
		fixture_add_event(
			query, i < 5 ? "2099-01-01T19:00:00Z" : "2099-02-01T19:00:00Z", "");
	}
	for (int searched = 0; searched < 2; searched++) {
		size_t seen = 0;
		next[0] = '\0';
		memset(seen_before, 0, sizeof seen_before);
		do {
			snprintf(query, sizeof query, "?limit=2%s%s%s", next[0] ? "&cursor=" : "",
				next, searched ? "&q=concert" : "");
			size_t count = list(query);
			for (size_t i = 0; i < count; i++, seen++) {
				bool *before = &seen_before[name_of(i)[strlen("Concert ")] - '0'];
				assert_false(*before);
				*before = true;
			}
			const json_t *more = json_object_get(fixture.json, "next");
			snprintf(next, sizeof next, "%s", more ? json_string_value(more) : "");
		} while (next[0]);
		assert_int_equal(7, seen);
	}
	assert_int_equal(7, list("?limit=7"));
	assert_null(json_object_get(fixture.json, "next"));
}

static void events_are_found_by_their_words(void **state)
{
	(void)state;
	add_season();
	finds("?q=beethoven", "Beethoven: Symphony No. 9");
	finds("?q=DVORAK", "Dvořák: New World");
	finds("?q=dvo%C5%99%C3%A1k", "Dvořák: New World");
	finds("?q=dvor%CC%8Cak", "Dvořák: New World"); /* The accent is a character of its own. */
	finds("?q=world+new", "Dvořák: New World");
	finds("?q=yara", "Dvořák: New World");
	finds("?q=ninth%20symphony", "Dvořák: New World");
	finds("?q=ac%2Fdc", "AC/DC");
	finds("?q=ac-dc", "AC/DC");
	finds("?q=the+who", "The Who");
	finds("?q=9", "Beethoven: Symphony No. 9");
	finds("?q=%D1%89%D0%B5%D0%BB%D0%BA%D1%83%D0%BD%D1%87%D0%B8%D0%BA", "Чайковский: Щелкунчик");
	assert_int_equal(2, list("?q=symphony"));
	assert_int_equal(5, list("?q=theatre+malo"));
	assert_int_equal(5, list("?q=mer")); /* The venue is "Théâtre de la Mer". */
	/* Each word must be there; the last may be a beginning, others not. */
	finds("?q=symphony+beet", "Beethoven: Symphony No. 9");
	finds_nothing("?q=beethoven+dvorak");
	finds("?q=phil", "Dvořák: New World");
	/* A past event is found where the past is asked for. */
	finds_nothing("?q=long+ago");
	finds("?q=long+ago&from=2000-01-01", "Long ago");
}

static void typing_errors_are_forgiven(void **state)
{
	static const char *const beethoven[] = {"bethoven", "beethovn", "beethoevn", "beetohven",
		"betehoven", "beethovenn", "neethoven", "symphony+beethooven", "simphony+beethoven",
		"bethoven+symfony"};
	char query[128];
	(void)state;
	add_season();
	for (size_t i = 0; i < sizeof beethoven / sizeof beethoven[0]; i++) {
		snprintf(query, sizeof query, "?q=%s", beethoven[i]);
		finds(query, "Beethoven: Symphony No. 9");
	}
	finds("?q=dvorka", "Dvořák: New World");
	finds("?q=dvorack", "Dvořák: New World");
	finds("?q=philharmnoic", "Dvořák: New World");
	finds("?q=filharmonic", "Dvořák: New World");
	finds("?q=teh+who", "The Who");
	finds("?q=hte+hwo", "The Who"); /* Both are short. */
	finds("?q=wrold", "Dvořák: New World");
	finds("?q=lnidqvist", "Dvořák: New World");
	/* What is like nothing finds nothing. */
	finds_nothing("?q=xylophone");
	finds_nothing("?q=qqqq");
	finds_nothing("?q=beethoven+xylophone");
}

static void what_has_no_words_finds_nothing(void **state)
{
	static const char *const queries[] = {"?q=%20", "?q=...", "?q=%26%7C%21", "?q=%27",
		"?q=%5C", "?q=%3A*", "?q=%28%29", "?q=%F0%9F%8E%BB", "?q=%E2%80%8B", "?q=%25",
		"?q=_"};
	(void)state;
	add_season();
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
		finds_nothing(queries[i]);
	/* Operators among words are no operators. */
	finds("?q=beethoven+%26+%21+%7C+%28symphony%3A*", "Beethoven: Symphony No. 9");
	finds("?q=beethoven%27%3B+symphony--", "Beethoven: Symphony No. 9");
}

static void hostile_input_is_refused(void **state)
{
	char query[2048];
	(void)state;
	add_season();
	snprintf(query, sizeof query, "?q=%0201d", 0);
	refused(query);
	snprintf(query, sizeof query, "?q=%0200d", 0);
	finds_nothing(query);
	snprintf(query, sizeof query, "?city=%0201d", 0);
	refused(query);
	refused("?q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q");
	finds_nothing("?q=b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q");
	finds_nothing("?q=qqqqqqa+qqqqqqb+qqqqqqc+qqqqqqd+qqqqqqe+qqqqqqf");
	refused("?q=a&q=b");
	refused("?q=%00");
	refused("?q=%FF");
	refused("?q=%0A");
	refused("?limit=0");
	refused("?limit=201");
	refused("?limit=1e2");
	refused("?limit=");
	refused("?from=yesterday");
	refused("?to=2027-13-01");
	refused("?from=2027-02-30");
	refused("?cursor=x");
	refused("?cursor=1.2");
	refused("?cursor=.00000000-0000-0000-0000-000000000000");
	refused("?cursor=99999999999999999.00000000-0000-0000-0000-000000000000");
	refused("?sort=name");
	assert_int_equal(5, list("?cursor=-62135596800000.00000000-0000-0000-0000-000000000000"));
	finds_nothing("?cursor=253402300799999.ffffffff-ffff-ffff-ffff-ffffffffffff");
	assert_int_equal(5,
		list("?from=0001-01-01&to=9999-12-31&limit=200&cursor="
		     "4070908800000.00000000-0000-0000-0000-000000000000"));
}

static void one_event_is_read(void **state)
{
	char path[64], headers[128];
	(void)state;
	add_season();
	snprintf(path, sizeof path, "/events/%s", event);
	fixture_ask("GET", path, NULL, NULL, 200);
	assert_string_equal("Long ago", fixture_text("name"));
	assert_string_equal("ended", fixture_text("status"));
	assert_int_equal(5000, fixture_integer("prices.Stalls"));
	assert_int_equal(14, fixture_integer("seats"));
	const json_t *sections = json_object_get(fixture.json, "sections");
	const json_t *categories = json_object_get(fixture.json, "categories");
	assert_int_equal(2, json_array_size(sections));
	assert_string_equal("Upstairs",
		json_string_value(json_object_get(json_array_get(sections, 1), "name")));
	assert_int_equal(
		10, json_integer_value(json_object_get(json_array_get(sections, 1), "seats")));
	const json_t *stalls = json_array_get(categories, 0);
	assert_string_equal("#ff0000", json_string_value(json_object_get(stalls, "color")));
	assert_int_equal(5000, json_integer_value(json_object_get(stalls, "price")));
	assert_int_equal(4, json_integer_value(json_object_get(stalls, "seats")));
	assert_null(json_object_get(json_array_get(categories, 1), "color"));

	const char *tag = http_client_reply_header(&fixture.reply, "ETag");
	assert_string_equal("W/\"1-ended\"", tag);
	snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", tag);
	fixture_ask("GET", path, headers, NULL, 304);
	fixture_send("PUT", path, "{\"name\":\"Longer ago\"}", 200);
	fixture_ask("GET", path, headers, NULL, 200);
	assert_string_equal("Longer ago", fixture_text("name"));
}

/* The version of what a client has is not enough: time passes. */
static void the_tag_changes_when_the_sale_begins(void **state)
{
	char path[64];
	(void)state;
	fixture_add_venue();
	const char *id = fixture_add_event(
		"Soon", "2099-01-01T00:00:00Z", ",\"onSaleAt\":\"2098-01-01T00:00:00Z\"");
	snprintf(path, sizeof path, "/events/%s", id);
	fixture_ask("GET", path, "If-None-Match: W/\"1-upcoming\"\r\n", NULL, 304);
	assert_int_equal(
		STATUS_OK, postgres_run_script(fixture.pg, "UPDATE events SET on_sale_at = now()"));
	fixture_ask("GET", path, "If-None-Match: W/\"1-upcoming\"\r\n", NULL, 200);
	assert_string_equal("on_sale", fixture_text("status"));
}

static void an_event_that_is_not_there(void **state)
{
	(void)state;
	fixture_ask("GET", "/events/00000000-0000-7000-8000-000000000001", NULL, NULL, 404);
	fixture_ask("GET", "/events/x", NULL, NULL, 404);
	fixture_ask("GET", "/events/00000000-0000-7000-8000-000000000001?x=1", NULL, NULL, 400);
}

/* Events beyond the walk are found by the index, and pages go on there. */
static void events_that_are_far_ahead_are_found(void **state)
{
	char next[128], query[256];
	(void)state;
	fixture_add_venue();
	fixture_add_event("Template", "2050-01-01T00:00:00Z", "");
	assert_int_equal(STATUS_OK,
		postgres_run_script(fixture.pg,
			"INSERT INTO events SELECT (t.e).* FROM (SELECT jsonb_populate_record(e, "
			"jsonb_build_object('event_id', gen_random_uuid(), 'name', CASE WHEN n > "
			"2900 THEN 'Finale' ELSE 'Overture' END, 'starts_at', e.starts_at + n * "
			"interval '1 minute')) AS e FROM events e, generate_series(1, 3000) AS n) "
			"AS t"));
	assert_int_equal(50, list("?q=overture"));
	assert_int_equal(60, list("?q=finale&limit=60"));
	snprintf(next, sizeof next, "%s", fixture_text("next"));
	snprintf(query, sizeof query, "?q=finale&limit=60&cursor=%s", next);
	assert_int_equal(40, list(query));
	assert_null(json_object_get(fixture.json, "next"));
	assert_int_equal(100, list("?q=finale&limit=200&city=saint-malo"));
	assert_int_equal(60, list("?q=fianle&limit=60"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, catalog_fixture_begin)
	const struct CMUnitTest tests[] = {
		CASE(upcoming_events_are_listed_in_order),
		CASE(lists_are_filtered),
		CASE(pages_cover_the_list_once),
		CASE(events_are_found_by_their_words),
		CASE(typing_errors_are_forgiven),
		CASE(what_has_no_words_finds_nothing),
		CASE(hostile_input_is_refused),
		CASE(one_event_is_read),
		CASE(the_tag_changes_when_the_sale_begins),
		CASE(an_event_that_is_not_there),
		CASE(events_that_are_far_ahead_are_found),
	};
	return cmocka_run_group_tests(tests, catalog_fixture_start, catalog_fixture_stop);
}
