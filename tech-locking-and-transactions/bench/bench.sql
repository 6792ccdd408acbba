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
