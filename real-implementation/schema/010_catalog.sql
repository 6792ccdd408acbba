-- Venues and events, and what it takes to find them. Applied once, by `onsale migrate`; a database
-- that has it is changed by later steps only.
--
-- All three extensions are in PostgreSQL's own contrib and are trusted: the database's owner may
-- create them.

-- name: schema
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;

CREATE TABLE venues (
	venue_id      uuid PRIMARY KEY,
	name          text NOT NULL,
	city          text NOT NULL,
	country       text CHECK (country ~ '^[A-Z]{2}$'), -- ISO 3166-1 alpha-2.
	plan          text NOT NULL,  -- The document as it came, to draw and to stock events by.
	seat_count    integer NOT NULL CHECK (seat_count > 0),
	section_count integer NOT NULL CHECK (section_count > 0),
	sections      jsonb NOT NULL, -- [{name, seats}], in the plan's order.
	categories    jsonb NOT NULL, -- [{name, color?, seats}], likewise; those that have seats.
	made_from     bytea NOT NULL, -- SHA-256 of the request: who repeats it gets the same venue.
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX venues_by_name ON venues (name);

-- The words of a text, as both sides of a search see them: in one Unicode form, without accents, in
-- small letters; whatever is neither letter nor digit separates. No stemming and no stop words,
-- since "The Who" and "It" are names. The database's own locale may be C, which knows only the
-- letters of ASCII; so the collation is named.
CREATE FUNCTION search_words_of(words text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT coalesce(array_agg(left(word, 64) ORDER BY ordinal), '{}')
	FROM regexp_split_to_table(
		lower(unaccent('unaccent', normalize(words, NFKC)) COLLATE "und-x-icu"),
		'[^[:alnum:]]+') WITH ORDINALITY AS piece (word, ordinal)
	WHERE word <> '' $$;

CREATE TABLE events (
	event_id           uuid PRIMARY KEY,
	venue_id           uuid NOT NULL REFERENCES venues,
	name               text NOT NULL,
	performers         text[] NOT NULL,
	description        text NOT NULL,
	city               text NOT NULL, -- The venue's.
	starts_at          timestamptz NOT NULL,
	on_sale_at         timestamptz NOT NULL,
	currency           text NOT NULL,
	prices             jsonb NOT NULL, -- Category to minor units.
	price_from         bigint NOT NULL CHECK (price_from >= 0),
	price_to           bigint NOT NULL CHECK (price_to >= price_from),
	-- A draft's seats are still being stocked; it is not shown to anybody.
	status             text COLLATE "C" NOT NULL DEFAULT 'draft'
		CHECK (status IN ('draft', 'scheduled', 'canceled')),
	seats_per_hold_max integer NOT NULL CHECK (seats_per_hold_max > 0),
	hold_seconds       integer NOT NULL CHECK (hold_seconds > 0),
	waiting_room       jsonb NOT NULL, -- Settings, all of them: see catalog.h.
	room_opened_by     text COLLATE "C" CHECK (room_opened_by IN ('operator', 'demand')),
	version            bigint NOT NULL DEFAULT 1, -- Grows with each change by the organiser.
	made_from          bytea NOT NULL, -- As above.
	search             tsvector NOT NULL, -- These two are the trigger's.
	city_key           text COLLATE "C" NOT NULL,
	created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT on_sale_before_start CHECK (on_sale_at <= starts_at)
);
CREATE INDEX events_by_start ON events (starts_at, event_id) WHERE status <> 'draft';
CREATE INDEX events_by_city ON events (city_key, starts_at, event_id) WHERE status <> 'draft';
-- For those who keep something of events in memory, and ask what has changed.
CREATE INDEX events_by_change ON events (changed_at);
-- Without the pending list: who searches would pay for what was written last.
CREATE INDEX events_by_word ON events USING gin (search) WITH (fastupdate = off);

-- How a city is compared: "São Paulo" is "sao paulo".
CREATE FUNCTION search_city_key(city text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
	$$ SELECT array_to_string(search_words_of(city), ' ') $$;

CREATE FUNCTION events_make_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.city_key := search_city_key(NEW.city);
	NEW.search := array_to_tsvector(search_words_of(concat_ws(' ', NEW.name,
		array_to_string(NEW.performers, ' '), NEW.city, NEW.description,
		(SELECT name FROM venues WHERE venue_id = NEW.venue_id))));
	RETURN NEW;
END $$;
CREATE TRIGGER events_make_search BEFORE INSERT OR UPDATE OF name, performers, description, city
	ON events FOR EACH ROW EXECUTE FUNCTION events_make_search();

-- Each word that some event has, or has had: what a mistyped word is corrected to. Stale ones do no
-- harm, since they find nothing.
CREATE TABLE search_words (word text COLLATE "C" PRIMARY KEY);
CREATE INDEX search_words_by_trigram ON search_words USING gin (word gin_trgm_ops)
	WITH (fastupdate = off);

-- Per statement, and in the words' order, so that two who load events wait for each other at the
-- most, and never in a circle.
CREATE FUNCTION events_keep_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO search_words
	SELECT DISTINCT word COLLATE "C" AS word
	FROM written, unnest(tsvector_to_array(written.search)) AS word
	WHERE NOT EXISTS (SELECT FROM search_words known WHERE known.word = word.word)
	ORDER BY word ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
CREATE TRIGGER events_keep_words_inserted AFTER INSERT ON events
	REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION events_keep_words();
CREATE TRIGGER events_keep_words_updated AFTER UPDATE ON events
	REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION events_keep_words();

-- The words nearest to one that no event has: with one letter too many, too few or another, two
-- letters exchanged, or, for longer words, most of its trigrams. At most three, the nearest first.
-- Short words have too few trigrams to be found by them, so they are compared with those that begin
-- with the same letter.
CREATE FUNCTION search_nearest(asked text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
	WITH candidate AS (
		SELECT known.word, CASE WHEN length(asked) <= 5 THEN 1 ELSE 2 END AS distance_max
		FROM search_words known
		WHERE length(asked) > 5 AND known.word % asked
		UNION
		SELECT known.word, 1 FROM search_words known
		WHERE length(asked) BETWEEN 3 AND 5 AND known.word >= left(asked, 1)
			AND known.word < left(asked, 1) || U&'\+10FFFF'
			AND length(known.word) BETWEEN length(asked) - 1 AND length(asked) + 1
		UNION
		SELECT known.word, 9 FROM search_words known
		-- An array, so that it is looked up in the index and not joined with all words.
		WHERE known.word = ANY (ARRAY(SELECT overlay(asked PLACING
				substr(asked, i + 1, 1) || substr(asked, i, 1) FROM i FOR 2)
			FROM generate_series(1, length(asked) - 1) AS at (i)))
	)
	SELECT coalesce(array_agg(word ORDER BY rank), '{}') FROM (
		SELECT word, row_number() OVER (
			ORDER BY distance, similarity(word, asked) DESC, word) AS rank
		FROM (SELECT word, CASE WHEN distance_max = 9 THEN 1
				ELSE levenshtein(word, asked) END AS distance, distance_max
			FROM candidate) AS measured
		WHERE distance <= distance_max OR similarity(word, asked) >= 0.5
	) AS ranked WHERE rank <= 3 $$;

CREATE FUNCTION rfc3339(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
	$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- What an event is at this moment, as the API says it.
CREATE FUNCTION event_status(e events) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN e.status = 'canceled' THEN 'canceled'
		WHEN e.starts_at <= now() THEN 'ended'
		WHEN e.on_sale_at <= now() THEN 'on_sale'
		ELSE 'upcoming' END $$;

-- An event as lists show it.
CREATE FUNCTION event_summary(e events, v venues) RETURNS json
	LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT json_build_object('eventId', e.event_id, 'name', e.name, 'performers', e.performers,
		'venue', json_strip_nulls(json_build_object('venueId', v.venue_id, 'name', v.name,
			'city', v.city, 'country', v.country)),
		'startsAt', rfc3339(e.starts_at), 'onSaleAt', rfc3339(e.on_sale_at),
		'status', event_status(e), 'currency', e.currency, 'priceFrom', e.price_from,
		'priceTo', e.price_to) $$;

-- An event as the API tells it, to the last detail that is everybody's.
CREATE FUNCTION event_detail(e events, v venues) RETURNS json
	LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT json_build_object('eventId', e.event_id, 'name', e.name, 'performers', e.performers,
		'description', e.description, 'venue', json_strip_nulls(json_build_object(
			'venueId', v.venue_id, 'name', v.name, 'city', v.city,
			'country', v.country)),
		'startsAt', rfc3339(e.starts_at), 'onSaleAt', rfc3339(e.on_sale_at),
		'status', event_status(e), 'currency', e.currency, 'priceFrom', e.price_from,
		'priceTo', e.price_to, 'prices', e.prices,
		'categories', (SELECT json_agg(json_strip_nulls(json_build_object(
				'name', c.category -> 'name', 'color', c.category -> 'color',
				'price', e.prices -> (c.category ->> 'name'),
				'seats', c.category -> 'seats')) ORDER BY c.ordinal)
			FROM jsonb_array_elements(v.categories) WITH ORDINALITY
				AS c (category, ordinal)),
		'sections', v.sections, 'seats', v.seat_count,
		'seatsPerHoldMax', e.seats_per_hold_max, 'holdSeconds', e.hold_seconds,
		'version', e.version) $$;

-- Answers that were given for an Idempotency-Key, committed together with their effect.
CREATE TABLE IF NOT EXISTS idempotency_keys (
	caller      text NOT NULL,
	operation   text NOT NULL, -- Method and route.
	key         text NOT NULL,
	fingerprint text NOT NULL, -- SHA-256 of path and body, in hexadecimal.
	status      integer NOT NULL,
	body        text NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (caller, operation, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created_at);
