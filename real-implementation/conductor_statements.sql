-- What the conductor asks the database, by name.

-- name: look
-- $1 events, $2 this server, $3 what is asked of each through it, holds per second, $4 how many
-- requests wait for its lane. Tells the others, and gives what the organiser wishes, who has opened
-- the room, and what the others have told of late: the sum, and the deepest lane. A server that
-- says nothing is asked nothing, or gone. Those that are long gone are forgotten; never this one,
-- since a statement may change a row once only.
WITH told AS (
	INSERT INTO event_demand AS d (event_id, server, holds_per_second, lane_depth, told_at)
	SELECT event_id, $2::uuid, asked, $4::bigint, clock_timestamp()
	FROM unnest($1::uuid[], $3::bigint[]) AS own (event_id, asked) JOIN events USING (event_id)
	WHERE asked > 0 OR $4 > 0
	ON CONFLICT (event_id, server) DO UPDATE SET holds_per_second = excluded.holds_per_second,
		lane_depth = excluded.lane_depth, told_at = excluded.told_at
), forgotten AS (
	DELETE FROM event_demand
	WHERE event_id = ANY ($1) AND server <> $2 AND told_at < clock_timestamp() - interval '1 h'
)
SELECT e.event_id, e.waiting_room::text, coalesce(e.room_opened_by, ''),
	coalesce(others.holds_per_second, 0), coalesce(others.lane_depth, 0)
FROM events AS e CROSS JOIN LATERAL (
	SELECT sum(holds_per_second)::bigint AS holds_per_second, max(lane_depth) AS lane_depth
	FROM event_demand AS d
	WHERE d.event_id = e.event_id AND server <> $2
		AND told_at > clock_timestamp() - interval '3 s') AS others
WHERE e.event_id = ANY ($1) AND e.status <> 'draft';

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
