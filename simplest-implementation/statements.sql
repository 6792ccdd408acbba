-- Every statement of the simplest implementation, by name. Replies are made as JSON by Postgres.

-- name: ready
SELECT 1;

-- name: key_lock
-- Two requests with one key at the same time: the second gets false instead of waiting. The lock
-- ends with the transaction, so a crash leaves nothing behind.
SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0));

-- name: key_find
SELECT fingerprint, status, body FROM idempotency_keys WHERE operation = $1 AND key = $2;

-- name: key_store
INSERT INTO idempotency_keys (operation, key, fingerprint, status, body)
VALUES ($1, $2, $3, $4, $5);

-- name: venue_insert
INSERT INTO venues (venue_id, name, sections, seats, plan) VALUES ($1, $2, $3, $4, $5::text::json);

-- name: venue_insert_seats
INSERT INTO venue_seats (venue_id, ordinal, seat_id, section, seat_row, number, category, x, y)
SELECT $1, seat.ordinal, seat.seat_id, seat.section, seat.seat_row, seat.number, seat.category,
	seat.x::double precision, seat.y::double precision
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
	WITH ORDINALITY AS seat (seat_id, section, seat_row, number, category, x, y, ordinal);

-- name: venue_categories
SELECT name, (SELECT array_agg(DISTINCT category) FROM venue_seats WHERE venue_id = $1)
FROM venues WHERE venue_id = $1;

-- name: event_insert
INSERT INTO events (event_id, venue_id, name, starts_at, currency, prices)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: event_insert_seats
INSERT INTO seat_inventory (event_id, seat_id, price)
SELECT $1, seat_id, ($3::jsonb ->> category)::bigint FROM venue_seats WHERE venue_id = $2;

-- name: event_read_one
SELECT json_build_object('eventId', e.event_id, 'name', e.name, 'startsAt', rfc3339(e.starts_at),
	'venueId', v.venue_id, 'venueName', v.name, 'currency', e.currency, 'prices', e.prices,
	'seats', (SELECT json_build_object(
		'total', count(*),
		'available', count(*) FILTER (
			WHERE seat_status(status, reserved_until) = 'available'),
		'held', count(*) FILTER (WHERE seat_status(status, reserved_until) = 'held'),
		'sold', count(*) FILTER (WHERE status = 'sold'))
		FROM seat_inventory WHERE event_id = e.event_id))::text
FROM events e JOIN venues v USING (venue_id) WHERE e.event_id = $1;

-- name: event_list_page
-- $1 is a pattern for names, $2 and $3 where the last page ended, $4 one more than a page holds.
SELECT json_build_object('eventId', e.event_id, 'name', e.name, 'startsAt', rfc3339(e.starts_at),
	'venueId', v.venue_id, 'venueName', v.name, 'currency', e.currency)::text,
	e.starts_at, e.event_id
FROM events e JOIN venues v USING (venue_id)
WHERE (e.name ILIKE $1 OR v.name ILIKE $1) AND (e.starts_at, e.event_id) > ($2, $3)
ORDER BY e.starts_at, e.event_id LIMIT $4;

-- name: event_seats_read
SELECT json_build_object('items', coalesce(json_agg(json_build_object(
	'seatId', s.seat_id, 'section', v.section, 'row', v.seat_row, 'number', v.number,
	'category', v.category, 'price', s.price, 'status', seat_status(s.status, s.reserved_until),
	'x', v.x, 'y', v.y) ORDER BY v.ordinal), '[]'::json))::text
FROM events e
JOIN seat_inventory s USING (event_id)
JOIN venue_seats v ON v.venue_id = e.venue_id AND v.seat_id = s.seat_id
WHERE e.event_id = $1
	AND ($2::text IS NULL OR v.section = $2)
	AND ($3::text IS NULL OR seat_status(s.status, s.reserved_until) = $3)
HAVING EXISTS (SELECT 1 FROM events WHERE event_id = $1);

-- name: event_exists
SELECT 1 FROM events WHERE event_id = $1;

-- name: seats_lock
-- In seat order, so that two holds that overlap wait for each other instead of deadlocking. Whether
-- a seat is free may be computed before the wait for its lock: then it errs by refusing a hold that
-- ran out during the wait, never by taking a live one.
SELECT seat_id, price, seat_status(status, reserved_until) = 'available' FROM seat_inventory
WHERE event_id = $1 AND seat_id = ANY ($2) ORDER BY seat_id FOR UPDATE;

-- name: seats_take
-- clock_timestamp() and not now(): after a wait for the lock, the start of the transaction is long
-- past, and the hold would be shorter than promised.
UPDATE seat_inventory
SET status = 'held', hold_id = $3, reserved_until = clock_timestamp() + $4 * interval '1 ms',
	order_id = NULL, version = version + 1
WHERE event_id = $1 AND seat_id = ANY ($2);

-- name: hold_insert
-- The hold ends with the first of its seats, so that it is never longer than what it holds.
INSERT INTO holds (event_id, hold_id, user_id, status, seat_ids, total, expires_at)
SELECT $1, $2, $3, 'held', $4, $5,
	(SELECT min(reserved_until) FROM seat_inventory WHERE event_id = $1 AND hold_id = $2);

-- name: hold_read
SELECT json_build_object('holdId', item_id(h.event_id, h.hold_id), 'eventId', h.event_id,
	'userId', h.user_id, 'status', h.status, 'expiresAt', rfc3339(h.expires_at),
	'total', h.total, 'currency', e.currency, 'seats', h.seat_ids)::text
FROM holds h JOIN events e USING (event_id) WHERE h.event_id = $1 AND h.hold_id = $2;

-- name: hold_lock
SELECT h.status, h.total, e.currency, cardinality(h.seat_ids), h.user_id
FROM holds h JOIN events e USING (event_id)
WHERE h.event_id = $1 AND h.hold_id = $2 FOR UPDATE OF h;

-- name: hold_lock_seats
SELECT 1 FROM seat_inventory WHERE event_id = $1 AND hold_id = $2 AND status = 'held'
ORDER BY seat_id FOR UPDATE;

-- name: hold_count_alive
SELECT count(*) FROM seat_inventory
WHERE event_id = $1 AND hold_id = $2 AND status = 'held' AND reserved_until > clock_timestamp();

-- name: hold_end
UPDATE holds SET status = $3 WHERE event_id = $1 AND hold_id = $2;

-- name: seats_free
UPDATE seat_inventory
SET status = 'available', hold_id = NULL, reserved_until = NULL, version = version + 1
WHERE event_id = $1 AND hold_id = $2 AND status = 'held';

-- name: seats_sell
-- The fence: what ran out, or belongs to another hold by now, is not sold. Its seats are locked
-- before, by a statement of its own, so this one's clock is read after the wait.
UPDATE seat_inventory
SET status = 'sold', order_id = $3, reserved_until = NULL, version = version + 1
WHERE event_id = $1 AND hold_id = $2 AND status = 'held' AND reserved_until > clock_timestamp();

-- name: order_insert
INSERT INTO orders (event_id, order_id, hold_id, user_id, status, total)
VALUES ($1, $2, $3, $4, 'paid', $5);

-- name: charge_insert
INSERT INTO charges (event_id, order_id, amount, currency) VALUES ($1, $2, $3, $4);

-- name: tickets_insert
INSERT INTO tickets (event_id, ticket_id, order_id, seat_id, price)
SELECT $1, ($3::uuid[])[row_number() OVER (ORDER BY seat_id)], $2, seat_id, price
FROM seat_inventory WHERE event_id = $1 AND order_id = $2;

-- name: order_of_hold
-- A statement of its own, after the hold is locked: within hold_lock it would see the orders as
-- they were before the wait.
SELECT order_id FROM orders WHERE event_id = $1 AND hold_id = $2;

-- name: order_read_one
SELECT json_build_object('orderId', item_id(o.event_id, o.order_id), 'eventId', o.event_id,
	'holdId', item_id(o.event_id, o.hold_id), 'userId', o.user_id, 'status', o.status,
	'total', o.total, 'currency', e.currency, 'createdAt', rfc3339(o.created_at),
	'tickets', (SELECT json_agg(json_build_object(
		'ticketId', item_id(t.event_id, t.ticket_id), 'seatId', t.seat_id,
		'section', v.section, 'row', v.seat_row, 'number', v.number, 'price', t.price)
		ORDER BY v.ordinal)
		FROM tickets t
		JOIN venue_seats v ON v.venue_id = e.venue_id AND v.seat_id = t.seat_id
		WHERE t.event_id = o.event_id AND t.order_id = o.order_id))::text
FROM orders o JOIN events e USING (event_id) WHERE o.event_id = $1 AND o.order_id = $2;

-- name: hold_next_expired
-- Skips what a purchase or a release has locked just now.
SELECT event_id, hold_id FROM holds WHERE status = 'held' AND expires_at <= clock_timestamp()
ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: sweep_keys
DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours';
