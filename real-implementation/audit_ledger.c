/* The provider's ledger, as its simulator shows it (tech-two-phase-payments/simulator), page by
 * page into a temporary table. */
#include <stdio.h>

#include "lib/http/client.h"
#include "real-implementation/audit.sql.h"
#include "real-implementation/audit_internal.h"

enum {
	PAGE_ITEMS = 5000,
	PAGE_SIZE_MAX = 32 << 20,
	PAGES_MAX = 1 << 20, /* For a provider that says the same again and again. */
	PAGE_MS_MAX = 60000,
	URL_SIZE = 1024,
	HEADER_SIZE = 512,
};

static const struct postgres_statement ledger_load = {
	.name = "ledger_load", .sql = sql_ledger_load};
static const struct postgres_statement ledger_ready = {
	.name = "ledger_ready", .sql = sql_ledger_ready};

struct reading {
	const struct audit_options *options;
	struct http_fetcher *fetcher;
	struct postgres *pg;
	int64_t item_count;
	int64_t after; /* -1: that was the last page. */
};

static enum status read_pages(struct reading *reading, struct fault *fault);
static enum status read_page(struct reading *reading, struct fault *fault);
static enum status take_page(struct reading *reading, struct slice body, struct fault *fault);

enum status audit_ledger_make(struct postgres *pg)
{
	return postgres_run_script(pg, sql_ledger_make);
}

enum status audit_ledger_add(struct postgres *pg, struct slice page)
{
	return postgres_execute(pg, &ledger_load, POSTGRES_PARAMETERS(postgres_text(page)), NULL);
}

enum status audit_ledger_read(struct postgres *pg, const struct audit_options *options,
	int64_t *item_count, struct fault *fault)
{
	struct reading reading = {.options = options, .pg = pg};
	const struct http_fetcher_options fetcher = {.in_flight_max = 1,
		.reply_bytes_max = PAGE_SIZE_MAX,
		.attempt_ms_max = PAGE_MS_MAX,
		.total_ms_max = 2 * PAGE_MS_MAX};
	enum status status = http_fetcher_open(&fetcher, &reading.fetcher, fault);
	if (status != STATUS_OK)
		return status;
	status = read_pages(&reading, fault);
	http_fetcher_close(reading.fetcher);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &ledger_ready, POSTGRES_NO_PARAMETERS, NULL);
	*item_count = reading.item_count;
	return status;
}

static enum status read_pages(struct reading *reading, struct fault *fault)
{
	for (int pages = 0; pages < PAGES_MAX && reading->after >= 0; pages++) {
		enum status status = read_page(reading, fault);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status read_page(struct reading *reading, struct fault *fault)
{
	char url[URL_SIZE], token[HEADER_SIZE];
	const char *given = reading->options->ledger_token;
	(void)snprintf(url, sizeof url, "%s/simulator/ledger?limit=%d&after=%lld",
		reading->options->ledger_url, PAGE_ITEMS, (long long)reading->after);
	(void)snprintf(token, sizeof token, "Bearer %s", given ? given : "");
	const struct http_fetch_header header = {"Authorization", slice_of(token)};
	struct http_fetch fetch = {.method = "GET",
				  .url = url,
				  .headers = &header,
				  .header_count = given ? 1 : 0,
				  .retry = HTTP_RETRY_IDEMPOTENT},
			  *done;
	enum status status = http_fetcher_submit(reading->fetcher, &fetch);
	if (status != STATUS_OK)
		return status;
	while (http_fetcher_collect(reading->fetcher, -1, &done, 1) == 0)
		;
	if (fetch.result.outcome != HTTP_FETCH_ANSWERED) {
		fault_set(fault, "ledger", "it does not answer: %s", fetch.result.detail);
		status = STATUS_UNAVAILABLE;
	} else if (fetch.result.status != 200) {
		status = fault_set(
			fault, "ledger", "it answers with status %u", fetch.result.status);
	} else {
		status = take_page(reading, fetch.result.body, fault);
	}
	http_fetch_release(&fetch);
	return status;
}

/* The cursor is a number as text; where it does not grow, the pages would never end. */
static bool read_next(const json_t *next, int64_t *after)
{
	struct slice text = {.data = json_string_value(next), .size = json_string_length(next)};
	int64_t before = *after;
	if (!next) {
		*after = -1;
		return true;
	}
	if (json_is_integer(next))
		*after = json_integer_value(next);
	else if (!text.data || !slice_to_integer(text, 0, INT64_MAX, after))
		return false;
	return *after > before;
}

static enum status take_page(struct reading *reading, struct slice body, struct fault *fault)
{
	json_t *page = json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *items = json_object_get(page, "items");
	bool good =
		json_is_array(items) && read_next(json_object_get(page, "next"), &reading->after);
	reading->item_count += (int64_t)json_array_size(items);
	json_decref(page);
	if (!good)
		return fault_set(fault, "ledger", "it answers with something else than a ledger");
	return audit_ledger_add(reading->pg, body);
}
