/* The row of the rooms in the server's own memory. */
#include "tech-waiting-room/waiting_room_bench.h"

const struct bench_technology bench_memory = {
	.name = "memory",
	.server = WAITING_ROOM_MEMORY_SERVER,
};
