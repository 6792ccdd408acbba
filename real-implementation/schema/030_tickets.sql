-- Tickets at the door.

-- name: schema
-- A ticket lets in once: the first scan has its row, and every later one is told about it.
CREATE TABLE ticket_scans (
	event_id   uuid NOT NULL,
	ticket_id  uuid NOT NULL,
	scanned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	gate       text, -- As the scanner names it.
	PRIMARY KEY (event_id, ticket_id)
);
