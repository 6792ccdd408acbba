-- What is asked about tickets, by name.

-- name: ticket_find
-- $1 the event, $2 the ticket, $3 the person. A ticket whose sale may still be undone for want of
-- money is not there. The category is told by the price where only one has that.
SELECT o.order_id, t.seat_id, s.section, s.seat_row, s.number, t.price, o.currency, t.status,
	h.sold_at, scan.scanned_at, e.name, e.starts_at, v.name, e.city,
	(SELECT min(category) FROM jsonb_each_text(e.prices) AS p (category, price)
		WHERE p.price::bigint = t.price HAVING count(*) = 1)
FROM seat_tickets t
JOIN checkout_orders o ON o.event_id = t.event_id AND o.order_id = t.order_id
JOIN seat_holds h ON h.event_id = o.event_id AND h.hold_id = o.hold_id
JOIN seats s ON s.event_id = t.event_id AND s.seat_id = t.seat_id
JOIN events e ON e.event_id = t.event_id
JOIN venues v ON v.venue_id = e.venue_id
LEFT JOIN ticket_scans scan ON scan.event_id = t.event_id AND scan.ticket_id = t.ticket_id
WHERE t.event_id = $1 AND t.ticket_id = $2 AND o.person = $3
	AND o.status NOT IN ('finalized', 'capturing');

-- name: ticket_scan
-- $1 the event, $2 the ticket, $3 the gate. The scan's time is NULL where it has made none: the
-- ticket is not to be let in, or was before. One that is being let in right now is waited for.
WITH ticket AS MATERIALIZED (
	SELECT t.event_id, t.ticket_id, s.section, s.seat_row, s.number,
		t.status = 'valid' AND o.status = 'paid' AND o.ending IS NULL AS admits
	FROM seat_tickets t
	JOIN checkout_orders o ON o.event_id = t.event_id AND o.order_id = t.order_id
	JOIN seats s ON s.event_id = t.event_id AND s.seat_id = t.seat_id
	WHERE t.event_id = $1 AND t.ticket_id = $2
	FOR SHARE OF o, t
), scan AS (
	INSERT INTO ticket_scans (event_id, ticket_id, scanned_at, gate)
	SELECT event_id, ticket_id, date_trunc('milliseconds', clock_timestamp()), $3
	FROM ticket WHERE admits
	ON CONFLICT DO NOTHING
	RETURNING scanned_at
)
SELECT section, seat_row, number, admits, (SELECT scanned_at FROM scan) FROM ticket;

-- name: ticket_scanned
-- $1 the event, $2 the ticket.
SELECT scanned_at, gate FROM ticket_scans WHERE event_id = $1 AND ticket_id = $2;

-- name: scan_key_lock
-- $1 operation, $2 key. False: another request with it is being answered.
SELECT pg_try_advisory_xact_lock(hashtextextended('admin ' || $1::text || ' ' || $2::text, 0));

-- name: scan_key_find
-- $1 operation, $2 key.
SELECT decode(fingerprint, 'hex'), status, body FROM idempotency_keys
WHERE caller = 'admin' AND operation = $1 AND key = $2;

-- name: scan_key_store
-- $1 operation, $2 key, $3 fingerprint, $4 status, $5 body.
INSERT INTO idempotency_keys (caller, operation, key, fingerprint, status, body)
VALUES ('admin', $1, $2, encode($3, 'hex'), $4, $5);
