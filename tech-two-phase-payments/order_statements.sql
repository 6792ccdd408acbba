-- Everything that the order server asks its database, by name.
--
-- Four statements take requests of clients, many at once: create, confirm, finalize and cancel. In
-- each the effect and the record of its Idempotency-Key commit together. They name the requests
-- that they have applied; of the others `answers` tells why: the key is known, or the state is not
-- the right one. What they take and give stands in order_write.h.

-- name: create
-- $1 orders, $2 users, $3 contents: {"currency", "items", "total"}, $4 keys, $5 fingerprints,
-- $6 operation, $7 ms until it expires.
WITH new AS (
	SELECT DISTINCT ON (user_id, key) order_id::uuid, user_id, content::json AS content, key,
		fingerprint, ordinal
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
		AS a (order_id, user_id, content, key, fingerprint, ordinal)
	WHERE NOT EXISTS (SELECT FROM payments.idempotency_keys AS k
		WHERE k.caller = a.user_id AND k.operation = $6 AND k.key = a.key)
	ORDER BY user_id, key, ordinal
), made AS (
	INSERT INTO payments.orders AS o (order_id, user_id, currency, items, total, expires_at)
	SELECT order_id, user_id, content ->> 'currency', content -> 'items',
		(content ->> 'total')::bigint, clock_timestamp() + $7 * interval '1 ms' FROM new
	RETURNING o.order_id, o.version, payments.order_json(o) AS body,
		payments.event_json(o) AS event
), kept AS (
	INSERT INTO payments.idempotency_keys (caller, operation, key, fingerprint, status, body)
	SELECT new.user_id, $6, new.key, new.fingerprint, 201, made.body
	FROM made JOIN new USING (order_id)
)
SELECT new.ordinal, made.version, made.body, made.event FROM made JOIN new USING (order_id);

-- name: confirm
-- $1 orders, $2 callers, $3 keys, $4 fingerprints, $5 operation, $6 the states in which it is
-- legal, $7 payment methods.
WITH new AS (
	SELECT DISTINCT ON (order_id) *
	FROM unnest($1::text[]::uuid[], $2::text[], $3::text[], $4::text[], $7::text[])
		WITH ORDINALITY AS a (order_id, caller, key, fingerprint, payment_method, ordinal)
	WHERE NOT EXISTS (SELECT FROM payments.idempotency_keys AS k
		WHERE k.caller = a.caller AND k.operation = $5 AND k.key = a.key)
	ORDER BY order_id, ordinal
), done AS (
	UPDATE payments.orders AS o SET status = 'authorizing', version = o.version + 1,
		changed_at = clock_timestamp(), payment_method = new.payment_method,
		payment_attempt = o.payment_attempt + 1, key_at = clock_timestamp(),
		reason = NULL, next_action_url = NULL, look_up = NULL,
		next_at = clock_timestamp(), lease_token = NULL, attempts = 0
	FROM new
	WHERE o.order_id = new.order_id AND o.status = ANY ($6) AND o.ending IS NULL
		AND o.expires_at > clock_timestamp()
	RETURNING new.ordinal, o.version, payments.order_json(o) AS body,
		payments.event_json(o) AS event
), kept AS (
	INSERT INTO payments.idempotency_keys (caller, operation, key, fingerprint, status, body)
	SELECT new.caller, $5, new.key, new.fingerprint, 202, done.body
	FROM done JOIN new USING (ordinal)
)
SELECT ordinal, version, body, event FROM done;

-- name: finalize
-- As confirm, without payment methods.
WITH new AS (
	SELECT DISTINCT ON (order_id) *
	FROM unnest($1::text[]::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
		AS a (order_id, caller, key, fingerprint, ordinal)
	WHERE NOT EXISTS (SELECT FROM payments.idempotency_keys AS k
		WHERE k.caller = a.caller AND k.operation = $5 AND k.key = a.key)
	ORDER BY order_id, ordinal
), done AS (
	UPDATE payments.orders AS o SET status = 'finalized', version = o.version + 1,
		changed_at = clock_timestamp(), next_at = clock_timestamp(), lease_token = NULL,
		attempts = 0
	FROM new
	WHERE o.order_id = new.order_id AND o.status = ANY ($6) AND o.ending IS NULL
		AND o.expires_at > clock_timestamp()
	RETURNING new.ordinal, o.version, payments.order_json(o) AS body,
		payments.event_json(o) AS event
), kept AS (
	INSERT INTO payments.idempotency_keys (caller, operation, key, fingerprint, status, body)
	SELECT new.caller, $5, new.key, new.fingerprint, 202, done.body
	FROM done JOIN new USING (ordinal)
)
SELECT ordinal, version, body, event FROM done;

-- name: cancel
-- As finalize. It only sets the mark, since an act may be under way; who has the row sees it when
-- the act is over, and what is nobody's is due at once. A capture is waited for.
WITH new AS (
	SELECT DISTINCT ON (order_id) *
	FROM unnest($1::text[]::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
		AS a (order_id, caller, key, fingerprint, ordinal)
	WHERE NOT EXISTS (SELECT FROM payments.idempotency_keys AS k
		WHERE k.caller = a.caller AND k.operation = $5 AND k.key = a.key)
	ORDER BY order_id, ordinal
), done AS (
	UPDATE payments.orders AS o SET ending = coalesce(o.ending, 'cancel'),
		key_at = clock_timestamp(),
		look_up = CASE WHEN o.status = 'capturing' THEN o.look_up END,
		stuck = o.stuck AND o.status = 'capturing',
		attempts = CASE WHEN o.lease_token IS NULL AND o.status <> 'capturing' THEN 0
			ELSE o.attempts END,
		next_at = CASE WHEN o.lease_token IS NULL AND o.status <> 'capturing'
			THEN clock_timestamp() ELSE o.next_at END
	FROM new
	WHERE o.order_id = new.order_id AND o.status = ANY ($6)
	RETURNING new.ordinal, o.version, payments.order_json(o) AS body,
		payments.event_json(o) AS event
), kept AS (
	INSERT INTO payments.idempotency_keys (caller, operation, key, fingerprint, status, body)
	SELECT new.caller, $5, new.key, new.fingerprint, 202, done.body
	FROM done JOIN new USING (ordinal)
)
SELECT ordinal, version, body, event FROM done;

-- name: answers
-- $1 callers, $2 keys, $3 orders, $4 operation, $5 contents, of which nothing is wanted.
SELECT a.ordinal, decode(k.fingerprint, 'hex'), k.status, k.body, o.status,
	o.ending IS NOT NULL OR o.expires_at <= clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[]::uuid[], $5::text[]) WITH ORDINALITY
	AS a (caller, key, order_id, content, ordinal)
LEFT JOIN payments.idempotency_keys AS k
	ON k.caller = a.caller AND k.operation = $4 AND k.key = a.key
LEFT JOIN payments.orders AS o ON o.order_id = a.order_id;

-- name: expire
-- $1 most orders. Those whose deadline has passed get the mark.
UPDATE payments.orders SET ending = 'expire', key_at = clock_timestamp(), look_up = NULL,
	stuck = false, attempts = CASE WHEN lease_token IS NULL THEN 0 ELSE attempts END,
	next_at = CASE WHEN lease_token IS NULL THEN clock_timestamp() ELSE next_at END
WHERE order_id = ANY (ARRAY(
	SELECT order_id FROM payments.orders
	WHERE ending IS NULL AND expires_at <= (SELECT clock_timestamp()) AND status IN
		('requires_confirmation', 'requires_action', 'authorized', 'declined')
	ORDER BY expires_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED));

-- name: forget_keys
-- $1 most keys.
DELETE FROM payments.idempotency_keys WHERE (caller, operation, key) IN (
	SELECT caller, operation, key FROM payments.idempotency_keys
	WHERE created_at < clock_timestamp() - interval '24 hours' LIMIT $1);

-- name: wake
-- $1 references of payments. The provider has sent an event about them, which says no more than
-- that asking is worth while.
UPDATE payments.orders SET next_at = clock_timestamp()
WHERE intent_id = ANY ($1) AND lease_token IS NULL AND next_at > clock_timestamp();

-- name: claim
-- See lib/stages/stages.h. Behind key and attempts: status, version, total, currency,
-- payment method, intent, payment attempt, look-up, ending, captured, refunded, age of the status
-- and of the key in ms, ms until it expires.
UPDATE payments.orders SET lease_token = $2, attempts = attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
WHERE order_id = ANY (ARRAY(
	SELECT order_id FROM payments.orders
	WHERE status = $1 AND next_at <= (SELECT clock_timestamp()) AND ending IS NULL
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING order_id::text, attempts, status, version, total, currency, payment_method, intent_id,
	payment_attempt, look_up, ending, captured, refunded,
	payments.ms_since(changed_at), payments.ms_since(key_at);

-- name: claim_capturing
-- Whoever claims a finalized order is about to ask for its money, so the order is capturing from
-- here on. Then a mark has to wait; a finalized order with one is not for this stage.
UPDATE payments.orders SET lease_token = $2, attempts = attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms', status = $1,
	version = version + CASE WHEN status = $1 THEN 0 ELSE 1 END,
	changed_at = CASE WHEN status = $1 THEN changed_at ELSE clock_timestamp() END,
	key_at = CASE WHEN status = $1 THEN key_at ELSE clock_timestamp() END
WHERE order_id = ANY (ARRAY(
	SELECT order_id FROM payments.orders
	WHERE status IN ('finalized', $1) AND next_at <= (SELECT clock_timestamp())
		AND (ending IS NULL OR status = $1)
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING order_id::text, attempts, status, version, total, currency, payment_method, intent_id,
	payment_attempt, look_up, ending, captured, refunded,
	payments.ms_since(changed_at), payments.ms_since(key_at);

-- name: claim_ending
-- By the mark, whatever the status; but a capture is waited for.
UPDATE payments.orders SET lease_token = $2, attempts = attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
WHERE order_id = ANY (ARRAY(
	SELECT order_id FROM payments.orders
	WHERE ending IS NOT NULL AND status <> 'capturing'
		AND next_at <= (SELECT clock_timestamp())
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING order_id::text, attempts, status, version, total, currency, payment_method, intent_id,
	payment_attempt, look_up, ending, captured, refunded,
	payments.ms_since(changed_at), payments.ms_since(key_at);

-- name: renew
-- 'ending' is the stage that claims by the mark; for it the token alone is fence enough.
UPDATE payments.orders SET next_at = clock_timestamp() + $4 * interval '1 ms'
FROM unnest($2::text[], $3::uuid[]) AS mine (key, token)
WHERE order_id = mine.key::uuid AND status = coalesce(nullif($1, 'ending'), status)
	AND lease_token = mine.token
RETURNING mine.key, mine.token;

-- name: move
-- $9 intent, $10 reason, $11 URL of the next action, $12 ms that the new status may last, $13 wall
-- time in ms at which the authorization ends, $14 look-up ('none' clears it), $15 payment attempt,
-- $16 amount: captured for the new status 'paid', otherwise refunded so far. NULL: it stays.
UPDATE payments.orders AS o SET status = coalesce(m.state, o.status),
	version = o.version + CASE WHEN m.state IS NULL THEN 0 ELSE 1 END,
	changed_at = CASE WHEN m.state IS NULL THEN o.changed_at ELSE clock_timestamp() END,
	expires_at = CASE WHEN m.stay_ms IS NULL THEN o.expires_at
		ELSE clock_timestamp() + m.stay_ms::bigint * interval '1 ms' END,
	payment_attempt = coalesce(m.payment_attempt::integer, o.payment_attempt),
	key_at = CASE WHEN m.payment_attempt IS NULL THEN o.key_at ELSE clock_timestamp() END,
	payment_method = CASE WHEN m.state IS NULL THEN o.payment_method END,
	intent_id = coalesce(m.intent_id, o.intent_id),
	capture_before = coalesce(to_timestamp(m.capture_before::bigint / 1000.0),
		o.capture_before),
	captured = CASE WHEN m.state = 'paid' THEN m.amount::bigint ELSE o.captured END,
	refunded = CASE WHEN m.state = 'paid' THEN o.refunded
		ELSE coalesce(m.amount::bigint, o.refunded) END,
	reason = CASE WHEN m.state IS NULL THEN o.reason ELSE m.reason END,
	next_action_url = CASE WHEN m.state IS NULL THEN o.next_action_url ELSE m.url END,
	look_up = CASE WHEN m.state IS NULL
		THEN nullif(coalesce(m.look_up, o.look_up), 'none') END,
	lease_token = NULL, attempts = m.attempts, note = m.note,
	stuck = m.stuck AND ($1 = 'ending'
		OR NOT payments.must_end(o.ending, coalesce(m.state, o.status))),
	next_at = CASE
		WHEN $1 <> 'ending' AND payments.must_end(o.ending, coalesce(m.state, o.status))
			THEN clock_timestamp()
		WHEN m.delay >= 0 THEN clock_timestamp() + m.delay * interval '1 ms' END
FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[], $7::boolean[],
	$8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
	$15::text[], $16::text[])
	AS m (key, token, state, delay, attempts, stuck, note, intent_id, reason, url, stay_ms,
		capture_before, look_up, payment_attempt, amount)
WHERE o.order_id = m.key::uuid AND o.status = coalesce(nullif($1, 'ending'), o.status)
	AND o.lease_token = m.token
RETURNING m.key, m.token;

-- name: read_order
SELECT payments.order_json(o) FROM payments.orders AS o WHERE order_id = $1;

-- name: read_events
-- As order_feed.h has it. Whoever knows an order's id may follow it.
SELECT order_id::text, version, payments.event_json(o),
	status IN ('canceled', 'expired', 'refunded') OR status = 'paid' AND ending IS NULL,
	NULL::text
FROM payments.orders AS o WHERE order_id = ANY ($1::text[]::uuid[]);

-- name: read_stuck
SELECT json_build_object('items', coalesce(json_agg(json_build_object('orderId', order_id,
	'status', status, 'attempts', attempts, 'note', note, 'paymentIntent', intent_id,
	'since', payments.rfc3339(changed_at)) ORDER BY changed_at), '[]'))::text
FROM (SELECT * FROM payments.orders WHERE stuck ORDER BY changed_at LIMIT 200) AS stuck;

-- name: ready
SELECT 1;
