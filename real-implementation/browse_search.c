/* From what somebody typed to a page of events. See browse.h. */
#include "lib/base/buffer.h"
#include "real-implementation/browse.h"
#include "real-implementation/browse_statements.sql.h"

#define STATEMENT(name_) \
	static const struct postgres_statement name_ = { \
		.name = #name_, .sql = sql_##name_, .effect = POSTGRES_READS}

STATEMENT(browse_words);
STATEMENT(browse_nearest);
STATEMENT(browse_walk);
STATEMENT(browse_walk_city);
STATEMENT(browse_beyond);
STATEMENT(browse_beyond_city);
STATEMENT(browse_find);

/* Each word may stand for three others of up to 64 characters. */
enum { QUERY_SIZE_MAX = 64 << 10 };

/* Before all events: where a first page begins. */
#define BEGINNING_MS (-62135596800000)

/* A query that is being written. */
struct query {
	struct postgres *pg;
	struct arena *arena;
	struct buffer text;
	size_t corrections;
	bool hopeless; /* Some word is like no other. */
};

static enum status write_query(struct query *query, const struct postgres_result *words);
static enum status add_nearest(struct query *query, struct slice word);
static void add_word(struct query *query, struct slice word, const char *suffix);

enum status browse_query(
	struct postgres *pg, struct slice typed, struct arena *arena, struct slice *query)
{
	struct query writing = {.pg = pg, .arena = arena};
	struct postgres_result words;
	*query = (struct slice){0};
	enum status status = postgres_execute(
		pg, &browse_words, POSTGRES_PARAMETERS(postgres_text(typed)), &words);
	if (status != STATUS_OK) {
		postgres_result_release(&words);
		return status;
	}
	buffer_init(&writing.text, QUERY_SIZE_MAX);
	if (words.row_count > BROWSE_WORDS_MAX)
		status = STATUS_REFUSED;
	else if (words.row_count > 0)
		status = write_query(&writing, &words);
	if (status == STATUS_OK && words.row_count > 0 && !writing.hopeless) {
		query->data =
			writing.text.failed ? NULL : arena_copy(arena, buffer_slice(&writing.text));
		query->size = writing.text.size;
		if (!query->data)
			status = STATUS_UNAVAILABLE;
	}
	buffer_release(&writing.text);
	postgres_result_release(&words);
	return status;
}

static enum status write_query(struct query *query, const struct postgres_result *words)
{
	for (size_t i = 0; i < words->row_count && !query->hopeless; i++) {
		struct slice word = postgres_get_text(words, i, 0);
		bool is_known = postgres_get_boolean(words, i, 1);
		bool is_last = postgres_get_boolean(words, i, 2);
		buffer_add_text(&query->text, i == 0 ? "" : "&");
		if (is_known) {
			add_word(query, word, is_last ? ":*" : "");
			continue;
		}
		enum status status = add_nearest(query, word);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status add_nearest(struct query *query, struct slice word)
{
	struct postgres_result result = {0};
	struct slice *nearest;
	size_t count;
	query->hopeless = query->corrections++ == BROWSE_CORRECTIONS_MAX;
	if (query->hopeless)
		return STATUS_OK;
	enum status status = postgres_execute(
		query->pg, &browse_nearest, POSTGRES_PARAMETERS(postgres_text(word)), &result);
	if (status == STATUS_OK &&
		!postgres_get_text_array(&result, 0, 0, query->arena, &nearest, &count))
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK) {
		query->hopeless = count == 0;
		buffer_add_text(&query->text, "(");
		for (size_t i = 0; i < count; i++) {
			buffer_add_text(&query->text, i == 0 ? "" : "|");
			add_word(query, nearest[i], "");
		}
		buffer_add_text(&query->text, ")");
	}
	postgres_result_release(&result);
	return status;
}

/* A word in the syntax of tsquery. It consists of letters and digits (search_words_of), so there is
 * nothing in it to escape. */
static void add_word(struct query *query, struct slice word, const char *suffix)
{
	buffer_add_text(&query->text, "'");
	buffer_add(&query->text, word.data, word.size);
	buffer_add_text(&query->text, "'");
	buffer_add_text(&query->text, suffix);
}

enum status browse_read_page(
	struct postgres *pg, const struct browse_page *page, struct postgres_result *result)
{
	const struct postgres_parameter parameters[] = {
		postgres_text(page->query),
		postgres_text(page->city),
		page->has_from ? postgres_timestamp(page->from_ms) : postgres_null(),
		page->has_to ? postgres_timestamp(page->to_ms) : postgres_null(),
		postgres_timestamp(page->has_cursor ? page->after_ms : BEGINNING_MS),
		postgres_uuid(page->after), /* All zero is before all others. */
		postgres_bigint(page->limit + 1),
		postgres_bigint(page->query.data ? BROWSE_WALK_EVENTS : page->limit + 1),
	};
	const struct postgres_statement *walk = page->city.data ? &browse_walk_city : &browse_walk;
	const struct postgres_statement *beyond =
		page->city.data ? &browse_beyond_city : &browse_beyond;
	enum { COUNT = sizeof parameters / sizeof parameters[0] };
	enum status status = postgres_execute(pg, walk, parameters, COUNT, result);
	bool is_full = result->row_count == (size_t)page->limit + 1;
	if (status != STATUS_OK || is_full || !page->query.data)
		return status;
	struct postgres_result more;
	status = postgres_execute(pg, beyond, parameters, COUNT, &more);
	bool is_all = status == STATUS_OK && more.row_count == 0;
	postgres_result_release(&more);
	if (is_all)
		return status;
	postgres_result_release(result);
	return status == STATUS_OK
		? postgres_execute(pg, &browse_find, parameters, COUNT - 1, result)
		: status;
}
