/* Each run of dark modules in a row is a rectangle of the path: "M4 4h7v1h-7z". */
#include "lib/ticketing/qr_svg.h"

#include <assert.h>
#include <errno.h>
#include <qrencode.h>

#include "lib/base/utf8.h"

/* The least that a rectangle has beside it is a light module. */
_Static_assert(QR_SVG_MODULES_MAX *((QR_SVG_MODULES_MAX + 1) / 2) * sizeof "M121 121h117v1h-117z" +
			QR_SVG_TITLE_SIZE_MAX * sizeof "&quot;" + 1024 <
		QR_SVG_SIZE_MAX,
	"the largest picture is within its bound");

static bool is_sound(const struct qr_svg *qr);
static void add_title(struct buffer *svg, struct slice title);
static void add_path(struct buffer *svg, const QRcode *code);

enum status qr_svg_add(const struct qr_svg *qr, struct buffer *svg)
{
	static const QRecLevel levels[] = {
		[QR_SVG_LEVEL_L] = QR_ECLEVEL_L,
		[QR_SVG_LEVEL_M] = QR_ECLEVEL_M,
		[QR_SVG_LEVEL_Q] = QR_ECLEVEL_Q,
		[QR_SVG_LEVEL_H] = QR_ECLEVEL_H,
	};
	if (!is_sound(qr))
		return STATUS_REFUSED;
	char text[QR_SVG_TEXT_SIZE_MAX + 1];
	memcpy(text, qr->text.data, qr->text.size);
	text[qr->text.size] = '\0';
	/* It looks for the cheapest mixture of digits, capitals and bytes by itself; the last
	 * argument keeps it from making capitals of small letters for that. */
	QRcode *code = QRcode_encodeString(text, 0, levels[qr->level], QR_MODE_8, 1);
	if (!code) {
		assert(errno == ENOMEM);
		return STATUS_UNAVAILABLE;
	}
	assert(code->width <= QR_SVG_MODULES_MAX);
	int side = code->width + 2 * QR_SVG_QUIET_MODULES;
	buffer_add_format(svg,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "
		"shape-rendering=\"crispEdges\"><title>",
		side, side);
	add_title(svg, qr->title);
	buffer_add_format(svg, "</title><rect width=\"%d\" height=\"%d\" fill=\"#fff\"/><path d=\"",
		side, side);
	add_path(svg, code);
	buffer_add_text(svg, "\"/></svg>\n");
	QRcode_free(code);
	return svg->failed ? STATUS_UNAVAILABLE : STATUS_OK;
}

static bool is_sound(const struct qr_svg *qr)
{
	if (qr->text.size == 0 || qr->text.size > QR_SVG_TEXT_SIZE_MAX || qr->title.size == 0 ||
		qr->title.size > QR_SVG_TITLE_SIZE_MAX)
		return false;
	for (size_t i = 0; i < qr->text.size; i++) {
		if (qr->text.data[i] < ' ' || qr->text.data[i] > '~')
			return false;
	}
	return true;
}

/* What stands for this character in an XML text (XML 1.0, sections 2.2 and 2.4); NULL: itself. */
static const char *escape_of(uint32_t code_point)
{
	switch (code_point) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case 0xFFFE:
	case 0xFFFF:
		return "\xEF\xBF\xBD";
	default:
		return utf8_is_control(code_point) ? "\xEF\xBF\xBD" : NULL;
	}
}

static void add_title(struct buffer *svg, struct slice title)
{
	while (title.size > 0) {
		uint32_t code_point = 0; /* A control character, as what is no UTF-8 is taken. */
		size_t size = utf8_decode(title, &code_point);
		const char *escape = escape_of(code_point);
		if (size == 0)
			size = 1;
		if (escape)
			buffer_add_text(svg, escape);
		else
			buffer_add(svg, title.data, size);
		title.data += size;
		title.size -= size;
	}
}

static void add_path(struct buffer *svg, const QRcode *code)
{
	for (int y = 0; y < code->width; y++) {
		const unsigned char *row = code->data + (ptrdiff_t)y * code->width;
		for (int x = 0, end; x < code->width; x = end) {
			/* The lowest bit is the colour. */
			for (end = x + 1; end < code->width && (row[end] & 1) == (row[x] & 1);)
				end++;
			if (row[x] & 1)
				buffer_add_format(svg, "M%d %dh%dv1h-%dz", x + QR_SVG_QUIET_MODULES,
					y + QR_SVG_QUIET_MODULES, end - x, end - x);
		}
	}
}
