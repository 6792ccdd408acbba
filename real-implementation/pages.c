/* See pages.h. The files stand in web/ and are embedded. */
#include "real-implementation/pages.h"

#include "real-implementation/openapi.json.h"
#include "real-implementation/web/api.js.h"
#include "real-implementation/web/app.css.h"
#include "real-implementation/web/app.js.h"
#include "real-implementation/web/dom.js.h"
#include "real-implementation/web/event.js.h"
#include "real-implementation/web/events.js.h"
#include "real-implementation/web/icon.svg.h"
#include "real-implementation/web/index.html.h"
#include "real-implementation/web/orders.js.h"
#include "real-implementation/web/queue.js.h"
#include "real-implementation/web/seatmap.js.h"
#include "real-implementation/web/seats.js.h"

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
}

/* A handler for each file, which is what a route names. */
#define PAGE(name, type) \
	static void reply_##name(struct http_exchange *exchange) \
	{ \
		reply_file(exchange, type, page_##name, page_##name##_size); \
	}

PAGE(index_html, "text/html; charset=utf-8")
PAGE(app_css, "text/css; charset=utf-8")
PAGE(icon_svg, "image/svg+xml")
PAGE(api_js, "text/javascript; charset=utf-8")
PAGE(app_js, "text/javascript; charset=utf-8")
PAGE(dom_js, "text/javascript; charset=utf-8")
PAGE(event_js, "text/javascript; charset=utf-8")
PAGE(events_js, "text/javascript; charset=utf-8")
PAGE(orders_js, "text/javascript; charset=utf-8")
PAGE(queue_js, "text/javascript; charset=utf-8")
PAGE(seatmap_js, "text/javascript; charset=utf-8")
PAGE(seats_js, "text/javascript; charset=utf-8")
PAGE(openapi_json, "application/json")

const struct http_route page_route_table[] = {
	{HTTP_GET, "/", HTTP_ON_LOOP, reply_index_html, 0},
	{HTTP_GET, "/app.css", HTTP_ON_LOOP, reply_app_css, 0},
	{HTTP_GET, "/icon.svg", HTTP_ON_LOOP, reply_icon_svg, 0},
	{HTTP_GET, "/api.js", HTTP_ON_LOOP, reply_api_js, 0},
	{HTTP_GET, "/app.js", HTTP_ON_LOOP, reply_app_js, 0},
	{HTTP_GET, "/dom.js", HTTP_ON_LOOP, reply_dom_js, 0},
	{HTTP_GET, "/event.js", HTTP_ON_LOOP, reply_event_js, 0},
	{HTTP_GET, "/events.js", HTTP_ON_LOOP, reply_events_js, 0},
	{HTTP_GET, "/orders.js", HTTP_ON_LOOP, reply_orders_js, 0},
	{HTTP_GET, "/queue.js", HTTP_ON_LOOP, reply_queue_js, 0},
	{HTTP_GET, "/seatmap.js", HTTP_ON_LOOP, reply_seatmap_js, 0},
	{HTTP_GET, "/seats.js", HTTP_ON_LOOP, reply_seats_js, 0},
	{HTTP_GET, "/openapi.json", HTTP_ON_LOOP, reply_openapi_json, 0},
};
const size_t page_route_count = sizeof page_route_table / sizeof *page_route_table;
