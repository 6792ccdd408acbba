-- The durable record of a waiting room; see ../schema/waiting_room.sql.

-- name: configure
-- A row that has left its lobby does not return to it: then no row comes back.
insert into waiting_room (event_id, state, rate_per_second, active_max, claim_seconds,
	heartbeat_seconds, session_seconds, starts_at_ms, seed, had_lobby, lobby_cut)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $2 = 'lobby',
	case when $2 = 'lobby' then null else 0 end)
on conflict (event_id) do update
set state = excluded.state, rate_per_second = excluded.rate_per_second,
	active_max = excluded.active_max, claim_seconds = excluded.claim_seconds,
	heartbeat_seconds = excluded.heartbeat_seconds, session_seconds = excluded.session_seconds,
	starts_at_ms = excluded.starts_at_ms
where excluded.state <> 'lobby' or (waiting_room.state = 'lobby' and waiting_room.lobby_cut is null)
returning event_id

-- name: next_epoch
-- Begin the next epoch, unless somebody has done so since it was read.
update waiting_room set epoch = epoch + 1 where event_id = $1 and epoch = $2
returning event_id

-- name: load
select epoch, tail_ceiling, serving_ceiling, state, rate_per_second, active_max, claim_seconds,
	heartbeat_seconds, session_seconds, starts_at_ms, had_lobby, lobby_cut, seed, lobby_hash
from waiting_room where event_id = $1

-- name: reserve
update waiting_room
set tail_ceiling = greatest(tail_ceiling, $2), serving_ceiling = greatest(serving_ceiling, $3)
where event_id = $1
returning tail_ceiling, serving_ceiling

-- name: cut
-- The first number recorded stays.
update waiting_room
set lobby_cut = coalesce(lobby_cut, $2),
	state = case when state = 'lobby' then 'open' else state end
where event_id = $1
returning lobby_cut

-- name: shuffle
update waiting_room set lobby_hash = coalesce(lobby_hash, $2)
where event_id = $1 and lobby_cut is not null
returning lobby_hash

-- name: list
select event_id from waiting_room order by event_id limit $1
