/* The table of order.h as a Mermaid state diagram, and whether a README still draws the same.
 *
 * The program of this folder does both:
 *
 *	order-diagram                   print the diagram, to be put into a README
 *	order-diagram FILE.md           exit status 0 if the file's first state diagram is the table
 *
 * so a test of a README is one line of CMake:
 *
 *	add_test(NAME order_diagram_payments
 *		COMMAND order-diagram ${CMAKE_CURRENT_SOURCE_DIR}/README.md)
 */
#pragma once

#include "lib/base/buffer.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
	ORDER_DIAGRAM_SIZE_MAX = 16 * 1024,        /* Of what is rendered. */
	ORDER_DIAGRAM_FILE_SIZE_MAX = 1024 * 1024, /* Of a README. */
};

/* Add "stateDiagram-v2" and a line per transition, without the fence. The caller looks at
 * buffer->failed. */
void order_diagram_render(struct buffer *buffer);

/* Compare the first state diagram of a Markdown text with the table. Order and spaces do not count,
 * nor do lines without an arrow (notes, directions, comments). REFUSED, with the first difference
 * in `fault`: no diagram, a transition that is missing, drawn twice, or not in the table. */
__attribute__((warn_unused_result)) enum status order_diagram_check(
	struct slice markdown, struct fault *fault);
