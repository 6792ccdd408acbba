-- What clients ask about the product's orders, by name; their forms stand in
-- tech-two-phase-payments/order_write.h and order_feed.h. A person's statement never finds
-- another's order. Orders are locked in the order of their keys, as the engine does it.

-- name: create
-- $3 contents: {"holdId": "<event>.<hold>"}. An order is confirmed while its hold lives, so $7 has
-- no part in it. What meets another order for its hold is left out, as is what would buy seats of
-- a canceled event.
WITH new AS MATERIALIZED (
	SELECT DISTINCT ON (person, key) checkout_key_event(order_key) AS event_id,
		checkout_key_order(order_key) AS order_id,
		checkout_key_order(content::json ->> 'holdId') AS hold_id, person, key,
		fingerprint, ordinal
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
		AS a (order_key, person, content, key, fingerprint, ordinal)
	WHERE NOT EXISTS (SELECT FROM idempotency_keys AS k
		WHERE k.caller = a.person AND k.operation = $6 AND k.key = a.key)
	ORDER BY person, key, ordinal
), made AS (
	INSERT INTO checkout_orders AS o (event_id, order_id, hold_id, hold_version, person,
		method_digest, seat_ids, total, currency, expires_at, status, payment_attempt,
		next_at)
	SELECT new.event_id, new.order_id, h.hold_id, h.version, h.person, '', h.seat_ids, h.total,
		e.currency, h.expires_at, 'requires_confirmation', 0, h.expires_at
	FROM new JOIN seat_holds AS h ON h.event_id = new.event_id AND h.hold_id = new.hold_id
	JOIN seat_events AS e ON e.event_id = h.event_id
	WHERE h.person = new.person AND h.status = 'held' AND h.expires_at > clock_timestamp()
		AND $7::bigint IS NOT NULL AND NOT EXISTS (SELECT FROM events AS c
			WHERE c.event_id = h.event_id AND c.status = 'canceled')
	ORDER BY new.event_id, new.hold_id, new.ordinal
	ON CONFLICT DO NOTHING
	RETURNING o.event_id, o.order_id, o.version, order_json(o)::text AS body,
		order_event_json(o) AS event
), kept AS (
	INSERT INTO idempotency_keys (caller, operation, key, fingerprint, status, body)
	SELECT new.person, $6, new.key, new.fingerprint, 201, made.body
	FROM made JOIN new USING (event_id, order_id)
)
SELECT new.ordinal, made.version, made.body, made.event
FROM made JOIN new USING (event_id, order_id);

-- name: confirm
-- While the hold lives, and so has its seats, and the event is not canceled. What is free needs no
-- payment method.
WITH new AS MATERIALIZED (
	SELECT DISTINCT ON (o.event_id, o.order_id) o.event_id, o.order_id, a.person, a.key,
		a.fingerprint, a.method, a.ordinal
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $7::text[]) WITH ORDINALITY
		AS a (order_key, person, key, fingerprint, method, ordinal)
	JOIN checkout_orders AS o ON o.event_id = checkout_key_event(a.order_key)
		AND o.order_id = checkout_key_order(a.order_key) AND o.person = a.person
	WHERE NOT EXISTS (SELECT FROM idempotency_keys AS k
		WHERE k.caller = a.person AND k.operation = $5 AND k.key = a.key)
	ORDER BY o.event_id, o.order_id, a.ordinal
), locked AS MATERIALIZED (
	SELECT new.*, h.expires_at
	FROM new JOIN checkout_orders AS o
		ON o.event_id = new.event_id AND o.order_id = new.order_id
	JOIN seat_holds AS h ON h.event_id = o.event_id AND h.hold_id = o.hold_id
	WHERE o.status = ANY ($6) AND o.ending IS NULL AND h.status = 'held'
		AND h.expires_at > clock_timestamp() AND (new.method IS NOT NULL OR o.total = 0)
		AND NOT EXISTS (SELECT FROM events AS c
			WHERE c.event_id = o.event_id AND c.status = 'canceled')
	ORDER BY o.event_id, o.order_id
	FOR NO KEY UPDATE OF o
), done AS (
	UPDATE checkout_orders AS o SET status = 'authorizing', version = o.version + 1,
		changed_at = clock_timestamp(), payment_method = l.method,
		method_digest = coalesce(checkout_digest(o.order_id, l.method), ''),
		payment_attempt = o.payment_attempt + 1, key_at = clock_timestamp(),
		expires_at = l.expires_at, reason = NULL, next_action_url = NULL, look_up = NULL,
		next_at = clock_timestamp(), lease_token = NULL, attempts = 0, stuck = false,
		note = NULL
	FROM locked AS l
	WHERE o.event_id = l.event_id AND o.order_id = l.order_id
	RETURNING l.ordinal, o.version, order_json(o)::text AS body, order_event_json(o) AS event
), kept AS (
	INSERT INTO idempotency_keys (caller, operation, key, fingerprint, status, body)
	SELECT new.person, $5, new.key, new.fingerprint, 202, done.body
	FROM done JOIN new USING (ordinal)
)
SELECT ordinal, version, body, event FROM done;

-- name: cancel
-- It only sets the mark, since an act may be under way; who has the row sees it when the act is
-- over, and what is nobody's is due at once. A capture is waited for. Several requests for an order
-- have one effect and are all answered.
WITH new AS MATERIALIZED (
	SELECT DISTINCT ON (o.event_id, o.order_id, a.key) o.event_id, o.order_id, a.person, a.key,
		a.fingerprint, a.ordinal
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
		AS a (order_key, person, key, fingerprint, ordinal)
	JOIN checkout_orders AS o ON o.event_id = checkout_key_event(a.order_key)
		AND o.order_id = checkout_key_order(a.order_key) AND o.person = a.person
	WHERE NOT EXISTS (SELECT FROM idempotency_keys AS k
		WHERE k.caller = a.person AND k.operation = $5 AND k.key = a.key)
	ORDER BY o.event_id, o.order_id, a.key, a.ordinal
), locked AS MATERIALIZED (
	SELECT o.event_id, o.order_id
	FROM (SELECT DISTINCT event_id, order_id FROM new) AS wanted
	JOIN checkout_orders AS o
		ON o.event_id = wanted.event_id AND o.order_id = wanted.order_id
	WHERE o.status = ANY ($6)
	ORDER BY o.event_id, o.order_id
	FOR NO KEY UPDATE OF o
), allowed AS MATERIALIZED (
	SELECT event_id, order_id FROM locked WHERE NOT order_is_scanned(event_id, order_id)
), done AS (
	UPDATE checkout_orders AS o SET ending = coalesce(o.ending, 'cancel'),
		key_at = clock_timestamp(),
		look_up = CASE WHEN o.status = 'capturing' THEN o.look_up END,
		stuck = o.stuck AND o.status = 'capturing',
		attempts = CASE WHEN o.lease_token IS NULL AND o.status <> 'capturing' THEN 0
			ELSE o.attempts END,
		next_at = CASE WHEN o.lease_token IS NULL AND o.status <> 'capturing'
			THEN clock_timestamp() ELSE o.next_at END
	FROM allowed
	WHERE o.event_id = allowed.event_id AND o.order_id = allowed.order_id
	RETURNING o.event_id, o.order_id, o.version, order_json(o)::text AS body,
		order_event_json(o) AS event
), kept AS (
	INSERT INTO idempotency_keys (caller, operation, key, fingerprint, status, body)
	SELECT new.person, $5, new.key, new.fingerprint, 202, done.body
	FROM done JOIN new USING (event_id, order_id)
)
SELECT new.ordinal, done.version, done.body, done.event
FROM done JOIN new USING (event_id, order_id);

-- name: answers
-- Behind what the writer wants: whether a ticket was scanned, whether the order costs nothing,
-- whether the hold lives (NULL: there is none of this person's), the order that has it, which is
-- the only one there can be, and whether the event is canceled.
SELECT a.ordinal, decode(k.fingerprint, 'hex'), k.status, k.body, o.status,
	o.ending IS NOT NULL OR NOT coalesce(h.status = 'held'
		AND h.expires_at > clock_timestamp(), false),
	o.order_id IS NOT NULL AND order_is_scanned(o.event_id, o.order_id), o.total = 0,
	h.status = 'held' AND h.expires_at > clock_timestamp(),
	checkout_key(other.event_id, other.order_id), other.status,
	EXISTS (SELECT FROM events AS c WHERE c.event_id = a.event_id AND c.status = 'canceled')
FROM (SELECT *, checkout_key_event(order_key) AS event_id,
		checkout_key_order(order_key) AS order_id,
		checkout_key_order(content::json ->> 'holdId') AS hold_id
	FROM unnest($1::text[], $2::text[], $3::text[], $5::text[]) WITH ORDINALITY
		AS a (person, key, order_key, content, ordinal)) AS a
LEFT JOIN idempotency_keys AS k
	ON k.caller = a.person AND k.operation = $4 AND k.key = a.key
LEFT JOIN checkout_orders AS o
	ON o.event_id = a.event_id AND o.order_id = a.order_id AND o.person = a.person
LEFT JOIN seat_holds AS h ON h.event_id = a.event_id
	AND h.hold_id = coalesce(o.hold_id, a.hold_id) AND h.person = a.person
LEFT JOIN checkout_orders AS other ON other.hold_id = h.hold_id AND other.event_id = h.event_id
	AND other.status NOT IN ('expired', 'canceled') AND o.order_id IS NULL;

-- name: expire
-- What was declined could be confirmed again until the hold is over. What was not even confirmed,
-- or is still being authorized then, is ended by the engine.
UPDATE checkout_orders AS o SET ending = 'expire', key_at = clock_timestamp(), look_up = NULL,
	stuck = false, attempts = 0, next_at = clock_timestamp()
FROM unnest(ARRAY(
	SELECT checkout_key(d.event_id, d.order_id) FROM checkout_orders AS d
	WHERE d.status = 'declined' AND d.ending IS NULL
		AND d.expires_at <= (SELECT clock_timestamp())
		AND NOT EXISTS (SELECT FROM seat_holds AS h
			WHERE h.event_id = d.event_id AND h.hold_id = d.hold_id
			AND h.status = 'held' AND h.expires_at > (SELECT clock_timestamp()))
	ORDER BY d.expires_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED)) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key);

-- name: forget_keys
DELETE FROM idempotency_keys WHERE (caller, operation, key) IN (
	SELECT caller, operation, key FROM idempotency_keys
	WHERE created_at < clock_timestamp() - interval '24 hours' LIMIT $1);

-- name: read_order
-- $1 event, $2 order, $3 person.
SELECT order_json(o)::text FROM checkout_orders AS o
WHERE event_id = $1 AND order_id = $2 AND person = $3;

-- name: list_orders
-- $1 person, $2 the order before which the page begins, $3 most orders. Ids grow with time.
WITH page AS MATERIALIZED (
	SELECT order_json(o) AS item, checkout_key(o.event_id, o.order_id) AS key,
		row_number() OVER (ORDER BY o.order_id DESC) AS place
	FROM checkout_orders AS o
	WHERE o.person = $1 AND o.order_id < $2
	ORDER BY o.order_id DESC LIMIT $3 + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(item ORDER BY place) FILTER (WHERE place <= $3), '[]'),
	'next', max(key) FILTER (WHERE place = $3 AND (SELECT count(*) FROM page) > $3)))::text
FROM page;

-- name: read_events
SELECT asked.key, o.version, order_event_json(o),
	o.status IN ('canceled', 'expired', 'refunded') OR o.status = 'paid' AND o.ending IS NULL,
	o.person
FROM (SELECT DISTINCT key FROM unnest($1::text[]) AS asked (key)) AS asked
JOIN checkout_orders AS o ON o.event_id = checkout_key_event(asked.key)
	AND o.order_id = checkout_key_order(asked.key);
