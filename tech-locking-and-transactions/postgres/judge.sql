-- What the judge of the tests asks about one event, $1: each statement gives how many things are
-- wrong. Invariants 1 (one live hold and one valid ticket per seat, one state), 2 (sold and
-- ticketed are the same), 8 (no hold was sold after its end).

-- name: second_tickets
SELECT count(*) FROM (SELECT FROM seat_tickets WHERE event_id = $1 AND status = 'valid'
	GROUP BY seat_id HAVING count(*) > 1) AS twice;

-- name: seats_at_odds_with_holds
-- A seat is held by the hold that lists it and is neither over nor ended, and only then.
SELECT count(*) FROM (SELECT seat_id, hold_id, reserved_until AS expires_at FROM seats
	WHERE event_id = $1 AND status = 'held' AND reserved_until > now()) AS seat
FULL JOIN (SELECT unnest(seat_ids) AS seat_id, hold_id, expires_at FROM seat_holds
	WHERE event_id = $1 AND status = 'held' AND expires_at > now()) AS hold
USING (seat_id, hold_id, expires_at) WHERE seat IS NULL OR hold IS NULL;

-- name: seats_at_odds_with_tickets
SELECT count(*) FROM (SELECT seat_id, order_id FROM seats
	WHERE event_id = $1 AND status = 'sold') AS seat
FULL JOIN (SELECT seat_id, order_id FROM seat_tickets
	WHERE event_id = $1 AND status = 'valid') AS ticket
USING (seat_id, order_id) WHERE seat IS NULL OR ticket IS NULL;

-- name: sales_at_odds_with_tickets
-- Each sale has one ticket for each of its seats, whose prices are its total; and no ticket is
-- left.
SELECT count(*) FROM (SELECT order_id, seat_ids, total,
		CASE status WHEN 'sold' THEN 'valid' ELSE 'void' END AS status
	FROM seat_holds WHERE event_id = $1 AND order_id IS NOT NULL) AS sale
FULL JOIN (SELECT order_id, array_agg(seat_id ORDER BY seat_id) AS seat_ids,
		sum(price)::bigint AS total, min(status) AS status
	FROM seat_tickets WHERE event_id = $1 GROUP BY order_id
	HAVING count(DISTINCT status) = 1) AS ticket
USING (order_id, seat_ids, total, status) WHERE sale IS NULL OR ticket IS NULL;

-- name: tickets_with_other_ids
SELECT count(*) FROM seat_tickets
WHERE event_id = $1 AND ticket_id <> seat_ticket_id(order_id, seat_id);

-- name: sold_too_late
SELECT count(*) FROM seat_holds WHERE event_id = $1 AND sold_at >= expires_at;

-- name: versions_at_odds
-- A hold's version is the highest of its seats at that time, so no seat of it is at less than one.
SELECT count(*) FROM seat_holds h CROSS JOIN LATERAL unnest(h.seat_ids) AS held (seat_id)
JOIN seats s ON s.event_id = h.event_id AND s.seat_id = held.seat_id
WHERE h.event_id = $1 AND s.version < 1;
