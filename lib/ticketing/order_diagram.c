/* Rendering is two loops over the table; checking is the same loops over the lines of the text. */
#include "lib/ticketing/order_diagram.h"

#include "lib/ticketing/order.h"

/* An arrow as a diagram draws it; the ends are names or "[*]". */
struct arrow {
	struct slice from, to, event;
};

static bool find_diagram(struct slice markdown, struct slice *diagram);
static bool read_arrow(struct slice line, struct arrow *arrow);
static enum status check_arrow(const struct arrow *arrow,
	bool drawn[ORDER_STATUS_COUNT][ORDER_EVENT_COUNT], struct fault *fault);
static enum status check_all_drawn(
	bool drawn[ORDER_STATUS_COUNT][ORDER_EVENT_COUNT], struct fault *fault);

void order_diagram_render(struct buffer *buffer)
{
	buffer_add_format(buffer, "stateDiagram-v2\n\t[*] --> %s\n",
		order_status_name(ORDER_REQUIRES_CONFIRMATION));
	for (int from = 0; from < ORDER_STATUS_COUNT; from++) {
		const char *name = order_status_name((enum order_status)from);
		for (int event = 0; event < ORDER_EVENT_COUNT; event++) {
			enum order_status to;
			if (order_transition((enum order_status)from, (enum order_event)event, &to))
				buffer_add_format(buffer, "\t%s --> %s: %s\n", name,
					order_status_name(to),
					order_event_name((enum order_event)event));
		}
		if (order_is_terminal((enum order_status)from))
			buffer_add_format(buffer, "\t%s --> [*]\n", name);
	}
}

enum status order_diagram_check(struct slice markdown, struct fault *fault)
{
	bool drawn[ORDER_STATUS_COUNT][ORDER_EVENT_COUNT] = {{false}};
	struct slice diagram, line;
	if (!find_diagram(markdown, &diagram))
		return fault_set(fault, "the text", "has no Mermaid block with a state diagram");
	while (slice_split(&diagram, '\n', &line)) {
		struct arrow arrow;
		if (!read_arrow(line, &arrow))
			continue;
		enum status status = check_arrow(&arrow, drawn, fault);
		if (status != STATUS_OK)
			return status;
	}
	return check_all_drawn(drawn, fault);
}

/* What stands between the first fence of Mermaid whose next line says stateDiagram and the fence
 * that closes it. */
static bool find_diagram(struct slice markdown, struct slice *diagram)
{
	struct slice line;
	const char *start = NULL;
	bool opened = false;
	while (!start && slice_split(&markdown, '\n', &line)) {
		struct slice text = slice_trim(line);
		if (opened && slice_starts_with(text, "stateDiagram"))
			start = markdown.data;
		opened = slice_starts_with(text, "```mermaid");
	}
	while (start && slice_split(&markdown, '\n', &line)) {
		if (slice_starts_with(slice_trim(line), "```")) {
			*diagram = (struct slice){start, (size_t)(line.data - start)};
			return true;
		}
	}
	return false;
}

/* False for a line without an arrow. */
static bool read_arrow(struct slice line, struct arrow *arrow)
{
	static const char sign[] = "-->";
	struct slice text = slice_trim(line);
	const char *found = memmem(text.data, text.size, sign, strlen(sign));
	if (!found || slice_starts_with(text, "%%"))
		return false;
	struct slice rest = {.data = found + strlen(sign)};
	rest.size = (size_t)(text.data + text.size - rest.data);
	arrow->from = slice_trim((struct slice){text.data, (size_t)(found - text.data)});
	(void)slice_split(&rest, ':', &arrow->to);
	arrow->to = slice_trim(arrow->to);
	arrow->event = rest.data ? slice_trim(rest) : (struct slice){.data = "", .size = 0};
	return true;
}

/* The arrow from the beginning, and those to the end. */
static bool is_border(const struct arrow *arrow)
{
	enum order_status status;
	if (arrow->event.size > 0)
		return false;
	if (slice_is(arrow->from, "[*]"))
		return order_status_parse(arrow->to, &status) &&
			status == ORDER_REQUIRES_CONFIRMATION;
	return slice_is(arrow->to, "[*]") && order_status_parse(arrow->from, &status) &&
		order_is_terminal(status);
}

static enum status check_arrow(const struct arrow *arrow,
	bool drawn[ORDER_STATUS_COUNT][ORDER_EVENT_COUNT], struct fault *fault)
{
	enum order_status from, to, legal_to;
	enum order_event event;
	if (is_border(arrow))
		return STATUS_OK;
	if (!order_status_parse(arrow->from, &from) || !order_status_parse(arrow->to, &to) ||
		!order_event_parse(arrow->event, &event) ||
		!order_transition(from, event, &legal_to) || legal_to != to)
		return fault_set(fault, "the diagram", "%.*s --> %.*s: %.*s is not legal",
			SLICE_PRINT(arrow->from), SLICE_PRINT(arrow->to),
			SLICE_PRINT(arrow->event));
	if (drawn[from][event])
		return fault_set(fault, "the diagram", "%.*s --> %.*s: %.*s is drawn twice",
			SLICE_PRINT(arrow->from), SLICE_PRINT(arrow->to),
			SLICE_PRINT(arrow->event));
	drawn[from][event] = true;
	return STATUS_OK;
}

static enum status check_all_drawn(
	bool drawn[ORDER_STATUS_COUNT][ORDER_EVENT_COUNT], struct fault *fault)
{
	for (int from = 0; from < ORDER_STATUS_COUNT; from++) {
		for (int event = 0; event < ORDER_EVENT_COUNT; event++) {
			enum order_status to;
			if (!drawn[from][event] &&
				order_transition(
					(enum order_status)from, (enum order_event)event, &to))
				return fault_set(fault, "the diagram", "%s --> %s: %s is missing",
					order_status_name((enum order_status)from),
					order_status_name(to),
					order_event_name((enum order_event)event));
		}
	}
	return STATUS_OK;
}
