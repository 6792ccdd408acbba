/* The pictures, read back by programs that know nothing of ours: librsvg draws them, ZBar reads. */
#include "lib/ticketing/qr_svg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/testkit/process.h"
#include "lib/ticketing/ticket_code.h"

enum {
	PROGRAM_MS_MAX = 120000, /* Not an expectation; a busy machine may stand still. */
	NOTHING_FOUND = 4,       /* zbarimg's exit code for it. */
};

static char folder[] = "/tmp/onsale-qr-XXXXXX";
static char svg_path[64], png_path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(svg_path, sizeof svg_path, "%s/code.svg", folder);
	snprintf(png_path, sizeof png_path, "%s/code.png", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(svg_path);
	unlink(png_path);
	return rmdir(folder);
}

/* ---- reading back ---- */

/* The program's exit code; what it printed goes to `output`, which the caller frees. */
static int run(const char *const arguments[], char **output)
{
	struct process process;
	struct process_options options = {.arguments = arguments};
	assert_int_equal(process_start(&process, &options), STATUS_OK);
	assert_int_equal(process_wait(&process, PROGRAM_MS_MAX), STATUS_OK);
	*output = process_output(&process);
	int code = process.exit_code;
	process_release(&process);
	return code;
}

static void draw(struct slice svg, int width)
{
	char width_text[16], *output;
	snprintf(width_text, sizeof width_text, "%d", width);
	FILE *file = fopen(svg_path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(svg.data, 1, svg.size, file), svg.size);
	assert_int_equal(fclose(file), 0);
	const char *const arguments[] = {
		"rsvg-convert", "--width", width_text, "--output", png_path, svg_path, NULL};
	assert_int_equal(run(arguments, &output), 0);
	free(output);
}

/* What ZBar reads in the picture, which the caller frees; NULL when it finds no code. */
static char *read_back(struct slice svg, int width)
{
	static const char *const arguments[] = {"zbarimg", "--quiet", "--raw", "--nodbus",
		"-Sdisable", "-Sqrcode.enable", png_path, NULL};
	char *output;
	draw(svg, width);
	int code = run(arguments, &output);
	if (code == 0)
		return output;
	assert_int_equal(code, NOTHING_FOUND);
	free(output);
	return NULL;
}

/* Modules on each side, quiet zone included, as the view box says. */
static int side_of(struct slice svg)
{
	int width = 0, height = 0;
	const char *at = strstr(svg.data, "viewBox=\"0 0 ");
	assert_non_null(at);
	/* NOLINTNEXTLINE(cert-err34-c): our own numbers, and what is not one leaves zero. */
	assert_int_equal(sscanf(at, "viewBox=\"0 0 %d %d\"", &width, &height), 2);
	assert_int_equal(width, height);
	return width;
}

static void add(struct buffer *svg, const char *text, enum qr_svg_level level, const char *title)
{
	const struct qr_svg qr = {.text = slice_of(text), .level = level, .title = slice_of(title)};
	buffer_init(svg, QR_SVG_SIZE_MAX);
	assert_int_equal(qr_svg_add(&qr, svg), STATUS_OK);
	buffer_add(svg, "", 1); /* For strstr. */
	svg->size--;
}

/* Drawn with so many pixels for a module, it is read; the number of modules on its side. */
static int assert_read_back(const char *text, enum qr_svg_level level, int pixels)
{
	struct buffer svg;
	add(&svg, text, level, "A code");
	int side = side_of(buffer_slice(&svg));
	char *read = read_back(buffer_slice(&svg), side * pixels);
	assert_non_null(read);
	/* zbarimg ends it by a newline. */
	assert_int_equal(strlen(read), strlen(text) + 1);
	assert_memory_equal(read, text, strlen(text));
	assert_int_equal(read[strlen(text)], '\n');
	free(read);
	buffer_release(&svg);
	return side - 2 * QR_SVG_QUIET_MODULES;
}

/* Version v has 17 + 4v modules on each side. */
static void a_ticket_code_is_read_in_version_7(void **state)
{
	(void)state;
	struct ticket_signer *signer;
	char text[TICKET_CODE_TEXT_SIZE];
	const struct ticket_code code = {
		.event = id_new(1700000000000), .ticket = id_new(1700000000000), .generation = 1};
	struct ticket_code got;
	assert_int_equal(
		ticket_signer_new(
			slice_of("k1:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="), &signer, NULL),
		STATUS_OK);
	ticket_code_make(signer, &code, text);
	assert_int_equal(assert_read_back(text, QR_SVG_LEVEL_L, 4), 17 + 4 * 6);
	assert_int_equal(assert_read_back(text, QR_SVG_LEVEL_M, 4), 17 + 4 * 7);
	assert_int_equal(assert_read_back(text, QR_SVG_LEVEL_Q, 3), 17 + 4 * 9);
	assert_int_equal(ticket_code_read(ticket_signer_public(signer), slice_of(text), &got, NULL),
		TICKET_CODE_GENUINE);
	ticket_signer_free(signer);
}

static void every_printable_character_is_read(void **state)
{
	(void)state;
	char text['~' - ' ' + 2] = "";
	for (int c = ' '; c <= '~'; c++)
		text[c - ' '] = (char)c;
	assert_read_back(text, QR_SVG_LEVEL_M, 4);
	assert_read_back("https://example.com/t?c=a%20b&d=1#e", QR_SVG_LEVEL_H, 4);
	assert_int_equal(assert_read_back("7", QR_SVG_LEVEL_L, 8), 21);
}

static void the_longest_text_is_read(void **state)
{
	(void)state;
	char text[QR_SVG_TEXT_SIZE_MAX + 1] = "";
	for (size_t i = 0; i < QR_SVG_TEXT_SIZE_MAX; i++)
		text[i] = (char)('a' + i * 7 % 26);
	assert_int_equal(assert_read_back(text, QR_SVG_LEVEL_H, 4), QR_SVG_MODULES_MAX);
}

/* The control of the above: the reader sees when modules are not where they should be. */
static void a_spoilt_picture_is_not_read(void **state)
{
	(void)state;
	struct buffer svg;
	add(&svg, "spoilt", QR_SVG_LEVEL_L, "A code");
	char *read = read_back(buffer_slice(&svg), 400);
	assert_string_equal(read, "spoilt\n");
	free(read);
	char *path = strstr(svg.data, "d=\"M");
	assert_non_null(path);
	/* The rows in the middle move away. */
	for (char *at = path; (at = strchr(at, 'M')) != NULL; at++) {
		char *y = strchr(at, ' ') + 1;
		if (y[0] == '1' && y[1] != 'h')
			y[0] = '9';
	}
	assert_null(read_back(buffer_slice(&svg), 400));
	buffer_release(&svg);
}

/* ---- the text of the picture ---- */

static void a_picture_is_one_path_and_says_so(void **state)
{
	(void)state;
	static const char start[] =
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 29 29\" role=\"img\" "
		"shape-rendering=\"crispEdges\"><title>Row 1, seat 2</title>"
		"<rect width=\"29\" height=\"29\" fill=\"#fff\"/><path d=\"M4 4h7v1h-7z";
	static const char end[] = "z\"/></svg>\n";
	struct buffer svg, again;
	add(&svg, "A", QR_SVG_LEVEL_M, "Row 1, seat 2");
	add(&again, "A", QR_SVG_LEVEL_M, "Row 1, seat 2");
	assert_true(slice_equal(buffer_slice(&svg), buffer_slice(&again)));
	assert_true(slice_starts_with(buffer_slice(&svg), start));
	assert_true(svg.size > sizeof end);
	assert_string_equal(svg.data + svg.size - strlen(end), end);
	/* Nothing is drawn in the quiet zone: each rectangle lies in the 21 modules within. */
	size_t count = 0;
	for (const char *at = strstr(svg.data, "d=\"") + 3; *at == 'M'; count++) {
		int x, y, width, back, size = 0;
		/* NOLINTNEXTLINE(cert-err34-c): our own numbers; what is none leaves size zero. */
		(void)sscanf(at, "M%d %dh%dv1h-%dz%n", &x, &y, &width, &back, &size);
		assert_true(size > 0 && width == back && width > 0);
		assert_in_range(x, 4, 24);
		assert_in_range(y, 4, 24);
		assert_in_range(x + width, 5, 25);
		at += size;
	}
	assert_in_range(count, 21, 21 * 11);
	buffer_release(&svg);
	buffer_release(&again);
}

static void assert_title(struct slice title, const char *escaped)
{
	const struct qr_svg qr = {.text = slice_of("A"), .title = title};
	struct buffer svg;
	char wanted[QR_SVG_TITLE_SIZE_MAX * 6 + 32];
	buffer_init(&svg, QR_SVG_SIZE_MAX);
	assert_int_equal(qr_svg_add(&qr, &svg), STATUS_OK);
	snprintf(wanted, sizeof wanted, "<title>%s</title>", escaped);
	assert_non_null(memmem(svg.data, svg.size, wanted, strlen(wanted)));
	/* And it is XML still. */
	char *read = read_back(buffer_slice(&svg), 290);
	assert_string_equal(read, "A\n");
	free(read);
	buffer_release(&svg);
}

static void a_title_is_escaped(void **state)
{
	(void)state;
	assert_title(slice_of("</title><script>alert(\"1\" & '2')</script>"),
		"&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot; &amp; "
		"&#39;2&#39;)&lt;/script&gt;");
	assert_title(slice_of("]]>&amp;<!--\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xab"),
		"]]&gt;&amp;amp;&lt;!--\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xab");
	assert_title((struct slice){.data = "a\0b\x1b\nc\x7f", .size = 7},
		"a\xef\xbf\xbd"
		"b\xef\xbf\xbd\xef\xbf\xbd"
		"c\xef\xbf\xbd");
	/* No UTF-8, half a character at the end, a surrogate, and U+FFFE. */
	assert_title(slice_of("\xff-\xed\xa0\x80-\xef\xbf\xbe-\xe2\x82"),
		"\xef\xbf\xbd-\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd-\xef\xbf\xbd-"
		"\xef\xbf\xbd\xef\xbf"
		"\xbd");
	char longest[QR_SVG_TITLE_SIZE_MAX + 1] = "", escaped[QR_SVG_TITLE_SIZE_MAX * 6 + 1] = "";
	for (size_t i = 0; i < QR_SVG_TITLE_SIZE_MAX; i++) {
		longest[i] = '"';
		memcpy(escaped + 6 * i, "&quot;", 6);
	}
	assert_title(slice_of(longest), escaped);
}

static void assert_refused(struct slice text, struct slice title)
{
	const struct qr_svg qr = {.text = text, .title = title};
	struct buffer svg;
	buffer_init(&svg, QR_SVG_SIZE_MAX);
	buffer_add_text(&svg, "before");
	assert_int_equal(qr_svg_add(&qr, &svg), STATUS_REFUSED);
	assert_true(slice_is(buffer_slice(&svg), "before"));
	buffer_release(&svg);
}

static void what_no_reader_would_agree_on_is_refused(void **state)
{
	(void)state;
	char longer[QR_SVG_TEXT_SIZE_MAX + 1];
	memset(longer, 'A', sizeof longer);
	const struct slice too_long = {.data = longer, .size = sizeof longer};
	const struct slice long_title = {.data = longer, .size = QR_SVG_TITLE_SIZE_MAX + 1};
	assert_refused(slice_of(""), slice_of("t"));
	assert_refused((struct slice){.data = NULL}, slice_of("t"));
	assert_refused(too_long, slice_of("t"));
	assert_refused(slice_of("A"), slice_of(""));
	assert_refused(slice_of("A"), long_title);
	assert_refused((struct slice){.data = "A\0B", .size = 3}, slice_of("t"));
	assert_refused(slice_of("A\n"), slice_of("t"));
	assert_refused(slice_of("A\x7f"), slice_of("t"));
	assert_refused(slice_of("\xc3\xa4"), slice_of("t"));
}

static void a_full_buffer_is_told(void **state)
{
	(void)state;
	const struct qr_svg qr = {.text = slice_of("A"), .title = slice_of("t")};
	struct buffer svg;
	buffer_init(&svg, 1000);
	assert_int_equal(qr_svg_add(&qr, &svg), STATUS_UNAVAILABLE);
	assert_true(svg.failed && svg.size <= 1000);
	buffer_release(&svg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_code_is_read_in_version_7),
		cmocka_unit_test(every_printable_character_is_read),
		cmocka_unit_test(the_longest_text_is_read),
		cmocka_unit_test(a_spoilt_picture_is_not_read),
		cmocka_unit_test(a_picture_is_one_path_and_says_so),
		cmocka_unit_test(a_title_is_escaped),
		cmocka_unit_test(what_no_reader_would_agree_on_is_refused),
		cmocka_unit_test(a_full_buffer_is_told),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
