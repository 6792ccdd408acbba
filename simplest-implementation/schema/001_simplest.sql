-- The whole state of the simplest implementation. Applied at each start, so each statement may be
-- repeated. Primary keys begin with the event, as everywhere in Onsale.

-- name: schema
SELECT pg_advisory_xact_lock(20260001); -- Two servers may start at once.

CREATE TABLE IF NOT EXISTS venues (
	venue_id   uuid PRIMARY KEY,
	name       text NOT NULL,
	sections   integer NOT NULL,
	seats      integer NOT NULL,
	plan       json NOT NULL, -- As it was sent, for drawing.
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS venue_seats (
	venue_id uuid NOT NULL REFERENCES venues,
	ordinal  integer NOT NULL, -- The order of the plan.
	seat_id  text NOT NULL,    -- The plan's seat_guid.
	section  text NOT NULL,
	seat_row text NOT NULL,
	number   text NOT NULL,
	category text NOT NULL,
	x        double precision NOT NULL,
	y        double precision NOT NULL,
	PRIMARY KEY (venue_id, seat_id)
);

CREATE TABLE IF NOT EXISTS events (
	event_id   uuid PRIMARY KEY,
	venue_id   uuid NOT NULL REFERENCES venues,
	name       text NOT NULL,
	starts_at  timestamptz NOT NULL,
	currency   text NOT NULL,
	prices     jsonb NOT NULL, -- Category to minor units.
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS events_by_start ON events (starts_at, event_id);

CREATE TABLE IF NOT EXISTS holds (
	event_id   uuid NOT NULL REFERENCES events,
	hold_id    uuid NOT NULL,
	user_id    text NOT NULL,
	status     text NOT NULL CHECK (status IN ('held', 'released', 'expired', 'sold')),
	seat_ids   text[] NOT NULL,
	total      bigint NOT NULL CHECK (total >= 0),
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (event_id, hold_id)
);
CREATE INDEX IF NOT EXISTS holds_to_expire ON holds (expires_at) WHERE status = 'held';

-- One row per seat and event: the row that everybody fights for.
CREATE TABLE IF NOT EXISTS seat_inventory (
	event_id       uuid NOT NULL REFERENCES events,
	seat_id        text NOT NULL,
	price          bigint NOT NULL CHECK (price >= 0),
	status         text NOT NULL DEFAULT 'available',
	version        bigint NOT NULL DEFAULT 0,
	hold_id        uuid,
	reserved_until timestamptz,
	order_id       uuid,
	PRIMARY KEY (event_id, seat_id),
	CONSTRAINT seat_is_in_one_state CHECK (
		(status = 'available' AND hold_id IS NULL AND reserved_until IS NULL
			AND order_id IS NULL)
		OR (status = 'held' AND hold_id IS NOT NULL AND reserved_until IS NOT NULL
			AND order_id IS NULL)
		OR (status = 'sold' AND hold_id IS NOT NULL AND reserved_until IS NULL
			AND order_id IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS seats_by_hold ON seat_inventory (event_id, hold_id)
	WHERE hold_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS orders (
	event_id   uuid NOT NULL REFERENCES events,
	order_id   uuid NOT NULL,
	hold_id    uuid NOT NULL,
	user_id    text NOT NULL,
	status     text NOT NULL CHECK (status = 'paid'),
	total      bigint NOT NULL CHECK (total >= 0),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (event_id, order_id),
	CONSTRAINT one_order_per_hold UNIQUE (event_id, hold_id)
);

-- What the payment stand-in took: its only memory, written in the transaction of the order.
CREATE TABLE IF NOT EXISTS charges (
	event_id   uuid NOT NULL,
	order_id   uuid NOT NULL,
	amount     bigint NOT NULL CHECK (amount >= 0),
	currency   text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	FOREIGN KEY (event_id, order_id) REFERENCES orders,
	CONSTRAINT one_charge_per_order UNIQUE (event_id, order_id)
);

CREATE TABLE IF NOT EXISTS tickets (
	event_id  uuid NOT NULL,
	ticket_id uuid NOT NULL,
	order_id  uuid NOT NULL,
	seat_id   text NOT NULL,
	price     bigint NOT NULL,
	PRIMARY KEY (event_id, ticket_id),
	FOREIGN KEY (event_id, order_id) REFERENCES orders,
	FOREIGN KEY (event_id, seat_id) REFERENCES seat_inventory,
	-- The last guard: a second ticket for a seat is impossible, whatever the code does.
	CONSTRAINT one_ticket_per_seat UNIQUE (event_id, seat_id)
);
CREATE INDEX IF NOT EXISTS tickets_by_order ON tickets (event_id, order_id);

-- Answers that were given for an Idempotency-Key, committed together with their effect.
CREATE TABLE IF NOT EXISTS idempotency_keys (
	operation   text NOT NULL, -- Method and route.
	key         text NOT NULL,
	fingerprint bytea NOT NULL, -- SHA-256 of path and body.
	status      integer NOT NULL,
	body        text NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (operation, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE OR REPLACE FUNCTION rfc3339(t timestamptz) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- Ids of holds, orders and tickets carry their event, so that each look-up has the whole key.
CREATE OR REPLACE FUNCTION item_id(event_id uuid, id uuid) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT event_id || '.' || id $$;

-- An expired hold frees its seats at once for whoever looks; the sweeper only tidies up.
CREATE OR REPLACE FUNCTION seat_status(status text, reserved_until timestamptz)
	RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT CASE WHEN status = 'held' AND reserved_until <= clock_timestamp()
		THEN 'available' ELSE status END $$;
