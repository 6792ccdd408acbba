-- How much is asked of events through each server, so that waiting rooms open and close by what all
-- of them are asked (conductor.h). Not logged: after a crash it is worth nothing.

-- name: schema
CREATE UNLOGGED TABLE IF NOT EXISTS event_demand (
	event_id         uuid NOT NULL,
	server           uuid NOT NULL, -- One start of one.
	holds_per_second bigint NOT NULL CHECK (holds_per_second >= 0), -- Of late.
	lane_depth       bigint NOT NULL CHECK (lane_depth >= 0),
	told_at          timestamptz NOT NULL,
	PRIMARY KEY (event_id, server)
);
