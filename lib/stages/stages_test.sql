-- What the tests of lib/stages work on: jobs that go through three states, what was done to them,
-- and by whom.

-- name: schema
CREATE TABLE jobs (
	job_id      bigint PRIMARY KEY,
	state       text NOT NULL,
	next_at     timestamptz DEFAULT clock_timestamp(),
	lease_token uuid,
	attempts    integer NOT NULL DEFAULT 0,
	stuck       boolean NOT NULL DEFAULT false,
	note        text,
	act_ms      bigint NOT NULL DEFAULT 0, -- How long each act takes; negative: until let go.
	fault       text NOT NULL DEFAULT '',
	round       bigint NOT NULL DEFAULT 1, -- How often the job was sent through the states.
	-- Of a job with this fault not even that it is stuck can be written.
	CONSTRAINT worse CHECK (fault <> 'worse' OR lease_token IS NOT NULL OR attempts = 0)
);
CREATE INDEX jobs_due ON jobs (state, next_at) WHERE next_at IS NOT NULL;

-- Each act, as the outside would see it.
CREATE TABLE acts (
	job_id bigint NOT NULL,
	state  text NOT NULL,
	worker text NOT NULL
);

-- Each transition, with the round that its act was made for.
CREATE TABLE moves (
	job_id     bigint NOT NULL,
	from_state text NOT NULL,
	to_state   text NOT NULL,
	round      bigint NOT NULL,
	acted_for  bigint
);

-- name: claim
UPDATE jobs SET lease_token = $2, attempts = attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
WHERE job_id = ANY (ARRAY(
	SELECT job_id FROM jobs
	WHERE state = $1 AND next_at <= (SELECT clock_timestamp())
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING job_id::text, attempts, act_ms, fault, round;

-- name: renew
UPDATE jobs SET next_at = clock_timestamp() + $4 * interval '1 ms'
FROM unnest($2::text[], $3::uuid[]) AS mine (key, token)
WHERE job_id = mine.key::bigint AND state = $1 AND lease_token = mine.token
RETURNING mine.key, mine.token;

-- name: move
WITH moved AS (
	UPDATE jobs SET state = coalesce(m.state, jobs.state), lease_token = NULL,
		attempts = m.attempts,
		next_at = CASE WHEN m.delay >= 0
			THEN clock_timestamp() + m.delay * interval '1 ms' END,
		stuck = m.stuck, note = m.note
	FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[],
		$7::boolean[], $8::text[], $9::text[])
		AS m (key, token, state, delay, attempts, stuck, note, acted_for)
	WHERE job_id = m.key::bigint AND jobs.state = $1 AND lease_token = m.token
	RETURNING m.key, m.token, job_id, jobs.state, round, m.acted_for
), logged AS (
	INSERT INTO moves SELECT job_id, $1, state, round, acted_for::bigint FROM moved
)
SELECT key, token FROM moved;

-- The negative control: the same without the fence.
-- name: move_unguarded
WITH moved AS (
	UPDATE jobs SET state = coalesce(m.state, jobs.state), lease_token = NULL,
		attempts = m.attempts,
		next_at = CASE WHEN m.delay >= 0
			THEN clock_timestamp() + m.delay * interval '1 ms' END,
		stuck = m.stuck, note = m.note
	FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[],
		$7::boolean[], $8::text[], $9::text[])
		AS m (key, token, state, delay, attempts, stuck, note, acted_for)
	WHERE job_id = m.key::bigint AND jobs.state = $1
	RETURNING m.key, m.token, job_id, jobs.state, round, m.acted_for
), logged AS (
	INSERT INTO moves SELECT job_id, $1, state, round, acted_for::bigint FROM moved
)
SELECT key, token FROM moved;

-- A stage that claims by a mark, whatever the state.
-- name: claim_marked
UPDATE jobs SET lease_token = $2, attempts = attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
WHERE job_id = ANY (ARRAY(
	SELECT job_id FROM jobs
	WHERE fault = 'cancel' AND next_at <= (SELECT clock_timestamp())
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING job_id::text, attempts, state;

-- name: move_marked
UPDATE jobs SET state = coalesce(m.state, jobs.state), lease_token = NULL, attempts = m.attempts,
	next_at = CASE WHEN m.delay >= 0 THEN clock_timestamp() + m.delay * interval '1 ms' END,
	stuck = m.stuck, note = m.note
FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[], $7::boolean[],
	$8::text[]) AS m (key, token, state, delay, attempts, stuck, note)
WHERE job_id = m.key::bigint AND lease_token = m.token
RETURNING m.key, m.token;

-- name: act
INSERT INTO acts SELECT key::bigint, $2, $3 FROM unnest($1::text[]) AS key;

-- How many transitions were made more than once, or with the answer to an act of another round.
-- name: judge
SELECT (SELECT count(*) FROM (SELECT 1 FROM moves WHERE to_state <> from_state
		GROUP BY job_id, from_state, round HAVING count(*) > 1) AS twice)
	+ (SELECT count(*) FROM moves WHERE acted_for <> round)
	+ (SELECT count(*) FROM moves WHERE to_state <> from_state AND NOT EXISTS (
		SELECT FROM acts WHERE acts.job_id = moves.job_id AND acts.state = from_state));
