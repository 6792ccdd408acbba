/* catalog_import.h: files come in once, what was cut short is completed, and faults say where. */
#include <sys/stat.h>
#include <unistd.h>

#include "demo/venues.h"
#include "real-implementation/catalog_fixture.h"
#include "real-implementation/catalog_import.h"

#define EVENT(members_) \
	"{\"venue\":\"Théâtre de la " \
	"Mer\",\"name\":\"Bach\",\"startsAt\":\"2027-05-01T19:00:00Z\"," \
	"\"currency\":\"EUR\",\"prices\":{\"Stalls\":5000,\"Balcony\":2500}" members_ "}"

static char folder[] = "/tmp/onsale-import-XXXXXX";
static char file[sizeof folder + 16];
static struct import_result result;
static struct fault fault;
static size_t progress_done, progress_total;

static int start(void **state)
{
	return mkdtemp(folder) ? catalog_fixture_start(state) : -1;
}

static int stop(void **state)
{
	unlink(file);
	rmdir(folder);
	return catalog_fixture_stop(state);
}

static void note_progress(void *context, size_t done, size_t total)
{
	(void)context;
	progress_done = done;
	progress_total = total;
}

static enum status import_path(enum import_kind kind, const char *path)
{
	const struct import_options options = {.database_url = fixture.postgres.url,
		.ms = FIXTURE_PATIENCE_MS,
		.open_seats = fixture_open_seats,
		.progress = note_progress};
	free(result.json);
	return import_file(&options, kind, path, &result, &fault);
}

static enum status import(enum import_kind kind, const char *text, size_t size)
{
	snprintf(file, sizeof file, "%s/document.json", folder);
	FILE *stream = fopen(file, "wb");
	assert_non_null(stream);
	assert_int_equal(size, fwrite(text, 1, size, stream));
	assert_int_equal(0, fclose(stream));
	return import_path(kind, file);
}

static enum status import_venue(const char *more)
{
	char text[8192];
	snprintf(text, sizeof text, "%s%s}", fixture_venue(), more);
	return import(IMPORT_VENUE, text, strlen(text));
}

static enum status import_event(const char *text)
{
	return import(IMPORT_EVENT, text, strlen(text));
}

static void refused(enum status status, const char *place, const char *what)
{
	char where[200];
	assert_int_equal(STATUS_REFUSED, status);
	snprintf(where, sizeof where, "%s%s", file, place);
	assert_string_equal(where, fault.where);
	if (!strstr(fault.what, what))
		fail_msg("'%s' does not say '%s'", fault.what, what);
}

static void a_file_comes_in_once(void **state)
{
	struct id venue, event;
	(void)state;
	assert_int_equal(STATUS_OK, import_venue(""));
	assert_true(result.is_new && strstr(result.json, "\"seats\":14"));
	venue = result.id;
	/* White space is no difference, a member is. */
	assert_int_equal(STATUS_OK, import_venue(" \n "));
	assert_true(!result.is_new && seat_ids_equal(venue, result.id));
	assert_int_equal(1, fixture_number("SELECT count(*) FROM venues"));
	assert_int_equal(STATUS_OK, import_event(EVENT("")));
	assert_true(result.is_new && strstr(result.json, "\"holdSeconds\" : 600"));
	assert_int_equal(14, progress_done);
	assert_int_equal(14, progress_total);
	event = result.id;
	assert_int_equal(STATUS_OK, import_event(EVENT("\n")));
	assert_true(!result.is_new && seat_ids_equal(event, result.id));
	assert_int_equal(STATUS_OK, import_event(EVENT(",\"holdSeconds\":99")));
	assert_true(result.is_new && !seat_ids_equal(event, result.id));
	assert_int_equal(2, fixture_number("SELECT count(*) FROM events"));
	assert_int_equal(28, fixture_number("SELECT count(*) FROM seats"));
}

static void what_was_changed_since_stays(void **state)
{
	char id[ID_TEXT_SIZE], path[64];
	(void)state;
	assert_int_equal(STATUS_OK, import_venue(""));
	assert_int_equal(STATUS_OK, import_event(EVENT("")));
	id_format(result.id, id);
	snprintf(path, sizeof path, "/events/%s", id);
	fixture_send("PUT", path, "{\"name\":\"Händel\"}", 200);
	assert_int_equal(STATUS_OK, import_event(EVENT("")));
	assert_false(result.is_new);
	assert_non_null(strstr(result.json, "Händel"));
}

static void what_was_cut_short_is_completed(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, import_venue(""));
	atomic_store(&fixture.stores_to_fail, 1);
	assert_int_equal(STATUS_UNAVAILABLE, import_event(EVENT("")));
	assert_non_null(strstr(fault.what, "seat store"));
	assert_int_equal(7, fixture_number("SELECT count(*) FROM seats"));
	assert_int_equal(STATUS_OK, import_event(EVENT("")));
	assert_true(result.is_new);
	assert_int_equal(14, fixture_number("SELECT count(*) FROM seats"));
	assert_int_equal(
		1, fixture_number("SELECT count(*) FROM events WHERE status = 'scheduled'"));
}

static void faults_say_where(void **state)
{
	(void)state;
	refused(import_event(EVENT("")), ": $.venue", "no such venue");
	refused(import_event("{"), ":1:1", "");
	refused(import_event(EVENT(",\"name\":\"x\"")), ":1:140", "duplicate");
	refused(import_event(EVENT(",\"holdSeconds\":5")), ": $.holdSeconds", "from 30");
	refused(import_event("[]"), ": $", "object");
	refused(import(IMPORT_EVENT, "", 0), ":1:0", "");
	refused(import(IMPORT_EVENT, "{\0}", 3), ":1:2", "");
	refused(import(IMPORT_EVENT, "{\"a\":\"\xff\"}", 9), ":1:6", "");
	refused(import_event("[[[[[[[[[[]]]]]]]]]]"), ": $[0][0][0][0][0][0][0][0]", "");
	refused(import_venue(",\"city\":1"), ": $.city", "");
	refused(import(IMPORT_VENUE, "", 0), ": $", "");
	assert_int_equal(0, fixture_number("SELECT count(*) FROM venues"));
	snprintf(file, sizeof file, "%s/missing.json", folder);
	refused(import_path(IMPORT_EVENT, file), "", "No such file");
	refused((snprintf(file, sizeof file, "%s", folder), import_path(IMPORT_EVENT, folder)), "",
		"");
}

static void a_file_that_is_too_large_is_not_read(void **state)
{
	char *text = malloc(CATALOG_EVENT_SIZE_MAX + 1);
	(void)state;
	assert_non_null(text);
	memset(text, ' ', CATALOG_EVENT_SIZE_MAX + 1);
	refused(import(IMPORT_EVENT, text, CATALOG_EVENT_SIZE_MAX + 1), "", "larger than");
	free(text);
}

static void a_database_that_is_away_is_said(void **state)
{
	const struct import_options options = {
		.database_url = "postgresql://onsale@127.0.0.1:1/none",
		.ms = 100,
		.open_seats = fixture_open_seats};
	(void)state;
	assert_int_equal(STATUS_OK, import_venue(""));
	free(result.json);
	assert_int_equal(
		STATUS_UNAVAILABLE, import_file(&options, IMPORT_VENUE, file, &result, &fault));
	assert_string_not_equal("", fault.what);
}

/* The stadium's plan is large, so it is drawn and not committed; here with the fewest seats. */
static void draw_stadium(char *path, size_t size)
{
	struct layout layout;
	struct buffer plan;
	buffer_init(&plan, SEATING_PLAN_SIZE_MAX);
	layout_init(&layout, "Harbour Stadium");
	stadium_draw(&layout, STADIUM_SEATS_MIN);
	layout_write(&layout, &plan);
	assert_false(plan.failed);
	assert_int_equal(STATUS_OK, import(IMPORT_VENUE, plan.data, plan.size));
	snprintf(path, size, "%s", file);
	buffer_release(&plan);
	layout_release(&layout);
}

/* The files of the demo are what they should be. */
static void the_demo_comes_in(void **state)
{
	static const char *const venues[] = {"concert-hall.json", "theatre.json", "stadium.json"};
	static const char *const events[] = {"choral-symphony", "dolls-house",
		"goldberg-variations", "new-world", "northern-lights", "winterreise"};
	char path[160];
	(void)state;
	for (size_t i = 0; i < sizeof venues / sizeof venues[0]; i++) {
		if (i < 2)
			snprintf(path, sizeof path, "demo/venues/%s", venues[i]);
		else
			draw_stadium(path, sizeof path);
		if (import_path(IMPORT_VENUE, path) != STATUS_OK)
			fail_msg("%s: %s", fault.where, fault.what);
	}
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		snprintf(path, sizeof path, "real-implementation/demo/%s.json", events[i]);
		if (import_path(IMPORT_EVENT, path) != STATUS_OK)
			fail_msg("%s: %s", fault.where, fault.what);
	}
	assert_int_equal(3, fixture_number("SELECT count(DISTINCT city) FROM events"));
	assert_int_equal(fixture_number("SELECT sum(seat_count) FROM events JOIN venues "
					"USING (venue_id)"),
		fixture_number("SELECT count(*) FROM seats"));
	/* The one that the demo puts on sale in a minute. */
	assert_int_equal(1,
		fixture_number("SELECT count(*) FROM events WHERE on_sale_at BETWEEN "
			       "now() - interval '1 day' AND now()"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, catalog_fixture_begin)
	const struct CMUnitTest tests[] = {
		CASE(a_file_comes_in_once),
		CASE(what_was_changed_since_stays),
		CASE(what_was_cut_short_is_completed),
		CASE(faults_say_where),
		CASE(a_file_that_is_too_large_is_not_read),
		CASE(a_database_that_is_away_is_said),
		CASE(the_demo_comes_in),
	};
	int failed = cmocka_run_group_tests(tests, start, stop);
	free(result.json);
	return failed;
}
