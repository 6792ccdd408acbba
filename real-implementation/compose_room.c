/* See compose.h: the waiting room. A file of its own, so that a test can put another in its place.
 */
#include "real-implementation/compose.h"
#include "tech-waiting-room/redis-streams/redis_streams.h"

enum status compose_open_room(void *context, struct waiting_room **room, struct fault *fault)
{
	(void)context;
	return redis_streams_open(
		&(struct redis_streams_options){.redis_url = compose_settings.redis_url,
			.database_url = compose_settings.database_url,
			.call_ms_max = compose_settings.room_ms,
			.block = compose_settings.place_block,
			.fail_fast = true},
		room, fault);
}
