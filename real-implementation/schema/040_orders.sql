-- What the product adds to the checkout's orders (checkout.sql): answers to their clients, orders
-- as clients see them, what is told to others, and an order per hold that waits to be confirmed.

-- name: schema

-- Answers that were given for an Idempotency-Key, committed together with their effect.
CREATE TABLE IF NOT EXISTS idempotency_keys (
	caller      text NOT NULL, -- The person.
	operation   text NOT NULL, -- Method and route.
	key         text NOT NULL,
	fingerprint text NOT NULL, -- SHA-256 of path and body, in hexadecimal.
	status      integer NOT NULL,
	body        text NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (caller, operation, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created_at);

-- A ticket lets in once.
CREATE TABLE IF NOT EXISTS ticket_scans (
	event_id   uuid NOT NULL,
	ticket_id  uuid NOT NULL,
	scanned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	gate       text,
	PRIMARY KEY (event_id, ticket_id)
);

-- As one_order_per_hold, but a declined order keeps its hold, too: it may be confirmed again.
CREATE UNIQUE INDEX IF NOT EXISTS one_open_order_per_hold ON checkout_orders (hold_id, event_id)
	WHERE status NOT IN ('expired', 'canceled');
CREATE INDEX IF NOT EXISTS checkout_orders_by_person ON checkout_orders (person, order_id);
CREATE INDEX IF NOT EXISTS checkout_orders_declined ON checkout_orders (expires_at)
	WHERE status = 'declined' AND ending IS NULL;

-- ---- Orders as clients see them ----

CREATE OR REPLACE FUNCTION order_time(t timestamptz) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

CREATE OR REPLACE FUNCTION order_seats(o checkout_orders) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('seatId', s.seat_id, 'section', s.section,
		'row', s.seat_row, 'number', s.number, 'price', s.price) ORDER BY asked.place),
		'[]')
	FROM unnest(o.seat_ids) WITH ORDINALITY AS asked (seat_id, place)
	JOIN seats AS s ON s.event_id = o.event_id AND s.seat_id = asked.seat_id $$;

-- Only who has paid has tickets: those of a sale whose money is not there yet may be revoked.
CREATE OR REPLACE FUNCTION order_tickets(o checkout_orders) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object(
		'ticketId', checkout_key(t.event_id, t.ticket_id), 'seatId', s.seat_id,
		'section', s.section, 'row', s.seat_row, 'number', s.number, 'price', t.price)
		ORDER BY t.seat_id), '[]')
	FROM seat_tickets AS t JOIN seats AS s ON s.event_id = t.event_id AND s.seat_id = t.seat_id
	WHERE o.status = 'paid' AND t.order_id = o.order_id AND t.event_id = o.event_id
		AND t.status = 'valid' $$;

-- Until when something is to happen, or the order is over. A proof may be asked for by an earlier
-- time than the hold's end, which counts again when it has failed.
CREATE OR REPLACE FUNCTION order_deadline(o checkout_orders) RETURNS timestamptz
	LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN o.status IN ('requires_confirmation', 'authorizing', 'requires_action')
		THEN o.expires_at WHEN o.status = 'declined' THEN (SELECT h.expires_at
			FROM seat_holds AS h
			WHERE h.event_id = o.event_id AND h.hold_id = o.hold_id) END $$;

CREATE OR REPLACE FUNCTION order_json(o checkout_orders) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object(
		'orderId', checkout_key(o.event_id, o.order_id), 'eventId', o.event_id,
		'holdId', checkout_key(o.event_id, o.hold_id), 'status', o.status,
		'version', o.version, 'total', o.total, 'currency', o.currency,
		'seats', order_seats(o), 'tickets', order_tickets(o), 'reason', o.reason,
		'nextActionUrl', o.next_action_url,
		'cancelRequested', CASE WHEN o.ending = 'cancel' THEN true END,
		'createdAt', order_time(o.created_at), 'changedAt', order_time(o.changed_at),
		'expiresAt', order_time(order_deadline(o)))) $$;

-- The same for its stream, where only what changes is told.
CREATE OR REPLACE FUNCTION order_event_json(o checkout_orders) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT json_strip_nulls(json_build_object('orderId',
		checkout_key(o.event_id, o.order_id), 'status', o.status, 'version', o.version,
		'reason', o.reason, 'nextActionUrl', o.next_action_url))::text $$;

-- Whether somebody has come in with one of the order's tickets. VOLATILE, so that who calls it with
-- the order locked also sees a scan that was committed while they waited for the lock. Who scans
-- takes a share lock of the order first, and sees whether it is to be canceled.
CREATE OR REPLACE FUNCTION order_is_scanned(event uuid, wanted uuid) RETURNS boolean
	LANGUAGE sql VOLATILE AS $$
	SELECT EXISTS (SELECT FROM seat_tickets AS t
		JOIN ticket_scans AS s ON s.event_id = t.event_id AND s.ticket_id = t.ticket_id
		WHERE t.event_id = event AND t.order_id = wanted) $$;

-- ---- What is told to others ----

-- Events that are to be delivered, with the names of CloudEvents, written by the transactions that
-- they tell of. Whoever delivers them takes the rows away.
CREATE TABLE IF NOT EXISTS outbox (
	event_id uuid NOT NULL, -- Of the sale.
	id       uuid NOT NULL DEFAULT gen_random_uuid(),
	source   text NOT NULL,
	type     text NOT NULL,
	time     timestamptz NOT NULL,
	subject  text NOT NULL,
	data     jsonb NOT NULL,
	PRIMARY KEY (event_id, id)
);

CREATE OR REPLACE FUNCTION tell_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO outbox (event_id, source, type, time, subject, data)
	VALUES (NEW.event_id, '/orders', 'order.' || NEW.status, NEW.changed_at,
		checkout_key(NEW.event_id, NEW.order_id),
		jsonb_strip_nulls(jsonb_build_object(
			'orderId', checkout_key(NEW.event_id, NEW.order_id),
			'eventId', NEW.event_id, 'userId', NEW.person, 'status', NEW.status,
			'version', NEW.version, 'total', NEW.total, 'currency', NEW.currency,
			'seatIds', NEW.seat_ids, 'reason', NEW.reason)));
	RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER checkout_orders_told AFTER UPDATE ON checkout_orders FOR EACH ROW
	WHEN (OLD.status <> NEW.status
		AND NEW.status IN ('paid', 'declined', 'canceled', 'expired', 'refunded'))
	EXECUTE FUNCTION tell_order();
