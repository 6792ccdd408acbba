/* The family's bench: a row for each technology. The first is what the others are held against. */
#include "tech-waiting-room/waiting_room_bench.h"

int main(int argc, char **argv)
{
	static const struct bench_technology *const technologies[] = {
		&bench_memory,
		&bench_redis_streams,
	};
	return waiting_room_bench(
		technologies, sizeof technologies / sizeof *technologies, argc, argv);
}
