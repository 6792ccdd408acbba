-- What the judge of the checkout's tests asks: the orders' database with the seats' sales and the
-- provider's ledger beside it, as temporary tables. Invariants 1, 2, 3 and 8 of product.md, as far
-- as they concern more than the seats.

-- name: empty
CREATE TEMPORARY TABLE IF NOT EXISTS ledger (kind text, order_key text, amount bigint,
	currency text);
CREATE TEMPORARY TABLE IF NOT EXISTS sale (order_id uuid, seat_ids text[], total bigint);
TRUNCATE ledger, sale;

-- name: begin_with_event
-- An index that must not, for the reason that seat_store.sql gives.
SELECT i.indexrelid::regclass::text FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE a.attname = 'event_id' AND NOT i.indisprimary;

-- name: load_ledger
-- $1 the ledger's items as JSON.
INSERT INTO ledger SELECT kind, metadata ->> 'order_id', amount, currency
FROM json_to_recordset($1::json) AS l (kind text, metadata json, amount bigint, currency text);

-- name: sales
-- In the seats' database. $1 the event. What is sold, by the valid tickets, as JSON.
SELECT coalesce(json_agg(s), '[]')::text FROM (
	SELECT order_id, array_agg(seat_id ORDER BY seat_id COLLATE "C") AS seat_ids,
		sum(price)::bigint AS total
	FROM seat_tickets WHERE event_id = $1 AND status = 'valid' GROUP BY order_id) AS s;

-- name: load_sales
-- $1 those, as JSON.
INSERT INTO sale SELECT order_id, ARRAY(SELECT json_array_elements_text(seat_ids)), total
FROM json_to_recordset($1::json) AS s (order_id uuid, seat_ids json, total bigint);

-- name: judge
-- $1 the event. One row for each order that is wrong: its id, and how. An order is right when it is
-- over, and was paid for exactly once and has its seats, or has none, nothing was taken, and what
-- was reserved was given back once.
WITH sums AS (
	SELECT substring(order_key FROM 38)::uuid AS order_id,
		count(*) FILTER (WHERE kind = 'authorization') AS authorizations,
		count(*) FILTER (WHERE kind IN ('void', 'expiry')) AS voids,
		count(*) FILTER (WHERE kind = 'capture') AS captures,
		coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0) AS captured,
		coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded,
		bool_and(currency = 'eur') AS in_euros
	FROM ledger WHERE order_key LIKE $1 || '.%' GROUP BY order_key
), paired AS (
	SELECT coalesce(o.order_id, s.order_id, sale.order_id) AS order_id, o.status, o.ending,
		o.stuck, o.revoke_due, o.note, o.total, o.captured, o.refunded,
		coalesce(s.authorizations, 0) AS authorizations, coalesce(s.voids, 0) AS voids,
		coalesce(s.captures, 0) AS captures,
		coalesce(s.captured, 0) AS provider_captured,
		coalesce(s.refunded, 0) AS provider_refunded,
		coalesce(s.in_euros, true) AS in_euros, sale.order_id IS NOT NULL AS is_sold,
		sale.seat_ids = o.seat_ids AND sale.total = o.total AS is_sold_right
	FROM (SELECT * FROM checkout_orders WHERE event_id = $1::uuid) AS o
	FULL JOIN sums AS s USING (order_id) FULL JOIN sale USING (order_id)
)
SELECT order_id::text, concat_ws(' ', coalesce(status, 'unknown'), ending, 'stuck=' || stuck, note,
	'total', total, 'captured', captured, '| provider: authorizations', authorizations,
	'voids', voids, 'captures', captures, 'captured', provider_captured, 'refunded',
	provider_refunded, '| seats sold', is_sold)
FROM paired
WHERE NOT coalesce(in_euros AND NOT stuck AND NOT revoke_due AND captured = provider_captured
	AND refunded = provider_refunded AND CASE
		WHEN status = 'paid' THEN is_sold_right AND refunded = 0 AND voids = 0
			AND authorizations = captures AND captures = least(total, 1)
		WHEN status = 'refunded' THEN NOT is_sold AND captures = least(total, 1)
			AND authorizations = captures AND voids = 0 AND refunded = total
		WHEN status IN ('declined', 'expired', 'canceled') THEN NOT is_sold
			AND captures = 0 AND authorizations <= 1 AND voids = authorizations
		ELSE false END, false);

-- name: tickets_at_odds
-- $1 the event. Where tickets stand beside the orders: who has bought seats has one for each that
-- is valid, and nobody else has any.
SELECT count(*) FROM (SELECT order_id, unnest(seat_ids) AS seat_id FROM checkout_orders
	WHERE event_id = $1 AND status IN ('finalized', 'capturing', 'paid')) AS bought
FULL JOIN (SELECT order_id, seat_id FROM checkout_tickets
	WHERE event_id = $1 AND status = 'valid') AS ticket
USING (order_id, seat_id) WHERE bought IS NULL OR ticket IS NULL;

-- name: unrest
-- How many orders may still change by themselves.
SELECT count(*) FROM checkout_orders WHERE next_at IS NOT NULL OR lease_token IS NOT NULL;
