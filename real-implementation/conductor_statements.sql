-- What the conductor asks the database, by name.

-- name: wishes
-- $1 events, $2 how many of their seats are free. What the organiser wishes, who has opened the
-- room, and, unless all who may be inside find a free seat anyway, who is in the way of others:
-- seats of holds that end within the claim window, and people who hold some.
SELECT e.event_id, e.waiting_room::text, coalesce(e.room_opened_by, ''), live.soon, live.holders
FROM unnest($1::uuid[], $2::bigint[]) AS asked (event_id, available)
JOIN events AS e ON e.event_id = asked.event_id
CROSS JOIN LATERAL (
	SELECT coalesce(sum(cardinality(h.seat_ids)) FILTER (WHERE h.expires_at <=
			clock_timestamp()
			+ (e.waiting_room ->> 'claimSeconds')::integer * interval '1 s'),
			0)::bigint,
		count(DISTINCT h.person)
	FROM seat_holds AS h
	WHERE (asked.available >= (e.waiting_room ->> 'activeMax')::bigint) IS NOT TRUE
		AND h.event_id = e.event_id AND h.status = 'held'
		AND h.expires_at > clock_timestamp())
	AS live (soon, holders)
WHERE e.status <> 'draft';

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
