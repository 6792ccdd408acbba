-- The seats that are fought for in the figures.

-- name: make
INSERT INTO seat_events (event_id, currency)
SELECT id::uuid, 'EUR' FROM unnest(ARRAY['00000000-0000-7000-8000-000000050000',
	'00000000-0000-7000-8000-000000000100']) AS id;
INSERT INTO seats (event_id, seat_id, section, seat_row, number, price)
SELECT '00000000-0000-7000-8000-000000050000', 's-' || seat, 'A', '1', seat, 4500
FROM generate_series(1, 50000) AS seat;
INSERT INTO seats (event_id, seat_id, section, seat_row, number, price)
SELECT '00000000-0000-7000-8000-000000000100', 's-' || seat, 'A', '1', seat, 4500
FROM generate_series(1, 100) AS seat;

-- name: begin_anew
-- Every load begins with free seats and without the dead rows and the log of the one before.
TRUNCATE seat_holds, seat_tickets;
UPDATE seats SET status = 'available', hold_id = NULL, reserved_until = NULL, order_id = NULL
WHERE status <> 'available';

-- name: vacuum
VACUUM (ANALYZE) seats;

-- name: checkpoint
CHECKPOINT;

-- name: count_holds
SELECT count(*) FROM seat_holds;

-- name: forget_orders
TRUNCATE checkout_orders;

-- name: forget_saga
TRUNCATE checkout_orders, checkout_tickets;

-- name: count_paid
SELECT count(*) FROM checkout_orders WHERE status = 'paid';

-- name: count_open
-- Orders that have not come to an end.
SELECT count(*) FROM checkout_orders
WHERE status NOT IN ('paid', 'declined', 'expired', 'canceled', 'refunded');

-- name: count_paid_seats
SELECT coalesce(sum(cardinality(seat_ids)), 0) FROM checkout_orders WHERE status = 'paid';

-- name: count_sold
-- Seats that are sold and have their ticket; -1 where the two do not agree.
SELECT CASE WHEN count(*) = (SELECT count(*) FROM seat_tickets WHERE status = 'valid')
	THEN count(*) ELSE -1 END FROM seats WHERE status = 'sold';
