-- What the bench asks the database beside the load.

-- name: begin_anew
-- Every load begins without the rows of the one before.
TRUNCATE payments.orders, payments.idempotency_keys;

-- name: checkpoint
CHECKPOINT;

-- name: under_way
-- Orders that a stage has to do with, now or soon.
SELECT count(*) FROM payments.orders WHERE next_at IS NOT NULL;

-- name: authorized
-- The orders that wait to be finalized: what the part that sells the seats would know by itself.
SELECT order_id FROM payments.orders WHERE status = 'authorized' AND ending IS NULL
	AND status IN ('requires_confirmation', 'requires_action', 'authorized', 'declined');

-- name: judge
-- Orders that are not paid exactly once.
SELECT count(*) FROM payments.orders WHERE status <> 'paid' OR captured <> total;

-- name: paid
-- $1, $2 the part of the load that counts, in s since 1970. Gives: orders that became paid in it.
SELECT count(*) FROM payments.orders
WHERE changed_at BETWEEN to_timestamp($1::float8) AND to_timestamp($2::float8);

-- name: latencies
-- $1, $2 as above; $3 ms from which an order must have met a slow answer. Gives, of the orders that
-- were made in that part: p50 and p99 of the others in ms, and the percentage of the slow ones.
WITH took AS (
	SELECT extract(epoch FROM changed_at - created_at) * 1000 AS ms FROM payments.orders
	WHERE created_at BETWEEN to_timestamp($1::float8) AND to_timestamp($2::float8)
)
SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE quick), 0),
	coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) FILTER (WHERE quick), 0),
	coalesce(100.0 * count(*) FILTER (WHERE NOT quick) / nullif(count(*), 0), 0)
FROM (SELECT ms, ms < $3::float8 AS quick FROM took) AS judged;

-- name: clock
SELECT extract(epoch FROM clock_timestamp());
