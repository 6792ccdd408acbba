/* See pages.h. The files stand in web/ and are embedded. */
#include "real-implementation/pages.h"

#include "real-implementation/openapi.json.h"
#include "real-implementation/web/app.css.h"
#include "real-implementation/web/app.js.h"
#include "real-implementation/web/index.html.h"

static void reply_file(
	struct http_exchange *exchange, const char *type, const void *bytes, size_t size)
{
	http_reply(exchange, 200, type, (struct slice){.data = bytes, .size = size});
	http_reply_header(exchange, "Cache-Control", "no-cache");
	/* Nothing from elsewhere, nothing inline: whoever puts text into the page runs nothing. */
	http_reply_header(exchange, "Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	http_reply_header(exchange, "Referrer-Policy", "no-referrer");
	http_reply_header(exchange, "X-Content-Type-Options", "nosniff");
}

static void reply_page(struct http_exchange *exchange)
{
	reply_file(exchange, "text/html; charset=utf-8", page_index_html, page_index_html_size);
}

static void reply_style(struct http_exchange *exchange)
{
	reply_file(exchange, "text/css; charset=utf-8", page_app_css, page_app_css_size);
}

static void reply_script(struct http_exchange *exchange)
{
	reply_file(exchange, "text/javascript; charset=utf-8", page_app_js, page_app_js_size);
}

static void reply_openapi(struct http_exchange *exchange)
{
	reply_file(exchange, "application/json", page_openapi_json, page_openapi_json_size);
}

const struct http_route page_route_table[] = {
	{HTTP_GET, "/", HTTP_ON_LOOP, reply_page, 0},
	{HTTP_GET, "/app.css", HTTP_ON_LOOP, reply_style, 0},
	{HTTP_GET, "/app.js", HTTP_ON_LOOP, reply_script, 0},
	{HTTP_GET, "/openapi.json", HTTP_ON_LOOP, reply_openapi, 0},
};
const size_t page_route_count = sizeof page_route_table / sizeof *page_route_table;
