/* A text as a QR code (ISO/IEC 18004, model 2) in SVG, to be shown on a page or printed.
 *
 * The modules are drawn by libqrencode as one path in a coordinate system of whole modules, with
 * the quiet zone of four modules that readers need (section 6.3.8 of the standard), white so that
 * the code can be read on a page of any colour. There is no script, no style and no reference to
 * anything outside, so the picture may stand in a page with a strict content security policy or be
 * opened as a file. It has a view box and no size: who embeds it says how large it is to be. What a
 * module is on paper should be 0.4 mm or more.
 *
 * A library of its own (onsale_qr_svg), so that only who draws needs libqrencode. */
#pragma once

#include "lib/base/buffer.h"
#include "lib/base/limits.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
	QR_SVG_TEXT_SIZE_MAX = 512,
	QR_SVG_TITLE_SIZE_MAX = LIMIT_NAME_SIZE_MAX,
	QR_SVG_MODULES_MAX = 117, /* On each side: version 25, which 512 bytes need at level H. */
	QR_SVG_QUIET_MODULES = 4, /* On each side. */
	QR_SVG_SIZE_MAX = 160 * 1024, /* Bytes of the largest picture; a ticket code has 7 KiB. */
};

/* How much of a code may be dirty or torn: about 7, 15, 25 and 30 % of its codewords. */
enum qr_svg_level {
	QR_SVG_LEVEL_L,
	QR_SVG_LEVEL_M, /* For screens, and for paper that is looked after. */
	QR_SVG_LEVEL_Q,
	QR_SVG_LEVEL_H,
};

struct qr_svg {
	struct slice text; /* 1 to QR_SVG_TEXT_SIZE_MAX printable ASCII characters: what else a QR's
			    * bytes mean is a matter on which readers differ. */
	enum qr_svg_level level;
	struct slice title; /* For who cannot see it, and the tooltip: 1 to QR_SVG_TITLE_SIZE_MAX
			     * bytes of UTF-8. Control characters, noncharacters that XML does not
			     * allow and bytes that are no UTF-8 become U+FFFD. */
};

/* Add the picture, an <svg> element without an XML declaration, to what is in `svg`. The smallest
 * version that holds the text is taken, and the same input gives the same bytes. STATUS_REFUSED
 * when text or title is not as above, with nothing added; STATUS_UNAVAILABLE when memory is short
 * or the buffer is full, with `failed` set in the second case, and then perhaps a part is added.
 * Any thread may call. */
__attribute__((warn_unused_result)) enum status qr_svg_add(
	const struct qr_svg *qr, struct buffer *svg);
