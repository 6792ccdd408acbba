-- What the saga adds to the engine's statements (checkout_statements.sql): its two stages, and the
-- tickets, which stand beside the orders. See lib/stages/stages.h.

-- name: claim_sell
-- Behind key and attempts: event, order, hold, person, the hold's version, seats.
UPDATE checkout_orders o SET lease_token = $2, attempts = o.attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
FROM unnest(ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE status = $1 AND next_at <= (SELECT clock_timestamp()) AND ending IS NULL
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key)
RETURNING due.key, o.attempts, o.event_id, o.order_id, o.hold_id, o.person, o.hold_version,
	o.seat_ids;

-- name: move_sell
-- $9 the mark: how the order ends, since the seats were not to be had. $10 why, $11 ids of the
-- tickets as JSON, in order of the seats.
WITH moved AS (
	UPDATE checkout_orders o SET status = coalesce(m.state, o.status),
		version = o.version + CASE WHEN m.state IS NULL THEN 0 ELSE 1 END,
		changed_at = CASE WHEN m.state IS NULL THEN o.changed_at
			ELSE clock_timestamp() END,
		ending = coalesce(m.ending, o.ending), reason = coalesce(m.reason, o.reason),
		key_at = CASE WHEN m.ending IS NULL THEN o.key_at ELSE clock_timestamp() END,
		look_up = CASE WHEN m.ending IS NULL THEN o.look_up END,
		lease_token = NULL, attempts = m.attempts, stuck = m.stuck, note = m.note,
		next_at = CASE WHEN m.delay >= 0
			THEN clock_timestamp() + m.delay * interval '1 ms' END
	FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[], $7::boolean[],
		$8::text[], $9::text[], $10::text[], $11::text[])
		AS m (key, token, state, delay, attempts, stuck, note, ending, reason, tickets)
	WHERE o.event_id = checkout_key_event(m.key) AND o.order_id = checkout_key_order(m.key)
		AND o.status = $1 AND o.lease_token = m.token
	RETURNING m.key, m.token, o.event_id, o.order_id, o.seat_ids, m.state, m.tickets
), written AS (
	INSERT INTO checkout_tickets (event_id, ticket_id, order_id, seat_id)
	SELECT event_id, ticket.id::uuid, order_id, ticket.seat
	FROM moved, ROWS FROM (unnest(seat_ids), json_array_elements_text(tickets::json))
		AS ticket (seat, id)
	WHERE state = 'finalized'
)
SELECT key, token FROM moved;

-- name: claim_revoke
-- By the mark, whatever the status. Behind key and attempts: event, order.
UPDATE checkout_orders o SET lease_token = $2, attempts = o.attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
FROM unnest(ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE revoke_due AND next_at <= (SELECT clock_timestamp()) AND $1::text IS NOT NULL
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key)
RETURNING due.key, o.attempts, o.event_id, o.order_id;

-- name: move_revoke
-- The status stays what it is; a new state only says that the seats know.
UPDATE checkout_orders o SET revoke_due = m.state IS NULL,
	lease_token = NULL, attempts = m.attempts, stuck = m.stuck, note = m.note,
	next_at = CASE WHEN m.delay >= 0 THEN clock_timestamp() + m.delay * interval '1 ms' END
FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[], $7::boolean[],
	$8::text[]) AS m (key, token, state, delay, attempts, stuck, note)
WHERE o.event_id = checkout_key_event(m.key) AND o.order_id = checkout_key_order(m.key)
	AND o.revoke_due AND o.lease_token = m.token AND $1::text IS NOT NULL
RETURNING m.key, m.token;

-- name: move_payment
-- `move` of the payment's stages. Whose sale is undone by it has no valid ticket from here on, and
-- the seats are to be told.
WITH moved AS MATERIALIZED (
	SELECT * FROM checkout_move($1::text, $2::text[], $3::uuid[], $4::text[], $5::bigint[],
		$6::integer[], $7::boolean[], $8::text[], $9::text[], $10::text[], $11::text[],
		$12::text[], $13::text[], $14::text[], $15::text[], $16::text[], true)
), voided AS (
	UPDATE checkout_tickets t SET status = 'void'
	FROM moved m WHERE m.revoked AND t.event_id = m.event_id AND t.order_id = m.order_id
)
SELECT key, token FROM moved;
