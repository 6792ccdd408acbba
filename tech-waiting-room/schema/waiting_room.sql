-- The durable record of waiting rooms: one row per event. It is not in the way of joining or
-- calling; it holds what a room must not forget when the technology that runs it has lost its
-- memory. Numbers are reserved here before they are used, so after a loss both go on from their
-- ceilings and none is given twice.
-- name: schema
select pg_advisory_xact_lock(20260002); -- Two servers may start at once.

create table if not exists waiting_room (
	event_id text primary key check (length(event_id) between 1 and 64),
	epoch bigint not null default 0 check (epoch >= 0),
	tail_ceiling bigint not null default 0 check (tail_ceiling >= 0),
	serving_ceiling bigint not null default 0 check (serving_ceiling >= 0),
	state text not null check (state in ('lobby', 'open', 'paused', 'draining', 'closed')),
	rate_per_second text not null,
	active_max bigint not null check (active_max >= 0),
	claim_seconds bigint not null check (claim_seconds > 0),
	heartbeat_seconds bigint not null check (heartbeat_seconds > 0),
	session_seconds bigint not null check (session_seconds > 0),
	starts_at_ms bigint not null default 0,
	had_lobby boolean not null,
	-- How many people the lobby had at its end; null while it is open.
	lobby_cut bigint check (lobby_cut >= 0),
	-- The seed that was committed to when the room was made, and the hash of the lobby's list.
	seed bytea not null check (length(seed) = 32),
	lobby_hash bytea check (length(lobby_hash) = 32),
	check (had_lobby or (state <> 'lobby' and lobby_cut = 0 and lobby_hash is null)),
	check (lobby_hash is null or lobby_cut is not null)
);
