/* See seat_listing.h. */
#include "tech-locking-and-transactions/seat_listing.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "lib/ticketing/seating_plan.h"

_Static_assert((int)SEAT_STORE_ID_SIZE_MAX == (int)LIMIT_ID_SIZE_MAX, "a plan's seats are seats");

static enum status fill(const struct seat_listing_options *options, struct seat_listing *event,
	const struct seating_plan *plan, struct fault *fault);
static enum status read_prices(const struct seat_listing_options *options,
	const struct seating_plan *plan, int64_t prices[], struct fault *fault);
static bool make_id(struct seat_listing *event);

enum status seat_listing_new(const struct seat_listing_options *options,
	struct seat_listing **result, struct fault *fault)
{
	const struct seating_plan *plan;
	struct seat_listing *event = calloc(1, sizeof *event);
	if (!event)
		return STATUS_UNAVAILABLE;
	arena_init(&event->arena, SEATING_ARENA_SIZE_MAX);
	enum status status =
		money_parse_currency(slice_of(options->currency), event->currency, fault);
	if (status == STATUS_OK)
		status = seating_plan_read(options->plan, &event->arena, &plan, fault);
	if (status == STATUS_OK)
		status = fill(options, event, plan, fault);
	if (status == STATUS_OK && !make_id(event))
		status = STATUS_UNAVAILABLE;
	if (status != STATUS_OK) {
		seat_listing_free(event);
		return status;
	}
	*result = event;
	return STATUS_OK;
}

void seat_listing_free(struct seat_listing *event)
{
	if (!event)
		return;
	arena_release(&event->arena);
	free(event);
}

static int compare_offers(const void *a, const void *b)
{
	return seat_compare(
		((const struct seat_offer *)a)->seat, ((const struct seat_offer *)b)->seat);
}

static enum status fill(const struct seat_listing_options *options, struct seat_listing *event,
	const struct seating_plan *plan, struct fault *fault)
{
	int64_t prices[SEATING_CATEGORIES_MAX];
	struct slice name = options->name ? slice_of(options->name) : plan->name;
	struct seat_offer *offers =
		arena_calloc(&event->arena, plan->seat_count + 1, sizeof *offers);
	struct slice *sections =
		arena_calloc(&event->arena, plan->zone_count + 1, sizeof *sections);
	event->name = (struct slice){arena_copy(&event->arena, name), name.size};
	if (!offers || !sections || !event->name.data)
		return STATUS_UNAVAILABLE;
	if (!slice_is_text(name) || name.size > LIMIT_NAME_SIZE_MAX)
		return fault_set(
			fault, "name", "must be a text of at most %d bytes", LIMIT_NAME_SIZE_MAX);
	enum status status = read_prices(options, plan, prices, fault);
	if (status != STATUS_OK)
		return status;
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		const struct seating_seat *seat = &plan->seats[i];
		offers[i] = (struct seat_offer){.seat = seat->guid,
			.section = plan->zones[seat->zone_index].name,
			.row = plan->rows[seat->row_index].number,
			.number = seat->number,
			.price = prices[seat->category_index]};
	}
	for (uint32_t i = 0; i < plan->zone_count; i++)
		if (plan->zones[i].seat_count > 0)
			sections[event->section_count++] = plan->zones[i].name;
	qsort(offers, plan->seat_count, sizeof *offers, compare_offers);
	event->venue_name = plan->name;
	event->offers = offers;
	event->offer_count = plan->seat_count;
	event->sections = sections;
	return STATUS_OK;
}

static enum status read_prices(const struct seat_listing_options *options,
	const struct seating_plan *plan, int64_t prices[], struct fault *fault)
{
	struct slice rest = {0}, pair;
	for (uint32_t i = 0; i < plan->category_count; i++)
		prices[i] = options->price;
	if (options->prices && options->prices[0] != '\0')
		rest = slice_of(options->prices);
	while (slice_split(&rest, ',', &pair)) {
		struct slice category;
		int64_t price;
		uint32_t i = 0;
		if (!slice_split(&pair, '=', &category) || !pair.data ||
			!slice_to_integer(pair, 0, MONEY_PRICE_MINOR_MAX, &price))
			return fault_set(fault, "prices", "must be as Category=4500,Other=2000");
		category = slice_trim(category);
		while (i < plan->category_count && !slice_equal(plan->categories[i].name, category))
			i++;
		if (i == plan->category_count)
			return fault_set(fault, "prices", "the plan has no category '%.*s'",
				SLICE_PRINT(category));
		prices[i] = price;
	}
	return STATUS_OK;
}

/* ---- The id ---- */

/* Each text with its size in front, so that no two lists of texts give the same bytes. */
static bool add_text(EVP_MD_CTX *hash, struct slice text)
{
	uint8_t size[2] = {(uint8_t)(text.size >> 8), (uint8_t)text.size};
	return EVP_DigestUpdate(hash, size, sizeof size) == 1 &&
		(text.size == 0 || EVP_DigestUpdate(hash, text.data, text.size) == 1);
}

static bool add_price(EVP_MD_CTX *hash, int64_t price)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)((uint64_t)price >> (56 - 8 * i));
	return EVP_DigestUpdate(hash, bytes, sizeof bytes) == 1;
}

static bool make_id(struct seat_listing *event)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
		add_text(hash, event->name) && add_text(hash, slice_of(event->currency));
	for (size_t i = 0; i < event->offer_count && good; i++) {
		const struct seat_offer *offer = &event->offers[i];
		good = add_text(hash, offer->seat) && add_text(hash, offer->section) &&
			add_text(hash, offer->row) && add_text(hash, offer->number) &&
			add_price(hash, offer->price);
	}
	good = good && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
	EVP_MD_CTX_free(hash);
	if (!good)
		return false;
	event->id = seat_id_of_hash(digest);
	id_format(event->id, event->id_text);
	return true;
}

/* ---- Using it ---- */

const struct seat_offer *seat_listing_find(const struct seat_listing *event, struct slice seat)
{
	struct seat_offer wanted = {.seat = seat};
	return bsearch(&wanted, event->offers, event->offer_count, sizeof wanted, compare_offers);
}

enum status seat_listing_stock(const struct seat_listing *event, struct seat_store *store)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < event->offer_count && status == STATUS_OK;) {
		size_t count = event->offer_count - i;
		count = count < SEAT_STORE_STOCK_MAX ? count : SEAT_STORE_STOCK_MAX;
		status = seat_store_stock(
			store, event->id, slice_of(event->currency), event->offers + i, count);
		i += count;
	}
	return status;
}
