/* See compose.h: the waiting room that lets in one person too many. The program onsale-unguarded
 * has it instead of compose_room.c, and only a test of the tests starts that. */
#include "real-implementation/compose.h"
#include "tech-waiting-room/waiting_room_broken.h"

enum status compose_open_room(void *context, struct waiting_room **room, struct fault *fault)
{
	(void)context;
	enum status status = compose_open_streams(room, fault);
	if (status == STATUS_OK)
		*room = waiting_room_broken(*room, BREAK_ADMIT_ONE_TOO_MANY);
	return status == STATUS_OK && !*room ? STATUS_UNAVAILABLE : status;
}
