/* See waiting_room_page.h. The files stand in web/ and are embedded, so that the program is all
 * that is needed. */
#include "tech-waiting-room/waiting_room_page.h"

#include "tech-waiting-room/web/index.html.h"
#include "tech-waiting-room/web/page.css.h"
#include "tech-waiting-room/web/page.js.h"

static void reply_file(
	struct http_exchange *exchange, const char *type, const void *bytes, size_t size)
{
	http_reply(exchange, 200, type, (struct slice){.data = bytes, .size = size});
	http_reply_header(exchange, "Cache-Control", "no-cache");
	/* Nothing from elsewhere, nothing inline: whoever puts text into the page runs nothing. */
	http_reply_header(exchange, "Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	http_reply_header(exchange, "Referrer-Policy", "no-referrer");
}

static void reply_page(struct http_exchange *exchange)
{
	reply_file(exchange, "text/html; charset=utf-8", web_index_html, web_index_html_size);
}

static void reply_style(struct http_exchange *exchange)
{
	reply_file(exchange, "text/css; charset=utf-8", web_page_css, web_page_css_size);
}

static void reply_script(struct http_exchange *exchange)
{
	reply_file(exchange, "text/javascript; charset=utf-8", web_page_js, web_page_js_size);
}

const struct http_route waiting_room_page_table[] = {
	{HTTP_GET, "/", HTTP_ON_LOOP, reply_page, 0},
	{HTTP_GET, "/page.css", HTTP_ON_LOOP, reply_style, 0},
	{HTTP_GET, "/page.js", HTTP_ON_LOOP, reply_script, 0},
};
const size_t waiting_room_page_count =
	sizeof waiting_room_page_table / sizeof *waiting_room_page_table;
