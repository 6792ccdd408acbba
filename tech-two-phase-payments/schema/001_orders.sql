-- Orders that are paid for in two phases, and the answers given to their clients. Applied at each
-- start, so each statement may be repeated.

-- name: schema
SELECT pg_advisory_xact_lock(20260005); -- Two servers may start at once.

CREATE SCHEMA IF NOT EXISTS payments;

-- One row per order: its state, its payment, and what the stages of lib/stages need.
CREATE TABLE IF NOT EXISTS payments.orders (
	order_id        uuid PRIMARY KEY,
	user_id         text NOT NULL,
	currency        text NOT NULL,
	items           json NOT NULL, -- [{description, amount}]
	total           bigint NOT NULL CHECK (total > 0),
	status          text NOT NULL DEFAULT 'requires_confirmation' CHECK (status IN (
		'requires_confirmation', 'authorizing', 'requires_action', 'authorized',
		'finalized', 'capturing', 'paid', 'declined', 'canceled', 'expired', 'refunded')),
	version         bigint NOT NULL DEFAULT 1, -- Grows with each status.
	created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at      timestamptz NOT NULL, -- When the status is given up, where it can be.

	-- The payment.
	payment_attempt integer NOT NULL DEFAULT 0, -- The provider's keys are made of it.
	key_at          timestamptz, -- Since when they are in use.
	payment_method  text, -- A token, kept only until the provider has answered.
	intent_id       text,
	capture_before  timestamptz, -- The authorization's own end.
	captured        bigint NOT NULL DEFAULT 0,
	refunded        bigint NOT NULL DEFAULT 0,
	reason          text, -- Why it was declined or canceled, as the provider says it.
	next_action_url text,
	-- Whether the provider is asked before anything else: its last answer cannot be repeated,
	-- or it was not the last word.
	look_up         text CHECK (look_up IN ('worn', 'pending')),
	-- The mark of lib/stages: the order is to be ended, as soon as nobody has it.
	ending          text CHECK (ending IN ('cancel', 'expire')),

	-- The stages'.
	next_at         timestamptz,
	lease_token     uuid,
	attempts        integer NOT NULL DEFAULT 0,
	stuck           boolean NOT NULL DEFAULT false,
	note            text,

	CONSTRAINT paid_is_captured CHECK (
		(status IN ('paid', 'refunded')) = (captured > 0)),
	CONSTRAINT captured_at_most_once CHECK (captured IN (0, total)),
	CONSTRAINT refunded_at_most_captured CHECK (refunded <= captured),
	CONSTRAINT authorized_has_an_intent CHECK (
		intent_id IS NOT NULL OR status IN ('requires_confirmation', 'authorizing',
			'canceled', 'expired', 'declined')),
	CONSTRAINT one_order_per_intent UNIQUE (intent_id)
);
CREATE INDEX IF NOT EXISTS orders_due ON payments.orders (status, next_at)
	WHERE next_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_ending ON payments.orders (next_at)
	WHERE next_at IS NOT NULL AND ending IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_expiring ON payments.orders (expires_at)
	WHERE ending IS NULL AND status IN
		('requires_confirmation', 'requires_action', 'authorized', 'declined');
CREATE INDEX IF NOT EXISTS orders_stuck ON payments.orders (changed_at) WHERE stuck;

-- Answers that were given for an Idempotency-Key, committed together with their effect. The caller
-- is the user who makes an order, and later whoever knows its id.
CREATE TABLE IF NOT EXISTS payments.idempotency_keys (
	caller      text NOT NULL,
	operation   text NOT NULL, -- Method and route.
	key         text NOT NULL,
	fingerprint text NOT NULL, -- SHA-256 of path and body, in hexadecimal.
	status      integer NOT NULL,
	body        text NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (caller, operation, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON payments.idempotency_keys (created_at);

CREATE OR REPLACE FUNCTION payments.rfc3339(t timestamptz) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- NULL for a time that is not known.
CREATE OR REPLACE FUNCTION payments.ms_since(t timestamptz) RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT (extract(epoch FROM clock_timestamp() - t) * 1000)::bigint $$;

-- Whether an order with the mark in this status is to be ended now. A capture that is under way has
-- to be waited for, and what is over is over.
CREATE OR REPLACE FUNCTION payments.must_end(ending text, status text) RETURNS boolean
	LANGUAGE sql IMMUTABLE AS
	$$ SELECT ending IS NOT NULL
		AND status NOT IN ('capturing', 'canceled', 'expired', 'refunded') $$;

-- When an order that is left alone ends by itself; NULL where it does not.
CREATE OR REPLACE FUNCTION payments.deadline(o payments.orders) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT CASE WHEN o.status IN
		('requires_confirmation', 'requires_action', 'authorized', 'declined')
		THEN payments.rfc3339(o.expires_at) END $$;

-- An order as its client sees it.
CREATE OR REPLACE FUNCTION payments.order_json(o payments.orders) RETURNS text
	LANGUAGE sql STABLE AS
	$$ SELECT json_strip_nulls(json_build_object('orderId', o.order_id, 'userId', o.user_id,
		'status', o.status, 'version', o.version, 'total', o.total,
		'currency', o.currency, 'items', o.items, 'captured', o.captured,
		'refunded', o.refunded, 'reason', o.reason, 'nextActionUrl', o.next_action_url,
		'cancelRequested', CASE WHEN o.ending = 'cancel' THEN true END,
		'createdAt', payments.rfc3339(o.created_at),
		'changedAt', payments.rfc3339(o.changed_at),
		'expiresAt', payments.deadline(o)))::text $$;

-- The same for its stream, where only what changes is told.
CREATE OR REPLACE FUNCTION payments.event_json(o payments.orders) RETURNS text
	LANGUAGE sql STABLE AS
	$$ SELECT json_strip_nulls(json_build_object('orderId', o.order_id, 'status', o.status,
		'version', o.version, 'reason', o.reason,
		'nextActionUrl', o.next_action_url))::text $$;
