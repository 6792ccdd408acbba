/* A batch as if its requests were made one after the other, by as few statements as possible.
 *
 * A statement sees the state from before itself, and an UPDATE … FROM applies one of several rows
 * that join. So a round takes those requests that are about nothing that an earlier one is about;
 * the others wait for the next round, or are answered from what the last one has found out. Most
 * batches are one round, and so is a crowd before one seat. */
#include <string.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"

/* Move the requests that may go now from pending to round, and return how many. */
static size_t plan(struct postgres_seats *store, const struct seats_batch *batch, size_t *count)
{
	size_t taken = 0, kept = 0;
	for (size_t i = 0; i < *count; i++) {
		size_t index = store->pending[i];
		if (batch->claim(store, batch->requests, index))
			store->round[taken++] = index;
		else
			store->pending[kept++] = index;
	}
	*count = kept;
	return taken;
}

/* One row that the database refuses makes it refuse the statement. So halve until it is alone. */
static enum status apply(struct postgres_seats *store, const struct seats_batch *batch,
	const size_t indexes[], size_t count)
{
	enum status status = batch->apply(store, batch->requests, batch->results, indexes, count);
	if (!seats_data_failed(store->pg, status)) {
		store->applied |= status == STATUS_OK;
		return status;
	}
	if (count == 1) {
		batch->refuse(store, batch->results, indexes[0]);
		return STATUS_OK;
	}
	status = apply(store, batch, indexes, count / 2);
	if (status == STATUS_OK)
		status = apply(store, batch, indexes + count / 2, count - count / 2);
	return status;
}

static void answer(struct postgres_seats *store, const struct seats_batch *batch, size_t *count)
{
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++)
		if (!batch->answer(store, batch->requests, batch->results, store->pending[i]))
			store->pending[kept++] = store->pending[i];
	*count = kept;
}

enum status seats_in_rounds(
	struct postgres_seats *store, const struct seats_batch *batch, size_t count)
{
	enum status status = STATUS_OK;
	store->applied = false;
	while (status == STATUS_OK && count > 0) {
		seats_keys_reset(&store->keys);
		size_t taken = plan(store, batch, &count);
		status = apply(store, batch, store->round, taken);
		if (status == STATUS_OK && batch->answer && count > 0)
			answer(store, batch, &count);
	}
	return status;
}
