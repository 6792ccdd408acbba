-- Lists of events, search, and one event. See browse.h.

-- name: browse_words
-- The words of what somebody typed, each once, and whether some event has it; of the last one also
-- whether some event has a word that begins with it.
SELECT word, EXISTS (SELECT FROM search_words known WHERE known.word = typed.word)
	OR at = count AND EXISTS (SELECT FROM search_words known WHERE known.word >= typed.word
		AND known.word < typed.word || U&'\+10FFFF'), at = count
FROM (SELECT word COLLATE "C" AS word, max(at) AS at, max(max(at)) OVER () AS count
	FROM unnest(search_words_of($1)) WITH ORDINALITY AS piece (word, at) GROUP BY word) AS typed
ORDER BY at;

-- name: browse_nearest
SELECT search_nearest($1);

-- name: browse_walk
-- $1 the query or NULL, $2 city, $3 from, $4 to, $5 and $6 where the last page ended, $7 one more
-- than a page holds, $8 how many events are walked. No row of `walked` is read that the page does
-- not need.
WITH walked AS MATERIALIZED (
	SELECT event_id, starts_at, search FROM events
	WHERE status <> 'draft' AND (starts_at, event_id) > ($5, $6)
		AND starts_at >= coalesce($3::timestamptz, now())
		AND starts_at < coalesce($4::timestamptz, 'infinity')
	ORDER BY starts_at, event_id LIMIT $8
), page AS MATERIALIZED (
	SELECT event_id FROM walked WHERE $1::text IS NULL OR search @@ $1::text::tsquery LIMIT $7
)
SELECT event_summary(e, v)::text, e.starts_at, e.event_id
FROM page JOIN events e USING (event_id) JOIN venues v USING (venue_id)
ORDER BY e.starts_at, e.event_id;

-- name: browse_walk_city
WITH walked AS MATERIALIZED (
	SELECT event_id, starts_at, search FROM events
	WHERE status <> 'draft' AND city_key = search_city_key($2)
		AND (starts_at, event_id) > ($5, $6)
		AND starts_at >= coalesce($3::timestamptz, now())
		AND starts_at < coalesce($4::timestamptz, 'infinity')
	ORDER BY starts_at, event_id LIMIT $8
), page AS MATERIALIZED (
	SELECT event_id FROM walked WHERE $1::text IS NULL OR search @@ $1::text::tsquery LIMIT $7
)
SELECT event_summary(e, v)::text, e.starts_at, e.event_id
FROM page JOIN events e USING (event_id) JOIN venues v USING (venue_id)
ORDER BY e.starts_at, e.event_id;

-- name: browse_beyond
-- Whether there are more events than are walked: parameters as above. From the index alone.
SELECT event_id FROM events
WHERE status <> 'draft' AND (starts_at, event_id) > ($5, $6)
	AND starts_at >= coalesce($3::timestamptz, now())
	AND starts_at < coalesce($4::timestamptz, 'infinity')
	AND $1::text IS NOT NULL AND $7::bigint > 0
ORDER BY starts_at, event_id OFFSET $8 LIMIT 1;

-- name: browse_beyond_city
SELECT event_id FROM events
WHERE status <> 'draft' AND city_key = search_city_key($2)
	AND (starts_at, event_id) > ($5, $6)
	AND starts_at >= coalesce($3::timestamptz, now())
	AND starts_at < coalesce($4::timestamptz, 'infinity')
	AND $1::text IS NOT NULL AND $7::bigint > 0
ORDER BY city_key, starts_at, event_id OFFSET $8 LIMIT 1;

-- name: browse_find
-- By the index of words alone: what else is asked is a filter of its own, or the planner, which
-- does not know how few they are, would read the index of all starts beside it.
WITH matched AS MATERIALIZED (
	SELECT event_id, starts_at, city_key FROM events
	WHERE search @@ $1::text::tsquery AND status <> 'draft'
), page AS MATERIALIZED (
	SELECT event_id FROM matched
	WHERE ($2::text IS NULL OR city_key = (SELECT search_city_key($2)))
		AND (starts_at, event_id) > ($5, $6)
		AND starts_at >= coalesce($3::timestamptz, now())
		AND starts_at < coalesce($4::timestamptz, 'infinity')
	ORDER BY starts_at, event_id LIMIT $7
)
SELECT event_summary(e, v)::text, e.starts_at, e.event_id
FROM page JOIN events e USING (event_id) JOIN venues v USING (venue_id)
ORDER BY e.starts_at, e.event_id;

-- name: browse_event
SELECT event_detail(e, v)::text, e.version, event_status(e)
FROM events e JOIN venues v USING (venue_id)
WHERE event_id = $1 AND e.status <> 'draft';
