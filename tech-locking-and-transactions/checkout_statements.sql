-- What the checkout's engine asks of the orders, by name. What a technique adds stands in its
-- folder.

-- name: take
-- $1 events, $2 orders, $3 holds, $4 their versions, $5 people, $6 seats as JSON, $7 totals,
-- $8 currencies, $9 ends of the holds, $10 payment methods. Gives the orders that were made. The
-- others are known already, or another order is about the hold. In order of the holds, since two of
-- these meet at the hold; and of several for one hold the first in the array gets it.
INSERT INTO checkout_orders (event_id, order_id, hold_id, hold_version, person, seat_ids, total,
	currency, expires_at, payment_method, method_digest, next_at)
SELECT event_id, order_id, hold_id, hold_version, person,
	ARRAY(SELECT json_array_elements_text(seats::json)), total, currency, expires_at, method,
	checkout_digest(order_id, method), clock_timestamp()
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
	$8::text[], $9::timestamptz[], $10::text[]) WITH ORDINALITY
	AS a (event_id, order_id, hold_id, hold_version, person, seats, total, currency, expires_at,
		method, ordinal)
ORDER BY event_id, hold_id, ordinal
ON CONFLICT DO NOTHING
RETURNING event_id, order_id;

-- name: read
-- $1 ordinals, $2 events, $3 orders, $4 holds, $5 people, $6 payment methods (NULL: whatever).
SELECT a.ordinal, o.status, o.total, o.currency, o.seat_ids, o.reason, o.next_action_url,
	o.hold_id = a.hold_id AND o.person = a.person
		AND o.method_digest = checkout_digest(o.order_id, a.method), o.revoke_due
FROM unnest($1::integer[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[])
	AS a (ordinal, event_id, order_id, hold_id, person, method)
JOIN checkout_orders o ON o.event_id = a.event_id AND o.order_id = a.order_id;

-- name: nudge
-- $1 events, $2 orders. The person may have proved what was asked for: it is looked at now.
UPDATE checkout_orders o SET next_at = clock_timestamp()
FROM unnest($1::uuid[], $2::uuid[]) AS a (event_id, order_id)
WHERE o.event_id = a.event_id AND o.order_id = a.order_id AND o.status = 'requires_action'
	AND o.lease_token IS NULL AND o.next_at > clock_timestamp();

-- name: recover
-- $1 most orders. What is nobody's is due at once; what somebody has is left to them until their
-- lease is over; and one that waits for its confirmation is people's. Gives event and order.
UPDATE checkout_orders o SET next_at = least(o.next_at, clock_timestamp())
FROM unnest(ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE next_at IS NOT NULL
		AND (status <> 'requires_confirmation' OR ending IS NOT NULL)
		AND (lease_token IS NULL OR next_at <= (SELECT clock_timestamp()))
	ORDER BY next_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED)) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key)
RETURNING o.event_id, o.order_id;

-- name: count_stuck
SELECT count(*) FROM checkout_orders WHERE stuck;

-- name: stuck
-- $1 most orders.
SELECT event_id, order_id, status, note, intent_id, changed_at FROM checkout_orders
WHERE stuck ORDER BY changed_at LIMIT $1;

-- name: claim
-- See lib/stages/stages.h and order_payments.h. Nothing is authorized for a hold that is over.
UPDATE checkout_orders o SET lease_token = $2, attempts = o.attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms'
FROM unnest(ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE status = $1 AND next_at <= (SELECT clock_timestamp()) AND ending IS NULL
		AND expires_at > (SELECT clock_timestamp())
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key)
RETURNING due.key, o.attempts, o.status, o.version, o.total, o.currency, o.payment_method,
	o.intent_id, o.payment_attempt, o.look_up, o.ending, o.captured, o.refunded,
	checkout_ms_since(o.changed_at), checkout_ms_since(o.key_at);

-- name: claim_capturing
-- Whoever claims a finalized order is about to ask for its money, so the order is capturing from
-- here on. Then a mark has to wait; a finalized order with one is not for this stage.
UPDATE checkout_orders o SET lease_token = $2, attempts = o.attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms', status = $1,
	version = o.version + CASE WHEN o.status = $1 THEN 0 ELSE 1 END,
	changed_at = CASE WHEN o.status = $1 THEN o.changed_at ELSE clock_timestamp() END,
	key_at = CASE WHEN o.status = $1 THEN o.key_at ELSE clock_timestamp() END
FROM unnest(ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE status IN ('finalized', $1) AND next_at <= (SELECT clock_timestamp())
		AND (ending IS NULL OR status = $1)
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key)
RETURNING due.key, o.attempts, o.status, o.version, o.total, o.currency, o.payment_method,
	o.intent_id, o.payment_attempt, o.look_up, o.ending, o.captured, o.refunded,
	checkout_ms_since(o.changed_at), checkout_ms_since(o.key_at);

-- name: claim_ending
-- What has the mark, but for a capture, which is waited for; and what was not authorized before its
-- hold was over, which gets the mark here. Whether the hold of an authorized order is over is said
-- by whoever sells it.
UPDATE checkout_orders o SET lease_token = $2, attempts = o.attempts + 1,
	next_at = clock_timestamp() + $3 * interval '1 ms', ending = coalesce(o.ending, 'expire'),
	key_at = CASE WHEN o.ending IS NULL THEN clock_timestamp() ELSE o.key_at END,
	look_up = CASE WHEN o.ending IS NULL THEN NULL ELSE o.look_up END
FROM unnest((ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE ending IS NOT NULL AND status <> 'capturing' AND NOT revoke_due
		AND next_at <= (SELECT clock_timestamp())
	ORDER BY next_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED) || ARRAY(
	SELECT checkout_key(event_id, order_id) FROM checkout_orders
	WHERE ending IS NULL
		AND status IN ('requires_confirmation', 'authorizing', 'requires_action')
		AND expires_at <= (SELECT clock_timestamp())
		AND next_at <= (SELECT clock_timestamp())
	ORDER BY expires_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED))[1:$4]) AS due (key)
WHERE o.event_id = checkout_key_event(due.key) AND o.order_id = checkout_key_order(due.key)
RETURNING due.key, o.attempts, o.status, o.version, o.total, o.currency, o.payment_method,
	o.intent_id, o.payment_attempt, o.look_up, o.ending, o.captured, o.refunded,
	checkout_ms_since(o.changed_at), checkout_ms_since(o.key_at);

-- name: renew
UPDATE checkout_orders o SET next_at = clock_timestamp() + $4 * interval '1 ms'
FROM unnest($2::text[], $3::uuid[]) AS mine (key, token)
WHERE o.event_id = checkout_key_event(mine.key) AND o.order_id = checkout_key_order(mine.key)
	AND o.status = coalesce(nullif($1, 'ending'), o.status) AND o.lease_token = mine.token
RETURNING mine.key, mine.token;
