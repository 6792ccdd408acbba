/* How people name a seat. */
#include "lib/ticketing/seating_plan.h"

#include <assert.h>

struct label {
	char *text;
	size_t size, size_max; /* Without the zero byte. */
};

/* What does not fit is cut in front of the character that would pass the end. */
static void add(struct label *label, struct slice piece)
{
	size_t room = label->size_max - label->size;
	size_t size = piece.size < room ? piece.size : room;
	while (size < piece.size && size > 0 && ((unsigned char)piece.data[size] & 0xc0) == 0x80)
		size--;
	if (size > 0)
		memcpy(label->text + label->size, piece.data, size);
	label->size += size;
	/* Nothing may follow a cut, or the label would seem whole. */
	if (size < piece.size)
		label->size_max = label->size;
}

/* Add the form with the value in the place of each %s. */
static void add_form(struct label *label, struct slice form, struct slice value)
{
	size_t start = 0;
	for (size_t i = 0; i + 1 < form.size; i++) {
		if (form.data[i] != '%' || form.data[i + 1] != 's')
			continue;
		add(label, (struct slice){.data = form.data + start, .size = i - start});
		add(label, value);
		start = i + 2;
	}
	add(label, (struct slice){.data = form.data + start, .size = form.size - start});
}

const char *seating_seat_label(
	const struct seating_plan *plan, const struct seating_seat *seat, char *text, size_t size)
{
	assert(size > 0);
	const struct seating_row *row = &plan->rows[seat->row_index];
	struct slice zone_name = plan->zones[seat->zone_index].name;
	struct label label = {.text = text, .size_max = size - 1};
	if (zone_name.size) {
		add(&label, zone_name);
		add(&label, slice_of(", "));
	}
	add_form(&label, row->row_label.size ? row->row_label : slice_of("row %s"), row->number);
	add(&label, slice_of(", "));
	add_form(
		&label, row->seat_label.size ? row->seat_label : slice_of("seat %s"), seat->number);
	text[label.size] = '\0';
	return text;
}
