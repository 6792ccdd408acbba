-- What figures.h asks the database.

-- name: event
-- $1 event.
SELECT json_build_object(
	'eventId', e.event_id, 'name', e.name, 'sale', event_status(e), 'currency', e.currency,
	'seats', (SELECT json_build_object(
		'available', count(*) FILTER (WHERE s.status = 'available'
			OR s.status = 'held' AND s.reserved_until <= clock_timestamp()),
		'held', count(*) FILTER (WHERE s.status = 'held'
			AND s.reserved_until > clock_timestamp()),
		'sold', count(*) FILTER (WHERE s.status = 'sold'))
		FROM seats s WHERE s.event_id = e.event_id),
	'holds', (SELECT json_build_object('live', count(*),
		'people', count(DISTINCT h.person))
		FROM seat_holds h WHERE h.event_id = e.event_id AND h.status = 'held'
			AND h.expires_at > clock_timestamp()),
	'orders', (SELECT coalesce(json_object_agg(o.status, o.count), '{}')
		FROM (SELECT status, count(*) FROM checkout_orders
			WHERE event_id = e.event_id GROUP BY status) AS o),
	'stuck', (SELECT count(*) FROM checkout_orders
		WHERE event_id = e.event_id AND stuck),
	'money', (SELECT json_build_object('captured', coalesce(sum(o.captured), 0),
		'refunded', coalesce(sum(o.refunded), 0))
		FROM checkout_orders o WHERE o.event_id = e.event_id),
	'tickets', (SELECT json_build_object(
		'valid', count(*) FILTER (WHERE t.status = 'valid'),
		'void', count(*) FILTER (WHERE t.status = 'void'))
		FROM seat_tickets t WHERE t.event_id = e.event_id),
	'scans', (SELECT count(*) FROM ticket_scans c WHERE c.event_id = e.event_id),
	'waitingRoom', e.waiting_room)::text
FROM events e WHERE e.event_id = $1;
