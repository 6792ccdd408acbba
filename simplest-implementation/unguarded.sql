-- For the negative control only: seats_lock without its lock. The pause makes the gap between
-- looking and taking wide enough for another buyer to pass through it in every run.

-- name: seats_lock
SELECT seat_id, price, seat_status(status, reserved_until) = 'available' FROM seat_inventory,
	(SELECT pg_sleep(0.05)) AS pause
WHERE event_id = $1 AND seat_id = ANY ($2) ORDER BY seat_id;
