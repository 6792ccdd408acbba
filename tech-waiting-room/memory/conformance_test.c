/* The oracle itself: it passes the suite with and without a durable record, and agrees with itself
 * when its record reserves another number of places. */
#include "tech-waiting-room/memory/memory_fixture.h"

enum { PEOPLE_MAX = 20000 };

int main(void)
{
	struct memory_fixture one_by_one, in_blocks, without_record;
	memory_fixture_init(&one_by_one, PEOPLE_MAX, 1);
	memory_fixture_init(&in_blocks, PEOPLE_MAX, 64);
	memory_fixture_init(&without_record, PEOPLE_MAX, 0);
	int failed = waiting_room_conformance(&one_by_one.factory);
	failed += waiting_room_conformance(&in_blocks.factory);
	failed += waiting_room_conformance(&without_record.factory);
	failed += waiting_room_agreement(&one_by_one.factory, &in_blocks.factory);
	memory_fixture_release(&one_by_one);
	memory_fixture_release(&in_blocks);
	memory_fixture_release(&without_record);
	return failed;
}
