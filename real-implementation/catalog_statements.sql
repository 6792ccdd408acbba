-- How venues and events are written, and read by those who write them. See catalog.h.

-- name: catalog_key_find
SELECT fingerprint, status, body FROM idempotency_keys
WHERE caller = 'admin' AND operation = $1 AND key = $2;

-- name: catalog_key_store
-- Two requests with one key may both have found that it is there.
INSERT INTO idempotency_keys (caller, operation, key, fingerprint, status, body)
VALUES ('admin', $1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;

-- name: catalog_venue_insert
INSERT INTO venues (venue_id, name, city, country, plan, seat_count, section_count, sections,
	categories, made_from)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING venue_id;

-- name: catalog_venue_read
SELECT made_from, json_strip_nulls(json_build_object('venueId', venue_id, 'name', name,
	'city', city, 'country', country, 'seats', seat_count, 'sections', section_count,
	'categories', (SELECT json_agg(category ->> 'name' ORDER BY ordinal)
		FROM jsonb_array_elements(categories) WITH ORDINALITY
			AS c (category, ordinal))))::text
FROM venues WHERE venue_id = $1;

-- name: catalog_venue_find
-- By id or by name; two rows where the name is not enough.
SELECT venue_id, (SELECT array_agg(category ->> 'name' ORDER BY ordinal)
	FROM jsonb_array_elements(categories) WITH ORDINALITY AS c (category, ordinal))
FROM venues WHERE venue_id = $1 OR name = $2 LIMIT 2;

-- name: catalog_venue_plan
SELECT plan FROM venues WHERE venue_id = $1;

-- name: catalog_event_insert
INSERT INTO events (event_id, venue_id, name, performers, description, city, starts_at, on_sale_at,
	currency, prices, price_from, price_to, seats_per_hold_max, hold_seconds, waiting_room,
	made_from)
SELECT $1, venue_id, $3, $4, $5, city, $6,
	coalesce($7, least(date_trunc('milliseconds', now()), $6)), $8, $9, $10, $11, $12, $13, $14,
	$15
FROM venues WHERE venue_id = $2
ON CONFLICT DO NOTHING;

-- name: catalog_event_state
SELECT made_from, status = 'draft' FROM events WHERE event_id = $1;

-- name: catalog_event_publish
UPDATE events SET status = 'scheduled', changed_at = clock_timestamp()
WHERE event_id = $1 AND status = 'draft';

-- name: catalog_event_lock
-- NULL parameters are what was not given, and nothing differs from that.
SELECT status = 'canceled', e.venue_id <> $2 OR v.name <> $3, currency <> $4, prices <> $5
FROM events e JOIN venues v USING (venue_id)
WHERE event_id = $1 AND status <> 'draft' FOR NO KEY UPDATE OF e;

-- name: catalog_event_change
UPDATE events SET name = coalesce($2, name), performers = coalesce($3, performers),
	description = coalesce($4, description), starts_at = coalesce($5, starts_at),
	on_sale_at = coalesce($6, on_sale_at),
	seats_per_hold_max = coalesce($7, seats_per_hold_max),
	hold_seconds = coalesce($8, hold_seconds), waiting_room = coalesce($9, waiting_room),
	status = CASE WHEN $10 THEN 'canceled' ELSE status END,
	version = version + 1, changed_at = clock_timestamp()
WHERE event_id = $1;

-- name: catalog_event_read
-- As browsers see it (event_detail), and the settings that are the organiser's business.
SELECT left(event_detail(e, v)::text, -1) || ', "waitingRoom": ' || waiting_room || '}'
FROM events e JOIN venues v USING (venue_id) WHERE event_id = $1;
