-- Tickets beside the orders, for techniques whose seats are in another database (checkout.sql).
-- Applied at each start, so each statement may be repeated.

-- name: schema
SELECT pg_advisory_xact_lock(20260602); -- Two servers may start at once.

CREATE TABLE IF NOT EXISTS checkout_tickets (
	event_id  uuid NOT NULL,
	ticket_id uuid NOT NULL, -- seat_ticket_id of order and seat (seat_store.h).
	order_id  uuid NOT NULL,
	seat_id   text COLLATE "C" NOT NULL,
	status    text COLLATE "C" NOT NULL DEFAULT 'valid' CHECK (status IN ('valid', 'void')),
	PRIMARY KEY (event_id, ticket_id)
);
-- A second valid ticket for a seat is impossible here, too.
CREATE UNIQUE INDEX IF NOT EXISTS one_valid_checkout_ticket_per_seat
	ON checkout_tickets (seat_id, event_id) WHERE status = 'valid';
CREATE INDEX IF NOT EXISTS checkout_tickets_by_order ON checkout_tickets (order_id, event_id);
