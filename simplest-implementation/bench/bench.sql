-- The event that is fought for in the figures, and how each load finds the same tables.

-- name: make
INSERT INTO venues (venue_id, name, sections, seats, plan)
VALUES ('00000000-0000-7000-8000-000000000001', 'Bench', 1, 0, '{}');
INSERT INTO events (event_id, venue_id, name, starts_at, currency, prices)
SELECT id::uuid, '00000000-0000-7000-8000-000000000001', 'Bench', now() + interval '1 day', 'EUR',
	'{"A": 4500}'
FROM unnest(ARRAY['00000000-0000-7000-8000-000000005000', '00000000-0000-7000-8000-000000000100'])
	AS id;
INSERT INTO seat_inventory (event_id, seat_id, price)
SELECT '00000000-0000-7000-8000-000000005000', 's-' || seat, 4500
FROM generate_series(1, 5000) AS seat;
INSERT INTO seat_inventory (event_id, seat_id, price)
SELECT '00000000-0000-7000-8000-000000000100', 's-' || seat, 4500
FROM generate_series(1, 100) AS seat;

-- name: begin_anew
-- Every load begins with free seats and without the dead rows and the log of the one before.
TRUNCATE holds, idempotency_keys;
UPDATE seat_inventory SET status = 'available', hold_id = NULL, reserved_until = NULL;

-- name: vacuum
VACUUM (FULL, ANALYZE) seat_inventory;

-- name: checkpoint
CHECKPOINT;

-- name: count_holds
SELECT count(*) FROM holds;

-- name: count_keys
SELECT count(*) FROM idempotency_keys WHERE status = 201;

-- name: count_sessions
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench';
