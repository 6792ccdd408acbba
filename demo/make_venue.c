/* Write a demo venue's seating plan to standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "demo/venues.h"

enum { PLAN_SIZE_MAX = 64 * 1024 * 1024 };

static int usage(void)
{
	fprintf(stderr,
		"usage: make_venue theatre|concert-hall|stadium [--seats N] > plan.json\n"
		"  --seats N  of the stadium, %d to %d; by default %d\n",
		STADIUM_SEATS_MIN, STADIUM_SEATS_MAX, STADIUM_SEATS_DEFAULT);
	return 2;
}

static int write_plan(const struct layout *layout)
{
	struct buffer buffer;
	buffer_init(&buffer, PLAN_SIZE_MAX);
	layout_write(layout, &buffer);
	bool written = !buffer.failed &&
		fwrite(buffer.data, 1, buffer.size, stdout) == buffer.size && fflush(stdout) == 0;
	buffer_release(&buffer);
	if (!written)
		fprintf(stderr, "make_venue: cannot write the plan\n");
	return written ? 0 : 1;
}

static int make_stadium(uint32_t seat_count)
{
	struct layout layout;
	layout_init(&layout, "Harbour Stadium");
	stadium_draw(&layout, seat_count);
	int code = write_plan(&layout);
	layout_release(&layout);
	return code;
}

static int make_hall(const char *name, void (*draw)(struct layout *layout))
{
	struct layout layout;
	layout_init(&layout, name);
	draw(&layout);
	int code = write_plan(&layout);
	layout_release(&layout);
	return code;
}

int main(int argc, char **argv)
{
	int64_t seats = STADIUM_SEATS_DEFAULT;
	struct slice kind = slice_of(argc > 1 ? argv[1] : "");
	bool stadium = slice_is(kind, "stadium");
	bool sized = argc == 4 && slice_is(slice_of(argv[2]), "--seats");
	if (sized &&
		(!stadium ||
			!slice_to_integer(
				slice_of(argv[3]), STADIUM_SEATS_MIN, STADIUM_SEATS_MAX, &seats)))
		return usage();
	if (argc != 2 && !sized)
		return usage();
	if (stadium)
		return make_stadium((uint32_t)seats);
	if (slice_is(kind, "theatre"))
		return make_hall("Lantern Theatre", theatre_draw);
	if (slice_is(kind, "concert-hall"))
		return make_hall("Meridian Hall", concert_hall_draw);
	return usage();
}
