-- What the checkout in one database adds to the engine's statements (checkout_statements.sql): the
-- transitions that sell, and those that undo a sale. Each locks first and decides then, in the
-- order: orders, holds, seats, tickets. See batched.sql for why the joins are as they are.

-- name: claim
-- See lib/stages/stages.h. An order with the mark is for the stage that ends it.
UPDATE checkout_orders o SET lease_token = $2, attempts = o.attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
FROM unnest(ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE status = $1 AND next_at <= (SELECT clock_timestamp()) AND ending IS NULL
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key)
RETURNING due.key, o.attempts;

-- name: sell
-- `move` of lib/stages for authorized orders. The moment is taken when all locks are held, and the
-- verdict is that of the seat store's sell.
WITH locked_order AS MATERIALIZED (
	SELECT m.*, o.event_id, o.order_id, o.hold_id, o.hold_version, o.person
	FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[], $7::boolean[],
		$8::text[])
		AS m (key, token, state, delay, attempts, stuck, note)
	JOIN checkout_orders o ON o.event_id = checkout_key_event(m.key)
		AND o.order_id = checkout_key_order(m.key)
	WHERE o.status = $1 AND o.lease_token = m.token
	ORDER BY o.event_id, o.order_id
	FOR NO KEY UPDATE OF o
), locked_hold AS MATERIALIZED (
	SELECT l.key, l.order_id AS wanted_order, l.hold_version <> h.version AS stale,
		l.person <> h.person AS foreign_person, h.event_id, h.hold_id, h.status, h.order_id,
		h.expires_at, h.seat_ids
	FROM locked_order l
	JOIN seat_holds h ON h.event_id = l.event_id AND h.hold_id = l.hold_id
	WHERE l.state IS NOT NULL
	ORDER BY h.event_id, h.hold_id
	FOR NO KEY UPDATE OF h
), locked_seat AS MATERIALIZED (
	SELECT h.*, s.seat_id, s.status = 'held' AND s.hold_id = h.hold_id AS own
	FROM locked_hold h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
	JOIN seats s ON s.event_id = h.event_id AND s.seat_id = seat.seat_id
	ORDER BY s.event_id, s.seat_id
	FOR NO KEY UPDATE OF s
), moment AS MATERIALIZED (
	SELECT clock_timestamp() AS at FROM (SELECT count(*) FROM locked_seat) AS all_locked
), verdict AS MATERIALIZED (
	SELECT key, event_id, hold_id, wanted_order, at, CASE
		WHEN status = 'released' THEN 'not held'
		WHEN foreign_person THEN 'not yours'
		WHEN stale THEN 'stale'
		WHEN order_id <> wanted_order THEN 'other order'
		WHEN status IN ('sold', 'revoked') THEN status
		WHEN status = 'expired' OR expires_at <= at OR NOT bool_and(own) THEN 'expired'
		ELSE 'sell' END AS outcome
	FROM locked_seat CROSS JOIN moment
	GROUP BY key, event_id, hold_id, wanted_order, status, foreign_person, stale, order_id,
		expires_at, at
), sold_hold AS (
	UPDATE seat_holds h SET status = 'sold', order_id = v.wanted_order, sold_at = v.at
	FROM verdict v
	WHERE v.outcome = 'sell' AND h.event_id = v.event_id AND h.hold_id = v.hold_id
	RETURNING h.event_id, h.order_id, h.seat_ids
), sold_seat AS (
	UPDATE seats s SET status = 'sold', reserved_until = NULL, order_id = h.order_id,
		version = s.version + 1
	FROM sold_hold h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
	WHERE s.event_id = h.event_id AND s.seat_id = seat.seat_id
	RETURNING s.event_id, s.order_id, s.seat_id, s.price
), ticket AS (
	INSERT INTO seat_tickets (event_id, ticket_id, order_id, seat_id, price)
	SELECT event_id, seat_ticket_id(order_id, seat_id), order_id, seat_id, price FROM sold_seat
), decided AS MATERIALIZED (
	SELECT l.*, CASE WHEN l.state IS NULL THEN 'stays'
		WHEN v.outcome IN ('sell', 'sold') THEN 'finalized'
		WHEN v.outcome = 'expired' THEN 'expire' ELSE 'cancel' END AS way,
		coalesce(v.outcome, 'not held') AS outcome
	FROM locked_order l LEFT JOIN verdict v ON v.key = l.key
)
UPDATE checkout_orders o SET
	status = CASE d.way WHEN 'finalized' THEN d.way ELSE o.status END,
	version = o.version + CASE d.way WHEN 'finalized' THEN 1 ELSE 0 END,
	changed_at = CASE d.way WHEN 'finalized' THEN clock_timestamp() ELSE o.changed_at END,
	ending = CASE WHEN d.way IN ('expire', 'cancel') THEN d.way ELSE o.ending END,
	reason = CASE WHEN d.way = 'cancel' THEN d.outcome ELSE o.reason END,
	key_at = CASE WHEN d.way IN ('expire', 'cancel') THEN clock_timestamp() ELSE o.key_at END,
	look_up = CASE WHEN d.way IN ('expire', 'cancel') THEN NULL ELSE o.look_up END,
	lease_token = NULL, attempts = d.attempts, stuck = d.stuck, note = d.note,
	next_at = CASE WHEN d.way = 'stays' AND d.delay < 0 THEN NULL
		WHEN d.way = 'stays' THEN clock_timestamp() + d.delay * interval '1 ms'
		ELSE clock_timestamp() END
FROM decided d
WHERE o.event_id = d.event_id AND o.order_id = d.order_id
RETURNING d.key, d.token;

-- name: payment_move
-- `move` of the payment's stages. A sale that is undone by it (the money was not to be had, or was
-- given back) is undone with its tickets and seats.
WITH moved AS MATERIALIZED (
	SELECT * FROM checkout_move($1::text, $2::text[], $3::uuid[], $4::text[], $5::bigint[],
		$6::integer[], $7::boolean[], $8::text[], $9::text[], $10::text[], $11::text[],
		$12::text[], $13::text[], $14::text[], $15::text[], $16::text[], false)
), locked AS MATERIALIZED (
	SELECT h.event_id, h.hold_id, h.status
	FROM moved m JOIN seat_holds h ON h.event_id = m.event_id AND h.order_id = m.order_id
	WHERE m.revoked
	ORDER BY h.event_id, h.hold_id
	FOR NO KEY UPDATE OF h
), ended AS (
	UPDATE seat_holds h SET status = 'revoked'
	FROM locked l
	WHERE l.status = 'sold' AND h.event_id = l.event_id AND h.hold_id = l.hold_id
	RETURNING h.event_id, h.hold_id, h.order_id, h.seat_ids
), own AS MATERIALIZED (
	SELECT s.event_id, s.seat_id
	FROM ended e CROSS JOIN LATERAL unnest(e.seat_ids) AS seat (seat_id)
	JOIN seats s ON s.event_id = e.event_id AND s.seat_id = seat.seat_id
	WHERE s.status = 'sold' AND s.hold_id = e.hold_id
	ORDER BY s.event_id, s.seat_id
	FOR NO KEY UPDATE OF s
), freed AS (
	UPDATE seats s SET status = 'available', hold_id = NULL, order_id = NULL,
		version = s.version + 1
	FROM own WHERE s.event_id = own.event_id AND s.seat_id = own.seat_id
), voided AS (
	UPDATE seat_tickets t SET status = 'void'
	FROM ended e WHERE t.event_id = e.event_id AND t.order_id = e.order_id
)
SELECT key, token FROM moved;
