-- The provider's ledger beside the orders.

-- name: load
-- $1 the ledger's items as JSON.
INSERT INTO ledger SELECT kind, (metadata ->> 'order_id')::uuid, "paymentIntent", amount, currency
FROM json_to_recordset($1) AS l (kind text, metadata json, "paymentIntent" text, amount bigint,
	currency text);

-- name: empty
CREATE TEMPORARY TABLE IF NOT EXISTS ledger (kind text, order_id uuid, intent text, amount bigint,
	currency text);
TRUNCATE ledger;

-- name: judge
-- One row for each order that is wrong: its id, and how.
WITH sums AS (
	SELECT order_id, count(*) FILTER (WHERE kind = 'authorization') AS authorizations,
		count(*) FILTER (WHERE kind IN ('void', 'expiry')) AS voids,
		count(*) FILTER (WHERE kind = 'capture') AS captures,
		coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0) AS captured,
		coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded,
		coalesce(sum(CASE kind WHEN 'authorization' THEN amount WHEN 'refund' THEN 0
			ELSE -amount END), 0) AS open,
		count(*) FILTER (WHERE kind = 'release') AS releases,
		bool_and(currency = 'eur') AS in_euros
	FROM ledger GROUP BY order_id
), paired AS (
	SELECT coalesce(o.order_id, s.order_id) AS order_id, o.status, o.ending, o.stuck, o.note,
		o.total, o.captured, o.refunded, coalesce(s.authorizations, 0) AS authorizations,
		coalesce(s.voids, 0) AS voids, coalesce(s.captures, 0) AS captures,
		coalesce(s.captured, 0) AS provider_captured,
		coalesce(s.refunded, 0) AS provider_refunded, coalesce(s.open, 0) AS open,
		coalesce(s.releases, 0) AS releases, coalesce(s.in_euros, true) AS in_euros
	FROM payments.orders AS o FULL JOIN sums AS s USING (order_id)
)
SELECT order_id, concat_ws(' ', coalesce(status, 'unknown'), ending, 'stuck=' || stuck, note,
	'total', total, 'captured', captured, 'refunded', refunded, '| provider: authorizations',
	authorizations, 'voids', voids, 'captures', captures, 'captured', provider_captured,
	'refunded', provider_refunded, 'open', open)
FROM paired
WHERE NOT coalesce(open = 0 AND releases = 0 AND in_euros AND NOT stuck
	AND captured = provider_captured AND refunded = provider_refunded AND CASE status
		WHEN 'paid' THEN ending IS NULL AND authorizations = 1 AND captures = 1
			AND voids = 0 AND captured = total AND refunded = 0
		WHEN 'refunded' THEN authorizations = 1 AND captures = 1 AND voids = 0
			AND captured = total AND refunded = total
		WHEN 'canceled' THEN authorizations <= 1 AND voids = authorizations
			AND captures = 0 AND captured = 0
		WHEN 'expired' THEN authorizations <= 1 AND voids = authorizations
			AND captures = 0 AND captured = 0
		ELSE false END, false);
