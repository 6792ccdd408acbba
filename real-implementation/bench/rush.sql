-- What the bench of a rush asks the database, beside the loads.

-- name: peer_begin_anew
-- $1 the event that pgbench has for itself: all of its seats are free again.
WITH holds AS (DELETE FROM seat_holds WHERE event_id = $1::uuid),
	tickets AS (DELETE FROM seat_tickets WHERE event_id = $1::uuid),
	orders AS (DELETE FROM checkout_orders WHERE event_id = $1::uuid)
UPDATE seats SET status = 'available', hold_id = NULL, reserved_until = NULL, order_id = NULL
WHERE event_id = $1::uuid AND status <> 'available';

-- name: tidy
-- Each load begins without the dead rows and the log of the one before.
VACUUM (ANALYZE) seats, seat_holds, seat_changes, seat_tickets, checkout_orders, idempotency_keys;

-- name: event_named
-- $1 its name.
SELECT event_id FROM events WHERE name = $1;

-- name: checkpoint
CHECKPOINT;

-- name: count_holds
SELECT count(*) FROM seat_holds WHERE event_id = $1::uuid;

-- name: count_unpaid
-- Orders that have not come to their good end.
SELECT count(*) FROM checkout_orders WHERE event_id = $1::uuid AND status <> 'paid';

-- name: count_bought
-- Seats that are sold, have their ticket and were paid for; -1 where the three do not agree.
SELECT CASE WHEN sold = tickets AND sold = paid THEN sold ELSE -1 END
FROM (SELECT (SELECT count(*) FROM seats WHERE event_id = $1::uuid AND status = 'sold') AS sold,
	(SELECT count(*) FROM seat_tickets WHERE event_id = $1::uuid AND status = 'valid')
		AS tickets,
	(SELECT count(*) FROM checkout_orders WHERE event_id = $1::uuid AND status = 'paid')
		AS paid) AS counts;
