/* See bank.h. What it says is known to everybody; whether the link is good is found by the answer.
 */
#include "tech-two-phase-payments/simulator/bank.h"

#include "tech-two-phase-payments/simulator/bank.css.h"
#include "tech-two-phase-payments/simulator/bank.html.h"
#include "tech-two-phase-payments/simulator/bank.js.h"
#include "tech-two-phase-payments/simulator/bank.svg.h"

static void reply(struct http_exchange *exchange, const char *type, const void *bytes, size_t size)
{
	http_reply(exchange, 200, type, (struct slice){.data = bytes, .size = size});
	http_reply_header(exchange, "Cache-Control", "no-store");
	/* The link has a secret. */
	http_reply_header(exchange, "Referrer-Policy", "no-referrer");
	http_reply_header(exchange, "X-Content-Type-Options", "nosniff");
	http_reply_header(exchange, "Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

void bank_reply_page(struct http_exchange *exchange)
{
	reply(exchange, "text/html; charset=utf-8", bank_bank_html, bank_bank_html_size);
}

void bank_reply_script(struct http_exchange *exchange)
{
	reply(exchange, "text/javascript; charset=utf-8", bank_bank_js, bank_bank_js_size);
}

void bank_reply_style(struct http_exchange *exchange)
{
	reply(exchange, "text/css; charset=utf-8", bank_bank_css, bank_bank_css_size);
}

void bank_reply_icon(struct http_exchange *exchange)
{
	reply(exchange, "image/svg+xml", bank_bank_svg, bank_bank_svg_size);
}
