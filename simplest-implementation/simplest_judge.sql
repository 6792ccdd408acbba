-- What the judge of the tests asks about one event: each statement gives how many things are wrong.
-- $1 is the event, $2 what the buyers remember: [{holdId, state, seats, total, order?}], an order
-- as the API gave it, $3 how many seats there are.

-- name: second_tickets
SELECT count(*) FROM (SELECT FROM tickets WHERE event_id = $1
	GROUP BY seat_id HAVING count(*) > 1) twice;

-- name: sold_to_two
SELECT count(*) FROM (SELECT FROM json_array_elements($2) hold,
	json_array_elements(hold -> 'order' -> 'tickets') ticket
	GROUP BY ticket ->> 'seatId' HAVING count(DISTINCT ticket ->> 'ticketId') > 1) twice;

-- name: lost_tickets
SELECT count(*) FROM (
	SELECT hold -> 'order' ->> 'orderId', ticket ->> 'ticketId', ticket ->> 'seatId',
		(ticket ->> 'price')::bigint
	FROM json_array_elements($2) hold,
		json_array_elements(hold -> 'order' -> 'tickets') ticket
	EXCEPT SELECT item_id(event_id, order_id), item_id(event_id, ticket_id), seat_id, price
	FROM tickets WHERE event_id = $1) lost;

-- name: lost_holds
SELECT count(*) FROM (
	SELECT hold ->> 'holdId', hold ->> 'state', (hold ->> 'total')::bigint, hold ->> 'seats'
	FROM json_array_elements($2) hold
	EXCEPT SELECT item_id(event_id, hold_id), status, total, array_to_json(seat_ids)::text
	FROM holds WHERE event_id = $1) lost;

-- name: untold_tickets
SELECT count(*) FROM (
	SELECT item_id(event_id, ticket_id) FROM tickets WHERE event_id = $1
	EXCEPT SELECT ticket ->> 'ticketId' FROM json_array_elements($2) hold,
		json_array_elements(hold -> 'order' -> 'tickets') ticket) untold;

-- name: untold_holds
SELECT count(*) FROM (
	SELECT item_id(event_id, hold_id) FROM holds WHERE event_id = $1
	EXCEPT SELECT hold ->> 'holdId' FROM json_array_elements($2) hold) untold;

-- name: missing_seats
SELECT $3 - count(*) FILTER (WHERE status IN ('available', 'held', 'sold'))
FROM seat_inventory WHERE event_id = $1;

-- name: seats_at_odds_with_tickets
-- A seat is sold by the order that has its ticket, and only then.
SELECT count(*) FROM (SELECT seat_id, order_id FROM seat_inventory
	WHERE event_id = $1 AND status = 'sold') seat
FULL JOIN (SELECT seat_id, order_id FROM tickets WHERE event_id = $1) ticket
USING (seat_id, order_id) WHERE seat IS NULL OR ticket IS NULL;

-- name: seats_at_odds_with_holds
-- A seat is held by the hold that lists it and is alive, and only then.
SELECT count(*) FROM (SELECT seat_id, hold_id FROM seat_inventory
	WHERE event_id = $1 AND status = 'held') seat
FULL JOIN (SELECT unnest(seat_ids) AS seat_id, hold_id FROM holds
	WHERE event_id = $1 AND status = 'held') hold
USING (seat_id, hold_id) WHERE seat IS NULL OR hold IS NULL;

-- name: orders_at_odds_with_charges
SELECT count(*) FROM (SELECT order_id, total AS amount, currency
	FROM orders JOIN events USING (event_id) WHERE event_id = $1) paid
FULL JOIN (SELECT order_id, amount, currency FROM charges WHERE event_id = $1) charge
USING (order_id, amount, currency) WHERE paid IS NULL OR charge IS NULL;

-- name: orders_at_odds_with_holds
-- An order has the seats, the buyer and the price of its hold, and each sold hold has its order.
SELECT count(*) FROM (SELECT o.hold_id, o.user_id, o.total,
		(SELECT array_agg(seat_id ORDER BY seat_id) FROM tickets t
		WHERE t.event_id = o.event_id AND t.order_id = o.order_id) AS seat_ids
	FROM orders o WHERE event_id = $1) bought
FULL JOIN (SELECT hold_id, user_id, total,
		(SELECT array_agg(seat_id ORDER BY seat_id) FROM unnest(seat_ids) seat_id)
		AS seat_ids
	FROM holds WHERE event_id = $1 AND status = 'sold') hold
USING (hold_id, user_id, total, seat_ids) WHERE bought IS NULL OR hold IS NULL;

-- name: orders_at_odds_with_prices
SELECT count(*) FROM orders o WHERE event_id = $1 AND total IS DISTINCT FROM (
	SELECT sum(t.price) FROM tickets t JOIN seat_inventory s USING (event_id, seat_id, price)
	WHERE t.event_id = o.event_id AND t.order_id = o.order_id);

-- name: orders_without_answer
-- The record of an Idempotency-Key commits together with its effect.
SELECT count(*) FROM orders o WHERE event_id = $1 AND NOT EXISTS (
	SELECT FROM idempotency_keys WHERE status = 200
	AND body::json ->> 'orderId' = item_id(o.event_id, o.order_id));
