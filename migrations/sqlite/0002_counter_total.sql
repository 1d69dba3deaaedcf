-- How many counters there are: counting the rows at each new one would cost more with each row.
CREATE TABLE counter_total (
    counters INTEGER NOT NULL
) STRICT;

INSERT INTO counter_total SELECT count(*) FROM counters;

CREATE TRIGGER counter_created AFTER INSERT ON counters
BEGIN
    UPDATE counter_total SET counters = counters + 1;
END;

CREATE TRIGGER counter_removed AFTER DELETE ON counters
BEGIN
    UPDATE counter_total SET counters = counters - 1;
END;
