-- Orders of the checkout (checkout.h): one row per purchase, with its payment, and what the stages
-- of lib/stages need. Applied at each start, so each statement may be repeated.

-- name: schema
SELECT pg_advisory_xact_lock(20260602); -- Two servers may start at once.

CREATE TABLE IF NOT EXISTS checkout_orders (
	event_id        uuid NOT NULL,
	order_id        uuid NOT NULL,

	-- The request, and the hold as it was when the order was made.
	hold_id         uuid NOT NULL,
	hold_version    bigint NOT NULL, -- The fence: a sale by an older one is refused.
	person          text COLLATE "C" NOT NULL,
	method_digest   bytea NOT NULL, -- Whether a repetition names the same payment method.
	seat_ids        text[] COLLATE "C" NOT NULL, -- In order, each once.
	total           bigint NOT NULL CHECK (total >= 0),
	currency        text NOT NULL,
	expires_at      timestamptz NOT NULL, -- The hold's end: nothing is authorized after it.

	-- Orders that are bought by one request begin as authorizing. One that is made first and
	-- confirmed later has neither payment method nor attempt until then, and is due when its
	-- hold is over.
	status          text COLLATE "C" NOT NULL DEFAULT 'authorizing' CHECK (status IN (
		'requires_confirmation', 'authorizing', 'requires_action', 'authorized',
		'finalized', 'capturing', 'paid', 'declined', 'canceled', 'expired', 'refunded')),
	version         bigint NOT NULL DEFAULT 1, -- Grows with each status.
	created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),

	-- The payment: as tech-two-phase-payments/order_payments.h has it.
	payment_attempt integer NOT NULL DEFAULT 1,
	key_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
	payment_method  text, -- A token, kept only until the provider has answered.
	intent_id       text,
	capture_before  timestamptz,
	captured        bigint NOT NULL DEFAULT 0,
	refunded        bigint NOT NULL DEFAULT 0,
	reason          text,
	next_action_url text,
	look_up         text CHECK (look_up IN ('worn', 'pending')),
	ending          text CHECK (ending IN ('cancel', 'expire')),

	-- Where the seats are in another database: the sale is undone here, and not yet there.
	revoke_due      boolean NOT NULL DEFAULT false,

	-- The stages'.
	next_at         timestamptz,
	lease_token     uuid,
	attempts        integer NOT NULL DEFAULT 0,
	stuck           boolean NOT NULL DEFAULT false,
	note            text,

	PRIMARY KEY (event_id, order_id),
	CONSTRAINT paid_is_captured CHECK (
		captured = CASE WHEN status IN ('paid', 'refunded') THEN total ELSE 0 END),
	CONSTRAINT refunded_at_most_captured CHECK (refunded <= captured),
	CONSTRAINT authorized_has_an_intent CHECK (intent_id IS NOT NULL OR total = 0 OR status IN
		('requires_confirmation', 'authorizing', 'declined', 'canceled', 'expired'))
);
-- One order at a time may be about a hold, and one that has bought it keeps it for good.
CREATE UNIQUE INDEX IF NOT EXISTS one_order_per_hold ON checkout_orders (hold_id, event_id)
	WHERE status NOT IN ('declined', 'expired', 'canceled');
CREATE UNIQUE INDEX IF NOT EXISTS one_checkout_order_per_intent
	ON checkout_orders (intent_id, event_id);
CREATE INDEX IF NOT EXISTS checkout_orders_due ON checkout_orders (status, next_at)
	WHERE next_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS checkout_orders_ending ON checkout_orders (next_at)
	WHERE next_at IS NOT NULL AND ending IS NOT NULL;
CREATE INDEX IF NOT EXISTS checkout_orders_expiring ON checkout_orders (expires_at)
	WHERE next_at IS NOT NULL
		AND status IN ('requires_confirmation', 'authorizing', 'requires_action');
CREATE INDEX IF NOT EXISTS checkout_orders_revoking ON checkout_orders (next_at)
	WHERE next_at IS NOT NULL AND revoke_due;
CREATE INDEX IF NOT EXISTS checkout_orders_open ON checkout_orders (next_at)
	WHERE next_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS checkout_orders_stuck ON checkout_orders (changed_at) WHERE stuck;

-- An order's key, as the stages and the provider know it.
CREATE OR REPLACE FUNCTION checkout_key(event_id uuid, order_id uuid) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
	$$ SELECT event_id::text || '.' || order_id::text $$;
CREATE OR REPLACE FUNCTION checkout_key_event(key text) RETURNS uuid
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT substring(key FOR 36)::uuid $$;
CREATE OR REPLACE FUNCTION checkout_key_order(key text) RETURNS uuid
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT substring(key FROM 38)::uuid $$;

-- NULL, which is like nothing, where there is no method.
CREATE OR REPLACE FUNCTION checkout_digest(order_id uuid, method text) RETURNS bytea
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
	$$ SELECT sha256(uuid_send(order_id) || convert_to(method, 'UTF8')) $$;

CREATE OR REPLACE FUNCTION checkout_ms_since(t timestamptz) RETURNS bigint
	LANGUAGE sql VOLATILE AS
	$$ SELECT (extract(epoch FROM clock_timestamp() - t) * 1000)::bigint $$;

-- Whether an order with the mark in this status is to be ended now: a capture is waited for, and
-- what is over is over. One that was declined is not, where it may be confirmed again.
CREATE OR REPLACE FUNCTION checkout_must_end(ending text, status text) RETURNS boolean
	LANGUAGE sql IMMUTABLE AS $$ SELECT ending IS NOT NULL
		AND status NOT IN ('capturing', 'canceled', 'expired', 'refunded') $$;

-- The transitions of a payment's stages, `move` of order_payments.h, as far as the order's own row
-- goes. `revoked` names those whose sale was undone by it: what becomes of their tickets and seats
-- is the technique's, which says by `elsewhere` whether the seats are to be told later.
CREATE OR REPLACE FUNCTION checkout_move(from_state text, keys text[], tokens uuid[],
	states text[], delays bigint[], attempts_now integer[], are_stuck boolean[], notes text[],
	intents text[], reasons text[], urls text[], stays text[], befores text[],
	look_ups text[], payment_attempts text[], amounts text[], elsewhere boolean)
	RETURNS TABLE (key text, token uuid, event_id uuid, order_id uuid, revoked boolean)
	LANGUAGE sql VOLATILE ROWS 10 AS $$
WITH locked AS MATERIALIZED (
	SELECT m.*, o.event_id, o.order_id, o.status AS was,
		coalesce(o.status IN ('finalized', 'capturing', 'paid')
			AND m.state IN ('canceled', 'refunded'), false) AS undoes
	FROM unnest(keys, tokens, states, delays, attempts_now, are_stuck, notes, intents, reasons,
		urls, stays, befores, look_ups, payment_attempts, amounts)
		AS m (key, token, state, delay, attempts, stuck, note, intent_id, reason, url,
			stay_ms, capture_before, look_up, payment_attempt, amount)
	JOIN checkout_orders o ON o.event_id = checkout_key_event(m.key)
		AND o.order_id = checkout_key_order(m.key)
	WHERE o.status = coalesce(nullif(from_state, 'ending'), o.status)
		AND o.lease_token = m.token
	ORDER BY o.event_id, o.order_id
	FOR NO KEY UPDATE OF o
)
UPDATE checkout_orders o SET status = coalesce(m.state, o.status),
	version = o.version + CASE WHEN m.state IS NULL THEN 0 ELSE 1 END,
	changed_at = CASE WHEN m.state IS NULL THEN o.changed_at ELSE clock_timestamp() END,
	expires_at = CASE WHEN m.state = 'requires_action'
		THEN least(o.expires_at, clock_timestamp() + m.stay_ms::bigint * interval '1 ms')
		ELSE o.expires_at END,
	payment_attempt = coalesce(m.payment_attempt::integer, o.payment_attempt),
	key_at = CASE WHEN m.payment_attempt IS NULL THEN o.key_at ELSE clock_timestamp() END,
	payment_method = CASE WHEN m.state IS NULL THEN o.payment_method END,
	intent_id = coalesce(m.intent_id, o.intent_id),
	capture_before = coalesce(to_timestamp(m.capture_before::bigint / 1000.0),
		o.capture_before),
	captured = CASE WHEN m.state = 'paid' THEN m.amount::bigint ELSE o.captured END,
	refunded = CASE WHEN m.state = 'paid' THEN o.refunded
		ELSE coalesce(m.amount::bigint, o.refunded) END,
	reason = CASE WHEN m.state IS NULL THEN o.reason ELSE coalesce(m.reason,
		CASE WHEN o.ending IS NOT NULL THEN o.reason END) END,
	next_action_url = CASE WHEN m.state IS NULL THEN o.next_action_url ELSE m.url END,
	look_up = CASE WHEN m.state IS NULL
		THEN nullif(coalesce(m.look_up, o.look_up), 'none') END,
	revoke_due = o.revoke_due OR m.undoes AND elsewhere,
	lease_token = NULL, attempts = m.attempts, note = m.note,
	stuck = m.stuck AND (from_state = 'ending'
		OR NOT checkout_must_end(o.ending, coalesce(m.state, o.status))),
	next_at = CASE
		WHEN m.undoes AND elsewhere OR m.state IN ('authorized', 'finalized')
			THEN clock_timestamp()
		WHEN from_state <> 'ending'
			AND checkout_must_end(o.ending, coalesce(m.state, o.status))
			THEN clock_timestamp()
		WHEN m.delay >= 0 THEN clock_timestamp() + m.delay * interval '1 ms' END
FROM locked m
WHERE o.event_id = m.event_id AND o.order_id = m.order_id
RETURNING m.key, m.token, o.event_id, o.order_id, m.undoes $$;
