-- The trigger of 020_live.sql without its join of what was with what is. Its plan was made for the
-- batch that came first after the tables had been analyzed; where that was a small one, pairs were
-- then looked for by a loop in a loop, so that large batches cost half as much again, and a crowd
-- that had once piled up was never worked off.
--
-- Who updates a seat makes its version grow, and a row whose version the reader knows already is
-- passed over (board.h); so one that has not changed costs a row, and harms nobody.

-- name: schema
CREATE OR REPLACE FUNCTION seat_changes_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seat_changes (event_id, seat_id, status, version, reserved_until)
	SELECT event_id, seat_id, status, version, reserved_until FROM changed;
	RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER seat_changes_keep AFTER UPDATE ON seats
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION seat_changes_keep();
