-- One event with sales in every state that a sale can come to, for tests of what reads them. The
-- numbers of holds and orders are the sales'.

-- name: empty
DELETE FROM ticket_scans;
DELETE FROM idempotency_keys;
DELETE FROM seat_tickets;
DELETE FROM checkout_orders;
DELETE FROM seat_holds;
DELETE FROM seats;
DELETE FROM seat_events;
DELETE FROM events;
DELETE FROM venues;

-- name: event
INSERT INTO venues (venue_id, name, city, country, plan, seat_count, section_count, sections,
	categories, made_from)
VALUES ('00000000-0000-7000-8000-0000000000a1', 'Town Hall', 'Lisbon', 'PT', '{}', 40, 2, '[]',
	'[]', '\x00');
INSERT INTO events (event_id, venue_id, name, performers, description, city, starts_at, on_sale_at,
	currency, prices, price_from, price_to, status, seats_per_hold_max, hold_seconds,
	waiting_room, made_from)
VALUES ('00000000-0000-7000-8000-0000000000e1', '00000000-0000-7000-8000-0000000000a1',
	'Winter "Gala" <Ünïcode>', '{}', '', 'Lisbon', '2030-01-02 20:00Z', '2026-01-01Z', 'EUR',
	'{"Stalls": 5000, "Balcony": 2500}', 2500, 5000, 'scheduled', 10, 600, '{}', '\x00');
INSERT INTO seat_events VALUES ('00000000-0000-7000-8000-0000000000e1', 'EUR');
INSERT INTO seats (event_id, seat_id, price, section, seat_row, number)
SELECT '00000000-0000-7000-8000-0000000000e1', section || '-' || n,
	CASE section WHEN 'Stalls' THEN 5000 ELSE 2500 END, section, 'R' || (n + 9) / 10, n::text
FROM unnest('{Stalls,Balcony}'::text[]) AS section, generate_series(1, 20) AS n;

-- name: functions
CREATE FUNCTION sale_event() RETURNS uuid LANGUAGE sql IMMUTABLE AS
	$$ SELECT '00000000-0000-7000-8000-0000000000e1'::uuid $$;
CREATE FUNCTION sale_hold(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	$$ SELECT ('00000000-0000-8000-8000-00000001' || lpad(n::text, 4, '0'))::uuid $$;
CREATE FUNCTION sale_order(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	$$ SELECT ('00000000-0000-8000-8000-00000002' || lpad(n::text, 4, '0'))::uuid $$;
CREATE FUNCTION sale_ticket(n integer, seat text) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	$$ SELECT seat_ticket_id(sale_order(n), seat) $$;

-- A hold, in one of its states. One that is sold or revoked is sale n's.
CREATE FUNCTION plant_hold(n integer, holder text, wanted text[], state text) RETURNS void
	LANGUAGE sql AS $$
	UPDATE seats SET version = version + 1, status = 'held', hold_id = sale_hold(n),
		reserved_until = date_trunc('milliseconds', now()) + interval '10 min'
	WHERE event_id = sale_event() AND seat_id = ANY (wanted);
	INSERT INTO seat_holds (event_id, hold_id, person, seat_ids, hold_ms, version, total,
		expires_at, status, order_id, sold_at)
	SELECT sale_event(), sale_hold(n), holder, array_agg(seat_id ORDER BY seat_id), 600000,
		max(version), sum(price), date_trunc('milliseconds', now()) + interval '10 min',
		state, CASE WHEN state IN ('sold', 'revoked') THEN sale_order(n) END,
		CASE WHEN state IN ('sold', 'revoked') THEN now() END
	FROM seats WHERE event_id = sale_event() AND seat_id = ANY (wanted);
	INSERT INTO seat_tickets (event_id, ticket_id, order_id, seat_id, price, status)
	SELECT event_id, sale_ticket(n, seat_id), sale_order(n), seat_id, price,
		CASE state WHEN 'sold' THEN 'valid' ELSE 'void' END
	FROM seats WHERE event_id = sale_event() AND seat_id = ANY (wanted)
		AND state IN ('sold', 'revoked');
	UPDATE seats SET version = version + 1, reserved_until = NULL,
		status = CASE state WHEN 'sold' THEN 'sold' ELSE 'available' END,
		hold_id = CASE state WHEN 'sold' THEN hold_id END,
		order_id = CASE state WHEN 'sold' THEN sale_order(n) END
	WHERE event_id = sale_event() AND seat_id = ANY (wanted) AND state <> 'held' $$;

-- The order of hold n, with status and, where it is under way, work that is due in a minute.
CREATE FUNCTION plant_order(n integer, state text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO checkout_orders (event_id, order_id, hold_id, hold_version, person,
		method_digest, seat_ids, total, currency, expires_at, status, payment_attempt,
		intent_id, capture_before, captured, refunded, next_at, created_at, changed_at)
	SELECT event_id, sale_order(n), hold_id, version, person, '', seat_ids, total, 'EUR',
		expires_at, state, 1,
		CASE WHEN state NOT IN ('requires_confirmation', 'authorizing', 'expired')
			THEN 'pi_' || n END,
		CASE WHEN state NOT IN ('requires_confirmation', 'authorizing', 'expired')
			THEN now() + interval '6 days' END,
		CASE WHEN state IN ('paid', 'refunded') THEN total ELSE 0 END,
		CASE WHEN state = 'refunded' THEN total ELSE 0 END,
		CASE WHEN state IN ('authorizing', 'requires_action', 'authorized', 'finalized',
			'capturing') THEN now() + interval '1 min'
			WHEN state = 'requires_confirmation' THEN expires_at END,
		now() - interval '1 min', now() - interval '1 min'
	FROM seat_holds WHERE event_id = sale_event() AND hold_id = sale_hold(n) $$;

CREATE FUNCTION plant(n integer, holder text, wanted text[], state text, hold_state text)
	RETURNS void LANGUAGE sql AS $$
	SELECT plant_hold(n, holder, wanted, hold_state);
	SELECT plant_order(n, state) $$;

-- name: sales
SELECT plant(1, 'alice', '{Stalls-1,Stalls-2}', 'paid', 'sold');
SELECT plant(2, 'bob', '{Balcony-1}', 'paid', 'sold');
SELECT plant(3, 'bob', '{Balcony-2}', 'refunded', 'revoked');
SELECT plant(4, 'carol', '{Balcony-3}', 'canceled', 'revoked'); -- Its capture had failed.
SELECT plant(5, 'carol', '{Balcony-4}', 'canceled', 'held');
SELECT plant(6, 'dave', '{Balcony-5}', 'expired', 'expired');
SELECT plant(7, 'dave', '{Balcony-6}', 'declined', 'held');
SELECT plant_hold(8, 'erin', '{Stalls-3,Stalls-4}', 'held');
SELECT plant_hold(9, 'erin', '{Stalls-5}', 'released');
SELECT plant_hold(10, 'erin', '{Stalls-5}', 'expired');

-- name: under_way
SELECT plant(11, 'frank', '{Stalls-10}', 'authorizing', 'held');
SELECT plant(12, 'frank', '{Stalls-11}', 'authorized', 'held');
SELECT plant(13, 'frank', '{Stalls-12}', 'finalized', 'sold');
SELECT plant(14, 'frank', '{Stalls-13}', 'capturing', 'sold');
SELECT plant(15, 'frank', '{Stalls-14}', 'requires_action', 'held');
SELECT plant(16, 'frank', '{Stalls-15}', 'requires_confirmation', 'held');
