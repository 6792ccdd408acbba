-- Seats of events, who holds them and who has bought them: the tables of every seat store that
-- keeps them in PostgreSQL. Applied at each start, so each statement may be repeated.
--
-- Primary keys begin with the event, so that the tables can be partitioned or distributed by event
-- without a change. No other index does: as long as a table has no statistics, which is when a sale
-- begins, all of its indexes look alike to the planner, and one of which a statement can use the
-- event alone would be read from end to end for every row.
--
-- There are no foreign keys to the event on purpose: each new hold would take a share lock on the
-- one row that all holds of an event have in common. What foreign keys would say is asked by the
-- auditor.

-- name: schema
SELECT pg_advisory_xact_lock(20260601); -- Two servers may start at once.

CREATE TABLE IF NOT EXISTS seat_events (
	event_id uuid PRIMARY KEY,
	currency text NOT NULL
);

-- One row per seat and event: the row that everybody fights for. The row itself says who holds it,
-- so a second live hold of a seat has nowhere to stand. No index has a column that changes, and the
-- pages keep room, so that a new version of a row stays on its page and touches no index (HOT).
-- Ids compare by their bytes, everywhere in the same order, which is also the order of locks.
CREATE TABLE IF NOT EXISTS seats (
	event_id       uuid NOT NULL,
	seat_id        text COLLATE "C" NOT NULL,
	price          bigint NOT NULL CHECK (price >= 0),
	version        bigint NOT NULL DEFAULT 0, -- Grows by one with each change of the status.
	status         text COLLATE "C" NOT NULL DEFAULT 'available',
	hold_id        uuid,
	reserved_until timestamptz, -- A held seat is free from then on, swept or not.
	order_id       uuid,
	section        text NOT NULL,
	seat_row       text NOT NULL,
	number         text NOT NULL,
	PRIMARY KEY (event_id, seat_id),
	CONSTRAINT seat_is_in_one_state CHECK (
		(status = 'available' AND hold_id IS NULL AND reserved_until IS NULL
			AND order_id IS NULL)
		OR (status = 'held' AND hold_id IS NOT NULL AND reserved_until IS NOT NULL
			AND order_id IS NULL)
		OR (status = 'sold' AND hold_id IS NOT NULL AND reserved_until IS NULL
			AND order_id IS NOT NULL))
) WITH (fillfactor = 60);

-- What became of each hold that was granted; refusals leave no row. A held one whose time is over
-- counts as expired, swept or not.
CREATE TABLE IF NOT EXISTS seat_holds (
	event_id   uuid NOT NULL,
	hold_id    uuid NOT NULL,
	person     text COLLATE "C" NOT NULL,
	seat_ids   text[] COLLATE "C" NOT NULL, -- In order, each once.
	hold_ms    bigint NOT NULL,
	version    bigint NOT NULL, -- The fence: the highest version of its seats when it was made.
	total      bigint NOT NULL CHECK (total >= 0),
	expires_at timestamptz NOT NULL,
	status     text COLLATE "C" NOT NULL DEFAULT 'held'
		CHECK (status IN ('held', 'released', 'expired', 'sold', 'revoked')),
	order_id   uuid,
	sold_at    timestamptz, -- The moment at which the sale was found to be in time.
	PRIMARY KEY (event_id, hold_id),
	CONSTRAINT hold_has_its_order CHECK (
		(order_id IS NOT NULL) = (status IN ('sold', 'revoked'))
		AND (sold_at IS NOT NULL) = (status IN ('sold', 'revoked'))),
	CONSTRAINT hold_is_sold_in_time CHECK (sold_at < expires_at)
);
CREATE INDEX IF NOT EXISTS seat_holds_to_expire ON seat_holds (expires_at) WHERE status = 'held';
CREATE UNIQUE INDEX IF NOT EXISTS one_hold_per_order ON seat_holds (order_id, event_id)
	WHERE order_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS seat_tickets (
	event_id  uuid NOT NULL,
	ticket_id uuid NOT NULL,
	order_id  uuid NOT NULL,
	seat_id   text COLLATE "C" NOT NULL,
	price     bigint NOT NULL CHECK (price >= 0),
	status    text COLLATE "C" NOT NULL DEFAULT 'valid' CHECK (status IN ('valid', 'void')),
	PRIMARY KEY (event_id, ticket_id)
);
-- The last guard: a second valid ticket for a seat is impossible, whatever the code does.
CREATE UNIQUE INDEX IF NOT EXISTS one_valid_ticket_per_seat ON seat_tickets (seat_id, event_id)
	WHERE status = 'valid';
CREATE INDEX IF NOT EXISTS seat_tickets_by_order ON seat_tickets (order_id, event_id);

-- The id of a ticket (seat_store.h, seat_ticket_id): a UUIDv8 of RFC 9562, appendix B.2, from the
-- SHA-256 of the order's 16 bytes and the seat's id.
CREATE OR REPLACE FUNCTION seat_ticket_id(order_id uuid, seat_id text) RETURNS uuid
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT encode(set_byte(set_byte(hash, 6, get_byte(hash, 6) & 15 | 128),
		8, get_byte(hash, 8) & 63 | 128), 'hex')::uuid
	FROM (SELECT substring(sha256(uuid_send(order_id) || convert_to(seat_id, 'UTF8'))
		FROM 1 FOR 16)) AS digest (hash) $$;
