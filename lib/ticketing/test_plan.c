/* The shared plan and asserts. */
#include "lib/ticketing/test_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const char test_plan[] =
	"{\"name\":\"Hall\",\"size\":{\"width\":100,\"height\":80},"
	"\"categories\":[{\"name\":\"A\",\"color\":\"#fff\"},{\"name\":\"B\"}],"
	"\"zones\":[{\"name\":\"Empty\",\"position\":{\"x\":0,\"y\":0},\"rows\":[]},"
	"{\"name\":\"Stalls\",\"position\":{\"x\":1,\"y\":2},\"rows\":["
	"{\"row_number\":\"r1\",\"seats\":["
	"{\"seat_guid\":\"g1\",\"seat_number\":\"n1\",\"position\":{\"x\":1,\"y\":1},"
	"\"category\":\"A\"}]},"
	"{\"row_number\":\"r2\",\"position\":{\"x\":5,\"y\":6},\"seats\":["
	"{\"seat_guid\":\"g2\",\"seat_number\":\"n2\",\"position\":{\"x\":2,\"y\":2},"
	"\"category\":\"A\"},"
	"{\"seat_guid\":\"g3\",\"seat_number\":\"n3\",\"position\":{\"x\":3,\"y\":3},"
	"\"category\":\"B\"}]}],"
	"\"areas\":[{\"shape\":\"circle\",\"color\":\"\",\"circle\":{\"radius\":7}},"
	"{\"shape\":\"ellipse\",\"ellipse\":{\"radius\":{\"x\":8,\"y\":9}}},"
	"{\"shape\":\"rectangle\",\"rectangle\":{\"width\":70,\"height\":60}},"
	"{\"shape\":\"polygon\",\"polygon\":{\"points\":[{\"x\":11,\"y\":12}]}},"
	"{\"shape\":\"text\",\"rotation\":45,\"text\":{\"text\":\"Bar\","
	"\"position\":{\"x\":21,\"y\":22}}}]}]}";

void test_file_read(const char *path, struct buffer *buffer)
{
	const char *root = getenv("ONSALE_SOURCE");
	char full[4096];
	char piece[8192];
	snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
	FILE *file = fopen(full, "rb");
	if (!file) {
		fail_msg("cannot open %s", full);
		return;
	}
	size_t size;
	while ((size = fread(piece, 1, sizeof piece, file)) > 0)
		buffer_add(buffer, piece, size);
	fclose(file);
	assert_false(buffer->failed);
}

int reading_set_up(void **state)
{
	struct reading *reading = malloc(sizeof *reading);
	if (!reading)
		return -1;
	arena_init(&reading->arena, SEATING_ARENA_SIZE_MAX);
	buffer_init(&reading->json, SEATING_PLAN_SIZE_MAX);
	*state = reading;
	return 0;
}

int reading_tear_down(void **state)
{
	struct reading *reading = *state;
	arena_release(&reading->arena);
	buffer_release(&reading->json);
	free(reading);
	return 0;
}

const struct seating_plan *read_plan(struct reading *reading)
{
	const struct seating_plan *plan = NULL;
	struct fault fault;
	if (seating_plan_read(buffer_slice(&reading->json), &reading->arena, &plan, &fault) !=
		STATUS_OK)
		fail_msg("%s %s", fault.where, fault.what);
	return plan;
}

const struct seating_plan *read_file(struct reading *reading, const char *path)
{
	test_file_read(path, &reading->json);
	return read_plan(reading);
}

void assert_refused(struct reading *reading, struct slice json, const char *where, const char *what)
{
	const struct seating_plan *plan = NULL;
	struct fault fault;
	assert_int_equal(seating_plan_read(json, &reading->arena, &plan, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, where);
	if (!strstr(fault.what, what))
		fail_msg("\"%s\" does not say \"%s\"", fault.what, what);
	assert_null(plan);
	arena_reset(&reading->arena);
}

void spoil(struct reading *reading, const char *piece, const char *by)
{
	const char *at = strstr(test_plan, piece);
	if (!at) {
		fail_msg("the base plan has no %s", piece);
		return;
	}
	buffer_reset(&reading->json);
	buffer_add(&reading->json, test_plan, (size_t)(at - test_plan));
	buffer_add_text(&reading->json, by);
	buffer_add_text(&reading->json, at + strlen(piece));
}

void assert_all_refused(struct reading *reading, const struct spoiled spoiled[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		spoil(reading, spoiled[i].piece, spoiled[i].by);
		assert_refused(
			reading, buffer_slice(&reading->json), spoiled[i].where, spoiled[i].what);
	}
}
