-- What the conductor asks the database, by name.

-- name: wishes
-- $1 events. What the organiser wishes, and who has opened the room.
SELECT event_id, waiting_room::text, coalesce(room_opened_by, '') FROM events
WHERE event_id = ANY ($1::uuid[]) AND status <> 'draft';

-- name: holders
-- $1 event, $2 its claim window, s. Who is in the way of others: seats of holds that end within the
-- window, and people who hold some.
SELECT coalesce(sum(cardinality(seat_ids)) FILTER (
		WHERE expires_at <= clock_timestamp() + $2::integer * interval '1 s'), 0)::bigint,
	count(DISTINCT person)
FROM seat_holds
WHERE event_id = $1 AND status = 'held' AND expires_at > clock_timestamp();

-- name: wish
-- $1 event, $2 what is given of its settings, $3 whether the organiser opens the room. Remembers
-- it, and gives the whole.
UPDATE events SET waiting_room = waiting_room || $2::jsonb,
	room_opened_by = CASE WHEN $3 THEN 'operator' END
WHERE event_id = $1 AND status <> 'draft' RETURNING waiting_room::text;

-- name: opened_by_demand
-- $1 event, $2 whether it is open now.
UPDATE events SET room_opened_by = CASE WHEN $2 THEN 'demand' END
WHERE event_id = $1 AND room_opened_by IS DISTINCT FROM 'operator';

-- name: people
-- $1 orders, as "<event>.<order>".
SELECT o.event_id, o.person FROM unnest($1::text[]) AS key
JOIN checkout_orders AS o
	ON o.event_id = checkout_key_event(key) AND o.order_id = checkout_key_order(key);
