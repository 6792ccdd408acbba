-- What the auditor asks, by name: see audit.h. Each check gives one row for each thing that is
-- wrong: its id, and how it is wrong. The checks divide the house between them, so that one fault
-- is found by one of them: seats are compared with holds and sales, sales with tickets, orders with
-- sales, and money with tickets.
--
-- All of them look at one moment, that of the transaction's snapshot; so what is written by one
-- statement, seats, tickets and order for instance, agrees at any time, also while people buy.

-- name: audit_seat_state
-- A seat is in one state, with what belongs to that.
SELECT event_id || '.' || seat_id, concat_ws(' ', status, 'hold', hold_id, 'until', reserved_until,
	'order', order_id)
FROM seats WHERE NOT coalesce(CASE status
	WHEN 'available' THEN num_nulls(hold_id, reserved_until, order_id) = 3
	WHEN 'held' THEN num_nulls(hold_id, reserved_until) = 0 AND order_id IS NULL
	WHEN 'sold' THEN num_nulls(hold_id, order_id) = 0 AND reserved_until IS NULL
	ELSE false END, false);

-- name: audit_hold_state
-- What was sold, and only that, has its order and its moment.
SELECT checkout_key(event_id, hold_id), concat_ws(' ', status, 'order', order_id, 'sold', sold_at)
FROM seat_holds WHERE NOT coalesce(CASE
	WHEN status IN ('sold', 'revoked') THEN num_nulls(order_id, sold_at) = 0
	WHEN status IN ('held', 'released', 'expired') THEN num_nulls(order_id, sold_at) = 2
	ELSE false END, false);

-- name: audit_hold_seats
-- A hold lists seats that there are, in order, each once.
SELECT checkout_key(h.event_id, h.hold_id), array_to_string(h.seat_ids, ' ')
FROM seat_holds h
WHERE cardinality(h.seat_ids) = 0 OR h.seat_ids <> ARRAY(
	SELECT DISTINCT s.seat_id FROM unnest(h.seat_ids) AS listed (seat_id)
	JOIN seats s ON s.event_id = h.event_id AND s.seat_id = listed.seat_id
	ORDER BY s.seat_id);

-- name: audit_hold_total
-- Its total is that of its seats, whose prices never change.
SELECT checkout_key(event_id, hold_id), 'total ' || total || ', seats ' || prices
FROM (SELECT h.event_id, h.hold_id, h.total, coalesce((SELECT sum(s.price)
		FROM unnest(h.seat_ids) AS listed (seat_id)
		JOIN seats s ON s.event_id = h.event_id AND s.seat_id = listed.seat_id), 0)
		AS prices
	FROM seat_holds h) AS summed
WHERE total <> prices;

-- name: audit_one_hold_per_seat
SELECT event_id || '.' || seat_id, 'holds ' || string_agg(hold_id::text, ' ')
FROM (SELECT event_id, hold_id, unnest(seat_ids) AS seat_id FROM seat_holds
	WHERE status = 'held' AND expires_at > now()) AS live
GROUP BY event_id, seat_id HAVING count(*) > 1;

-- name: audit_held_seats
-- A seat is held by the hold that lists it and is neither over nor ended, and only then. Of a seat
-- with several, and of one that there is not, it is said above.
WITH live AS MATERIALIZED (
	SELECT event_id, unnest(seat_ids) AS seat_id, hold_id, expires_at FROM seat_holds
	WHERE status = 'held' AND expires_at > now()
), said AS MATERIALIZED (
	SELECT event_id, seat_id FROM live GROUP BY event_id, seat_id HAVING count(*) > 1
)
SELECT event_id || '.' || seat_id, CASE WHEN live IS NULL
	THEN 'the seat is held by ' || hold_id || ', which does not hold it'
	ELSE 'the hold ' || hold_id || ' has it, and the seat does not know' END
FROM (SELECT event_id, seat_id, hold_id, reserved_until AS expires_at FROM seats
	WHERE status = 'held' AND reserved_until > now()) AS seat
FULL JOIN live USING (event_id, seat_id, hold_id, expires_at)
WHERE (seat IS NULL OR live IS NULL)
	AND (event_id, seat_id) NOT IN (SELECT said.event_id, said.seat_id FROM said)
	AND EXISTS (SELECT FROM seats s WHERE s.event_id = coalesce(seat.event_id, live.event_id)
		AND s.seat_id = coalesce(seat.seat_id, live.seat_id));

-- name: audit_fence
-- The version of a live hold is the highest of its seats.
SELECT checkout_key(event_id, hold_id), 'hold ' || version || ', seats ' || highest
FROM (SELECT h.event_id, h.hold_id, h.version, max(s.version) AS highest
	FROM seat_holds h JOIN seats s ON s.event_id = h.event_id AND s.hold_id = h.hold_id
	WHERE h.status = 'held' AND s.status = 'held'
	GROUP BY h.event_id, h.hold_id) AS compared
WHERE version <> highest;

-- name: audit_sold_seats
-- A seat is sold to the order whose hold had it, and only then.
SELECT event_id || '.' || seat_id, CASE WHEN sale IS NULL
	THEN 'the seat is sold to ' || order_id || ', which has not bought it'
	ELSE order_id || ' has bought it, and the seat does not know' END
FROM (SELECT event_id, seat_id, hold_id, order_id FROM seats WHERE status = 'sold') AS seat
FULL JOIN (SELECT event_id, unnest(seat_ids) AS seat_id, hold_id, order_id FROM seat_holds
	WHERE status = 'sold') AS sale
USING (event_id, seat_id, hold_id, order_id) WHERE seat IS NULL OR sale IS NULL;

-- name: audit_sold_in_time
SELECT checkout_key(event_id, hold_id), 'sold at ' || sold_at || ', over at ' || expires_at
FROM seat_holds WHERE sold_at >= expires_at;

-- name: audit_one_ticket_per_seat
SELECT event_id || '.' || seat_id, 'tickets ' || string_agg(ticket_id::text, ' ')
FROM seat_tickets WHERE status = 'valid'
GROUP BY event_id, seat_id HAVING count(*) > 1;

-- name: audit_sale_tickets
-- A sale has a ticket for each of its seats, valid or, when it was undone, void; and there are no
-- others. Of the second for a seat it is said above.
WITH ticket AS MATERIALIZED (
	SELECT event_id, order_id, seat_id, status,
		count(*) FILTER (WHERE status = 'valid') OVER (PARTITION BY event_id, seat_id)
			AS valid_count
	FROM seat_tickets
)
SELECT checkout_key(event_id, order_id), concat_ws(' ', status, 'for', seat_id, CASE
	WHEN ticket IS NULL THEN 'is missing' ELSE 'is not of this sale' END)
FROM ticket FULL JOIN (SELECT event_id, order_id, unnest(seat_ids) AS seat_id,
		CASE status WHEN 'sold' THEN 'valid' ELSE 'void' END AS status
	FROM seat_holds WHERE status IN ('sold', 'revoked') AND order_id IS NOT NULL) AS sale
USING (event_id, order_id, seat_id, status)
WHERE ticket IS NULL OR sale IS NULL AND NOT (status = 'valid' AND valid_count > 1);

-- name: audit_ticket_ids
-- Everybody makes the same id from order and seat.
SELECT checkout_key(event_id, ticket_id), 'order ' || order_id || ', seat ' || seat_id
FROM seat_tickets WHERE ticket_id <> seat_ticket_id(order_id, seat_id);

-- name: audit_order_holds
-- An order is about a hold that there is, of the same person, for the same seats and money.
SELECT checkout_key(o.event_id, o.order_id), CASE WHEN h.hold_id IS NULL
	THEN 'there is no hold ' || o.hold_id
	ELSE concat_ws(' ', 'order:', o.person, o.seat_ids, o.total, o.currency, o.hold_version,
		'hold:', h.person, h.seat_ids, h.total, e.currency, h.version) END
FROM checkout_orders o
LEFT JOIN seat_holds h ON h.event_id = o.event_id AND h.hold_id = o.hold_id
LEFT JOIN seat_events e ON e.event_id = o.event_id
WHERE h.hold_id IS NULL OR (o.person, o.seat_ids, o.total, o.hold_version)
	IS DISTINCT FROM (h.person, h.seat_ids, h.total, h.version)
	OR e.currency <> o.currency;

-- name: audit_one_order_per_hold
SELECT checkout_key(event_id, hold_id), 'orders ' || string_agg(order_id::text, ' ')
FROM checkout_orders WHERE status NOT IN ('declined', 'expired', 'canceled')
GROUP BY event_id, hold_id HAVING count(*) > 1;

-- name: audit_paid_is_ticketed
-- Who has paid, or is about to, has bought; who has bought has paid or is about to; and what was
-- given back was taken back. With the check of sales and tickets: captured and ticketed are the
-- same.
SELECT checkout_key(coalesce(o.event_id, h.event_id), coalesce(o.order_id, h.order_id)),
	concat_ws(' ', 'order', coalesce(o.status, 'unknown') || ',', 'sale',
		coalesce(h.status, 'none'))
FROM checkout_orders o
FULL JOIN (SELECT * FROM seat_holds WHERE status IN ('sold', 'revoked')) AS h
	ON h.event_id = o.event_id AND h.order_id = o.order_id
WHERE CASE coalesce(h.status, 'none')
	WHEN 'sold' THEN coalesce(o.status NOT IN ('finalized', 'capturing', 'paid'), true)
	WHEN 'revoked' THEN coalesce(o.status NOT IN ('refunded', 'canceled', 'declined',
		'expired'), true)
	ELSE o.status IN ('finalized', 'capturing', 'paid', 'refunded') END;

-- name: audit_order_money
-- All of it is captured, or nothing; and what is refunded was captured.
SELECT checkout_key(event_id, order_id),
	concat_ws(' ', status, 'total', total, 'captured', captured, 'refunded', refunded)
FROM checkout_orders
WHERE captured <> CASE WHEN status IN ('paid', 'refunded') THEN total ELSE 0 END
	OR refunded <> CASE status WHEN 'refunded' THEN captured
		WHEN 'paid' THEN refunded ELSE 0 END
	OR refunded > captured OR refunded < 0;

-- name: audit_captured_total
-- What an order has taken is what its tickets cost; so the sums of each currency are the same.
SELECT checkout_key(event_id, order_id), captured || ' ' || currency || ', tickets ' || prices
FROM (SELECT o.event_id, o.order_id, o.captured, o.currency, coalesce((SELECT sum(t.price)
		FROM seat_tickets t WHERE t.order_id = o.order_id AND t.event_id = o.event_id), 0)
		AS prices
	FROM checkout_orders o WHERE o.status IN ('paid', 'refunded')) AS summed
WHERE captured <> prices;

-- name: audit_one_order_per_payment
SELECT intent_id, 'orders ' || string_agg(checkout_key(event_id, order_id), ' ')
FROM checkout_orders WHERE intent_id IS NOT NULL
GROUP BY intent_id HAVING count(*) > 1;

-- name: audit_deadlines
-- What is authorized was captured or voided before the authorization's own end.
SELECT checkout_key(event_id, order_id), status || ', to be captured before ' || capture_before
FROM checkout_orders
WHERE status IN ('authorized', 'finalized', 'capturing') AND capture_before <= now()
	AND total > 0 AND NOT stuck;

-- name: audit_stuck
SELECT checkout_key(event_id, order_id), concat_ws(' ', status, ending, note)
FROM checkout_orders WHERE stuck;

-- name: audit_asleep
-- An order that is not over is somebody's, or will be at some time.
SELECT checkout_key(event_id, order_id), concat_ws(' ', status, ending)
FROM checkout_orders
WHERE next_at IS NULL AND NOT stuck AND (ending IS NOT NULL AND status NOT IN ('canceled',
		'expired', 'refunded', 'declined')
	OR revoke_due OR status NOT IN ('paid', 'declined', 'canceled', 'expired', 'refunded'));

-- name: audit_scans
-- Only a ticket that is valid lets in, and whose order is not given back afterwards.
SELECT checkout_key(s.event_id, s.ticket_id), concat_ws(' ', 'scanned at', s.scanned_at,
	coalesce(t.status, 'no such ticket'), 'sold at', h.sold_at)
FROM ticket_scans s
LEFT JOIN seat_tickets t ON t.event_id = s.event_id AND t.ticket_id = s.ticket_id
LEFT JOIN seat_holds h ON h.event_id = t.event_id AND h.order_id = t.order_id
WHERE t.ticket_id IS NULL OR t.status <> 'valid' OR s.scanned_at < h.sold_at;

-- name: audit_one_scan
SELECT checkout_key(event_id, ticket_id), count(*) || ' scans'
FROM ticket_scans GROUP BY event_id, ticket_id HAVING count(*) > 1;

-- name: audit_events
-- There are no foreign keys to the event (seat_store.sql), so they are asked for here: rows of no
-- event, and events whose seats are of none. Scans have their ticket.
SELECT event_id::text, string_agg(what || ' ' || rows, ', ' ORDER BY what)
FROM (SELECT event_id, 'seats' AS what, count(*) AS rows FROM seats GROUP BY event_id
	UNION ALL SELECT event_id, 'holds', count(*) FROM seat_holds GROUP BY event_id
	UNION ALL SELECT event_id, 'tickets', count(*) FROM seat_tickets GROUP BY event_id
	UNION ALL SELECT event_id, 'orders', count(*) FROM checkout_orders GROUP BY event_id
	UNION ALL SELECT event_id, 'stock', count(*) FROM seat_events GROUP BY event_id) AS counted
WHERE NOT EXISTS (SELECT FROM events e WHERE e.event_id = counted.event_id)
	OR NOT EXISTS (SELECT FROM seat_events e WHERE e.event_id = counted.event_id)
GROUP BY event_id;

-- name: audit_currencies
-- An event is sold in its own currency.
SELECT e.event_id::text, 'event ' || e.currency || ', stock ' || s.currency
FROM events e JOIN seat_events s ON s.event_id = e.event_id WHERE e.currency <> s.currency;

-- ---- The provider's ledger ----

-- name: ledger_make
-- `event_id` and `order_id` are NULL where the provider was told something else for an order's key.
CREATE TEMPORARY TABLE ledger (sequence bigint, kind text, intent text, amount bigint,
	currency text, order_key text, event_id uuid, order_id uuid)

-- name: ledger_load
-- $1 a page of the ledger: {items: […]}.
INSERT INTO ledger
SELECT sequence, kind, "paymentIntent", amount, upper(currency), key,
	CASE WHEN key ~ pattern THEN checkout_key_event(key) END,
	CASE WHEN key ~ pattern THEN checkout_key_order(key) END
FROM (SELECT *, metadata ->> 'order_id' AS key,
		'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.'
			|| '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AS pattern
	FROM json_to_recordset($1::json -> 'items') AS l (sequence bigint, kind text, metadata json,
		"paymentIntent" text, amount bigint, currency text)) AS item;

-- name: ledger_ready
ANALYZE ledger

-- name: ledger_moment
SELECT clock_timestamp();

-- name: ledger_captured
-- $1 when the ledger began to be read. An order that was at rest then has taken and given back just
-- what the ledger says, in its currency.
WITH sums AS (
	SELECT event_id, order_id,
		sum(CASE kind WHEN 'capture' THEN amount ELSE 0 END) AS captured,
		sum(CASE kind WHEN 'refund' THEN amount ELSE 0 END) AS refunded,
		string_agg(DISTINCT currency, ' ') AS currency
	FROM ledger WHERE order_id IS NOT NULL GROUP BY event_id, order_id
)
SELECT checkout_key(event_id, order_id), concat_ws(' ', o.status, 'captured', o.captured,
	'refunded', o.refunded, upper(o.currency), '| ledger: captured', coalesce(s.captured, 0),
	'refunded', coalesce(s.refunded, 0), s.currency)
FROM checkout_orders o LEFT JOIN sums s USING (event_id, order_id)
WHERE o.status IN ('paid', 'refunded', 'canceled', 'expired', 'declined') AND NOT o.stuck
	AND o.next_at IS NULL AND o.lease_token IS NULL AND o.changed_at < $1
	AND (o.captured <> coalesce(s.captured, 0) OR o.refunded <> coalesce(s.refunded, 0)
		OR upper(o.currency) <> s.currency);

-- name: ledger_once
-- No authorization is captured twice, nor captured and voided.
SELECT intent, concat_ws(' ', 'order', min(order_key), string_agg(kind || ' ' || amount, ', '
	ORDER BY sequence))
FROM ledger GROUP BY intent
HAVING count(*) FILTER (WHERE kind = 'capture') > 1
	OR count(*) FILTER (WHERE kind IN ('void', 'expiry')) > 1
	OR bool_or(kind = 'capture') AND bool_or(kind IN ('void', 'expiry'));

-- name: ledger_ended
-- $1 as above. When an order is over, nothing of its authorizations is still reserved.
SELECT checkout_key(l.event_id, l.order_id), concat_ws(' ', o.status, l.intent, 'open', l.open)
FROM (SELECT event_id, order_id, intent, sum(CASE kind WHEN 'authorization' THEN amount
		WHEN 'refund' THEN 0 ELSE -amount END) AS open
	FROM ledger WHERE order_id IS NOT NULL GROUP BY event_id, order_id, intent) AS l
JOIN checkout_orders o ON o.event_id = l.event_id AND o.order_id = l.order_id
WHERE l.open <> 0 AND o.status IN ('paid', 'refunded', 'canceled', 'expired', 'declined')
	AND NOT o.stuck AND o.next_at IS NULL AND o.lease_token IS NULL AND o.changed_at < $1;

-- name: ledger_orders
-- Nothing is reserved or taken for an order that there is not.
SELECT coalesce(l.order_key, l.intent), string_agg(l.kind || ' ' || l.amount, ', '
	ORDER BY l.sequence)
FROM ledger l LEFT JOIN checkout_orders o
	ON o.event_id = l.event_id AND o.order_id = l.order_id
WHERE o.order_id IS NULL GROUP BY coalesce(l.order_key, l.intent);

-- ---- What the report says besides ----

-- name: audit_counts
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM seats),
	(SELECT count(*) FROM seat_holds), (SELECT count(*) FROM checkout_orders),
	(SELECT count(*) FROM seat_tickets), (SELECT count(*) FROM ticket_scans), now();

-- name: audit_money
-- Per currency.
SELECT upper(o.currency), sum(o.captured)::bigint, sum(o.refunded)::bigint,
	coalesce(sum((SELECT sum(t.price) FROM seat_tickets t WHERE t.event_id = o.event_id
		AND t.order_id = o.order_id AND t.status = 'valid')), 0)::bigint
FROM checkout_orders o WHERE o.status IN ('paid', 'refunded')
GROUP BY upper(o.currency) ORDER BY upper(o.currency);

-- name: audit_in_flight
-- Orders that go on by themselves, by status. What waits for a person until the hold is over does
-- not.
SELECT status, count(*) FROM checkout_orders
WHERE NOT stuck AND (next_at IS NOT NULL OR lease_token IS NOT NULL OR revoke_due)
	AND (ending IS NOT NULL OR status NOT IN ('requires_confirmation', 'requires_action')
		OR expires_at <= now())
GROUP BY status ORDER BY status;
