-- The events of search_bench.

-- name: venues
INSERT INTO venues (venue_id, name, city, country, plan, seat_count, section_count, sections,
	categories, made_from)
SELECT md5('venue' || n)::uuid, 'Hall ' || n, ($1::text[])[1 + n % cardinality($1::text[])], 'FR',
	'{}', 100, 1,
	'[{"name": "A", "seats": 100}]', '[{"name": "A", "seats": 100}]', ''
FROM generate_series(0, $2::bigint - 1) AS n;

-- name: add
INSERT INTO events (event_id, venue_id, name, performers, description, city, starts_at, on_sale_at,
	currency, prices, price_from, price_to, status, seats_per_hold_max, hold_seconds,
	waiting_room, made_from)
SELECT gen_random_uuid(), venue_id, made.name, ARRAY[performer], description, city,
	date_trunc('minute', now()) + minutes * interval '1 minute',
	date_trunc('minute', now()) + (minutes - 50000) * interval '1 minute', 'EUR', '{"A": 1000}',
	1000, 1000, 'scheduled', 10, 600, '{}', ''
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
	AS made (name, performer, description, venue, minutes)
JOIN venues ON venue_id = md5('venue' || made.venue)::uuid;
