/* A stage takes the rows of a table that are in one state, acts on them, and moves them on.
 *
 * An order that waits to be authorized is a row in the state "authorizing". A stage claims such
 * rows, commits, calls the payment provider without any transaction open, and then moves each row
 * to the state that the answer calls for. There is no queue beside the table: stage_wake() only
 * says that looking is worth while, and a stage looks by itself as well. So there is no recovery
 * either: what a crash left behind is claimed again when its lease has run out, by the same code.
 *
 *	static const struct stage_ops authorize_ops = {.read = read_order, .submit = submit_orders,
 *		.collect = collect_orders, .wake = wake_fetcher, .moved = publish_orders};
 *	struct stage_options options = {.name = "authorize", .state = "authorizing",
 *		.sql = {.claim = sql_claim, .renew = sql_renew, .move = sql_move, .data_count = 1},
 *		.ops = &authorize_ops, .context = payments, .row_size = sizeof(struct order_row),
 *		.database_url = url, .in_flight_max = 2000, .lease_ms = 30000, .metrics = metrics};
 *	struct stage *authorize;
 *	if (stage_open(&options, &authorize) != STATUS_OK || stage_start(authorize) != STATUS_OK)
 *		…
 *	stage_wake(authorize);                  any thread, after a commit that made work
 *	…
 *	stage_stop(authorize, 10000);           claim no more, wait for what is in flight
 *	http_fetcher_close(payments->fetcher);  calls that are still out point into rows
 *	stage_close(authorize);
 *
 * THE ROW. The application embeds struct stage_row as the first member of its own:
 *
 *	struct order_row { struct stage_row base; int64_t amount; struct http_fetch fetch; };
 *
 *	static bool read_order(void *context, struct stage_row *base,
 *		const struct postgres_result *result, size_t index)
 *	{
 *		struct order_row *row = (struct order_row *)base;
 *		row->amount = postgres_get_bigint(result, index, 2);
 *		return true;
 *	}
 *	… and when the provider has answered, in collect_orders:
 *		row->base.data[0] = intent_id;             into the row, with the transition
 *		stage_done(&row->base, "authorized", STAGE_AT_REST);
 *	or	stage_done(&row->base, "declined", STAGE_AT_REST);
 *	or	stage_retry(&row->base, "the provider answered 503", 0);
 *
 * THE TABLE has, beside its key and state, four columns for the stages and two for people:
 *
 *	next_at     timestamptz   when a stage may claim the row; NULL: the row is at rest, which is
 *	                          how rows wait for people, and how they end
 *	lease_token uuid          whose the row is, NULL: nobody's
 *	attempts    integer NOT NULL DEFAULT 0
 *	stuck       boolean NOT NULL DEFAULT false
 *	note        text          what went wrong last
 *	CREATE INDEX … ON orders (status, next_at) WHERE next_at IS NOT NULL;
 *
 * A lease is a next_at in the future together with a token: whoever claims a row pushes its next_at
 * past the time that the act may take. A claimed row whose owner has died is due again by itself.
 *
 * THE STATEMENTS are the application's, as sections of an .sql file, since only it knows the key,
 * what an act needs to know and what else a transition writes (tickets, an outbox). Several stages
 * share them: the state is a parameter. Keys travel as text, whatever they are in the table.
 *
 *	-- name: claim
 *	-- $1 state text, $2 token uuid, $3 lease in ms bigint, $4 most rows integer.
 *	-- Gives: key text, attempts integer, then whatever `read` wants.
 *	UPDATE orders SET lease_token = $2, attempts = attempts + 1,
 *		next_at = clock_timestamp() + $3 * interval '1 ms'
 *	WHERE order_id = ANY (ARRAY(
 *		SELECT order_id FROM orders
 *		WHERE status = $1 AND next_at <= (SELECT clock_timestamp())
 *		ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED))
 *	RETURNING order_id::text, attempts, amount;
 *
 *	-- name: renew
 *	-- $1 state, $2 keys text[], $3 tokens uuid[], $4 lease in ms. Gives: key, token of those
 *	-- that are still ours.
 *	UPDATE orders SET next_at = clock_timestamp() + $4 * interval '1 ms'
 *	FROM unnest($2::text[], $3::uuid[]) AS mine (key, token)
 *	WHERE order_id = mine.key::uuid AND status = $1 AND lease_token = mine.token
 *	RETURNING mine.key, mine.token;
 *
 *	-- name: move
 *	-- $1 state, $2 keys text[], $3 tokens uuid[], $4 new states text[] (NULL: it stays), $5
 *	-- delays in ms bigint[] (negative: at rest), $6 attempts integer[], $7 stuck boolean[], $8
 *	-- notes text[], $9 … data text[]. Gives: key, token of those that were moved.
 *	UPDATE orders SET status = coalesce(m.state, orders.status), lease_token = NULL,
 *		attempts = m.attempts, next_at = CASE WHEN m.delay >= 0
 *			THEN clock_timestamp() + m.delay * interval '1 ms' END,
 *		stuck = m.stuck, note = m.note, intent_id = coalesce(m.intent_id, orders.intent_id)
 *	FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[],
 *		$7::boolean[], $8::text[], $9::text[])
 *		AS m (key, token, state, delay, attempts, stuck, note, intent_id)
 *	WHERE order_id = m.key::uuid AND status = $1 AND lease_token = m.token
 *	RETURNING m.key, m.token;
 *
 * The last WHERE is the fence. A process that was stopped past its lease and goes on finds that its
 * token is no longer the row's, and its transition changes nothing. Four more rules:
 *   - Time is clock_timestamp() in the database, never now(), which stands still while a
 *     transaction waits, and never a server's clock. In the claim it is behind a SELECT, so that
 *     the index can be searched for it.
 *   - Whoever else changes the state of a row does so with `lease_token = NULL`. Whoever must not,
 *     since an act may be under way (its buyer cancels), sets a mark beside it, makes the row due
 *     if it is nobody's, and has `move` look at the mark: a row with one is due at once and never
 *     at rest. A stage for such rows claims by the mark, whatever their state; it leaves $1 out of
 *     its WHERE, where the token alone is fence enough. No two stages have one row at a time.
 *   - The claim takes its keys from an array and not by a join: for a join the planner, who does
 *     not know how small $4 is, might read the whole table.
 *   - The fence guards the table. The act itself may happen twice (a crash behind it, a lease that
 *     ran out), so it needs an idempotency key made of the row and its state, never of the lease.
 *
 * A transition that the database refuses (a constraint, a text that is no number) does not take its
 * neighbours with it: the batch is halved until the row is found, and that one is marked stuck.
 *
 * DESIGN. One thread and one connection per stage. Each turn claims what there is room for, hands
 * it to the act, collects what is done, and moves that in one statement; while the statement runs,
 * more gets done, so batches grow with the load and an idle stage adds no delay. Leases of rows in
 * flight are renewed in one statement. Rows are allocated when the stage is opened. A lane may
 * drive a stage instead of its own thread, see stage_step(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/id.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/metrics/metrics.h"
#include "lib/postgres/postgres.h"

enum {
	STAGE_NAME_SIZE = 48,       /* Of a stage's name and of a state's, with the zero byte. */
	STAGE_BATCH_MAX = 1024,     /* Rows of one claim, and of one move. */
	STAGE_IN_FLIGHT_MAX = 8192, /* Rows between claim and transition. */
	STAGE_DATA_MAX = 8,         /* Texts of the application's in one transition. */
	STAGE_ATTEMPTS_MAX = 1000000,
	STAGE_LEASE_MS_MIN = 100,
	STAGE_MS_MAX = 24 * 3600 * 1000, /* Of each option. */
	STAGE_ROW_BYTES_MAX = 64 * 1024, /* Of one row's arena. */

	STAGE_BATCH_DEFAULT = 256,
	STAGE_LEASE_MS_DEFAULT = 30000,
	STAGE_POLL_MS_DEFAULT = 1000,
	STAGE_BACKOFF_MS_MIN_DEFAULT = 200,
	STAGE_BACKOFF_MS_MAX_DEFAULT = 60000,
	STAGE_ATTEMPTS_DEFAULT = 25,
	STAGE_CALL_MS_DEFAULT = 5000,
	STAGE_CONNECT_MS_DEFAULT = 3000,
};

_Static_assert(STAGE_BATCH_DEFAULT <= STAGE_BATCH_MAX, "a default batch is allowed");

/* The longest delay of a transition: a year. */
#define STAGE_DELAY_MS_MAX (INT64_C(366) * 24 * 3600 * 1000)

/* As the delay of a transition. */
enum {
	STAGE_AT_ONCE = 0,  /* The next stage may claim the row now. */
	STAGE_AT_REST = -1, /* No stage does until somebody sets next_at. */
};

/* ---- One row ---- */

enum stage_outcome {
	STAGE_NO_OUTCOME, /* A row that is handed back like this is retried. */
	STAGE_DONE,
	STAGE_WAITS,
	STAGE_RETRIED,
	STAGE_STUCK,
};

/* In memory of the stage's: the first member of the application's own struct, the rest of which is
 * zero when `read` is called. It is the application's from `submit` until `collect` hands it back.
 */
struct stage_row {
	struct slice key;   /* As the claim gave it. */
	int attempts;       /* Claims since the row came into its state, this one included. */
	struct arena arena; /* For the row's texts: everything that `read` copies and that `data`
			     * and notes point at. At most STAGE_ROW_BYTES_MAX; it is emptied when
			     * the row has been moved. */

	/* What becomes of the row: set by the functions below. */
	enum stage_outcome outcome;
	const char *next_state; /* Borrowed until the row is moved. */
	int64_t delay_ms;
	struct slice note; /* `data` NULL: none. */

	/* The application's: passed on as $9, $10, …, whatever the outcome. NULL where `data` is.
	 */
	struct slice data[STAGE_DATA_MAX];

	/* The stage's own. */
	struct {
		struct stage_row *previous, *next;
		struct id token;
		int64_t lease_end_ms, submitted_ns;
		enum { STAGE_ROW_FREE, STAGE_ROW_IN_FLIGHT, STAGE_ROW_FINISHED } place;
		bool kept;     /* The last renewal named it. */
		bool lost;     /* Somebody else has it. */
		bool doubtful; /* A move with it was sent and not answered. */
		bool refused;  /* The database has refused its transition. */
		bool moved;    /* The database has made it. */
	} own;
};

/* The act has succeeded, or failed for a reason that has a state of its own ("declined"): move the
 * row to `next_state`, where it is due after `delay_ms` (or STAGE_AT_ONCE, STAGE_AT_REST) with its
 * attempts at zero. A state that people leave under a deadline has that as its delay, and a stage
 * for those that come due. */
void stage_done(struct stage_row *row, const char *next_state, int64_t delay_ms);

/* Nothing is wrong, but there is no answer yet: the row stays in its state and is claimed again
 * after `delay_ms`. Does not count as an attempt. */
void stage_wait(struct stage_row *row, int64_t delay_ms);

/* The act has failed for now. The row stays in its state and is claimed again after `delay_ms`, or
 * for 0 after a backoff: between half and the whole of min(backoff_ms_max, backoff_ms_min ×
 * 2^(attempts − 1)), evenly distributed ("equal jitter", M. Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015). After attempts_max it is stuck. The note says why; NULL:
 * nothing. It is copied. */
void stage_retry(struct stage_row *row, const char *note, int64_t delay_ms);

/* No retry would help. The row stays in its state, at rest and marked stuck, until a person has
 * looked at it: UPDATE … SET stuck = false, attempts = 0, next_at = clock_timestamp(). */
void stage_give_up(struct stage_row *row, const char *note);

/* ---- The stage ---- */

/* Where a test may stop or kill a process. */
enum stage_point {
	STAGE_BEFORE_CLAIM,
	STAGE_AFTER_CLAIM, /* Committed; the act has not begun. */
	STAGE_AFTER_ACT,   /* Rows were handed back; their transitions are not sent. */
	STAGE_AFTER_MOVE,  /* Committed; nobody was told. */
	STAGE_AFTER_RENEW,
	STAGE_POINT_COUNT,
};

/* The point's name: "before-claim", …. Never NULL. */
const char *stage_point_name(enum stage_point point);

/* What a stage calls, always from the one thread that drives it; but for `wake`, which comes from
 * any. Either `act`, or `submit`, `collect` and `wake`. */
struct stage_ops {
	/* Copy what the act needs out of row `index` of the claim, into `row` and its arena. False:
	 * it cannot be understood; the row is retried and in the end stuck. NULL: the key is
	 * enough. */
	bool (*read)(void *context, struct stage_row *row, const struct postgres_result *result,
		size_t index);

	/* Do it, for all of them, and set each row's outcome. May block for at most the lease,
	 * which is not renewed meanwhile. 1 to batch_max rows. */
	void (*act)(void *context, struct stage_row *const rows[], size_t count);

	/* Begin, without waiting: for acts that take long and do not want to wait for each other.
	 * The array is borrowed for the call, the rows are not.
	 * A row for which there is no room is handed back by the next collect, as to be retried. */
	void (*submit)(void *context, struct stage_row *const rows[], size_t count);

	/* Wait until at least one row is done, `timeout_ms` have passed, or `wake` was called; put
	 * up to `max` rows, their outcomes set, into `done` and return how many. Each submitted row
	 * exactly once. Only called while rows are in flight. */
	size_t (*collect)(void *context, int64_t timeout_ms, struct stage_row *done[], size_t max);

	/* Let the collect that waits now, or else the next one, return at once. */
	void (*wake)(void *context);

	/* The transitions of these rows are committed: publish, wake the next stage. A hint, since
	 * a crash may come before it, and a connection that was lost during the commit leaves it
	 * out. The rows are the stage's again when it returns. NULL: nobody wants to know. */
	void (*moved)(void *context, struct stage_row *const rows[], size_t count);

	/* For tests that kill a process where it hurts. NULL: none. */
	void (*at)(void *context, enum stage_point point);
};

/* See the top of this file. The texts must outlive the stage. */
struct stage_sql {
	const char *claim, *renew, *move; /* `renew` may be NULL where there is an `act`. */
	size_t data_count;                /* Texts that `move` takes as $9 and on. */
};

/* Zero means the default, where there is one. Texts are copied but for the statements. */
struct stage_options {
	const char *name;  /* For thread, metrics, log and pg_stat_activity. */
	const char *state; /* $1 of the statements. */
	struct stage_sql sql;
	const struct stage_ops *ops;
	void *context;
	size_t row_size; /* Of the application's struct. 0: that of struct stage_row. */
	const char *database_url;
	const char *database_settings; /* Of the session, as in postgres.h; NULL: none. */
	size_t batch_max;              /* Rows of one claim or one move, up to STAGE_BATCH_MAX. */
	size_t in_flight_max;          /* Up to STAGE_IN_FLIGHT_MAX. 0: batch_max. */
	int64_t lease_ms;       /* Longer than any single call to the database, and with `act`
				 * longer than that. Renewed each third of it. */
	int64_t poll_ms;        /* How often an idle stage looks without being woken. */
	int64_t backoff_ms_min; /* After the first attempt. */
	int64_t backoff_ms_max;
	int attempts_max;        /* Claims after which a row is stuck, those of processes that died
				  * with it included: so a row that kills its process is found. */
	int64_t call_ms_max;     /* For one statement. Nothing is collected meanwhile. */
	int64_t connect_ms_max;  /* For connecting, within call_ms_max; at most a second, so that
				  * a stage can be stopped whose database is away. */
	struct metrics *metrics; /* NULL: none are kept. Must outlive the stage. */
};

struct stage;

/* Allocate everything; connects when it is first driven. Metrics must be registered before
 * metrics_freeze(), so open the stages, freeze, then start them. Stages of one name share their
 * metrics. UNAVAILABLE when memory or descriptors are short. Metrics, each with the label `stage`:
 *	stage_claimed_total      rows claimed
 *	stage_done_total         moved to another state
 *	stage_waited_total       put off without fault
 *	stage_retried_total      failed for now
 *	stage_stuck_total        marked stuck
 *	stage_lost_total         whose lease somebody else had taken: acted on in vain
 *	stage_in_flight          gauge, claimed and not yet handed back
 *	stage_act_seconds        histogram, from claim until handed back
 *	stage_moved_rows         histogram, rows per move */
__attribute__((warn_unused_result)) enum status stage_open(
	const struct stage_options *options, struct stage **stage);

/* Drive it by a thread of its own from now on. UNAVAILABLE when there is none to be had. */
__attribute__((warn_unused_result)) enum status stage_start(struct stage *stage);

/* Drive it by the caller's thread, always the same one: one turn, which waits for up to
 * `timeout_ms` when there is nothing to do. Returns when it wants to be called again, monotonic in
 * ms by the system's clock. A lane's tick is `return stage_step(stage, 0);`; there stage_wake()
 * does not shorten the pause, so the lane is woken by an item. Not for a stage that was started. */
int64_t stage_step(struct stage *stage, int64_t timeout_ms);

/* There may be rows that are due. Any thread, until stage_close(). Does not block. */
void stage_wake(struct stage *stage);

/* Claim no more, wait up to `timeout_ms` for the rows in flight and their transitions, and end the
 * thread. Returns how many rows were left: their leases run out, and another process takes them. An
 * `act` that blocks is waited for however long it takes. Again does nothing. */
size_t stage_stop(struct stage *stage, int64_t timeout_ms);

/* Stop without waiting, and free. Whatever still points into rows must have ended before. Accepts
 * NULL. */
void stage_close(struct stage *stage);

/* The stage's connection, for use within its ops and with no transaction left open. */
struct postgres *stage_postgres(struct stage *stage);
