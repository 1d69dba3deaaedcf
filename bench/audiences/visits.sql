-- 10 million visits of a million visitors in the 30 days before :now, on three counters, as if they had come one
-- after the other: 4 million sign-ups, 4 million views of pages, 2 million refunds. In the SQL that both databases
-- understand, but for what is put in for :company, :numbers and :json.

INSERT INTO recordings (company_id, counter, recorded, retention_days, visitor, began, base, through, through_at, created_at)
SELECT :company, 'signup', true, 400, 'given', 0, 0, 4000000, :now, 0
UNION ALL SELECT :company, 'page', true, 400, 'given', 0, 0, 4000000, :now, 0
UNION ALL SELECT :company, 'refund', true, 400, 'given', 0, 0, 2000000, :now, 0;

INSERT INTO visitors (company_id, key) SELECT :company, '=visitor-' || n FROM :numbers WHERE n <= 1000000;

INSERT INTO texts (company_id, recording_id, id, text, uses)
SELECT :company, recordings.id, n, '/' || n, 1 FROM recordings, :numbers WHERE n <= 100;

-- Of every five visits two are sign-ups, two views and one a refund. What is multiplied and cut off here scatters
-- visitors and values evenly.
INSERT INTO visits (company_id, recording_id, number, at, visitor, path, properties)
SELECT :company, recordings.id,
    CASE n % 5 WHEN 0 THEN n / 5 * 2 + 1 WHEN 1 THEN n / 5 * 2 + 2 WHEN 2 THEN n / 5 * 2 + 1 WHEN 3 THEN n / 5 * 2 + 2 ELSE n / 5 + 1 END,
    :now - 2592000000 + n * 2592 / 10,
    (n * 2654435761 % 4294967296) % 1000000 + (SELECT min(id) FROM visitors), n * 40503 % 65536 % 100 + 1,
    CAST('{"amount":' || n % 1000 || ',"plan":"' || CASE n * 69069 % 65536 % 4 WHEN 0 THEN 'pro' WHEN 1 THEN 'team' ELSE 'free' END || '"}' AS :json)
FROM (SELECT n - 1 AS n FROM :numbers) AS visits_of_all
JOIN recordings ON counter = CASE n % 5 WHEN 0 THEN 'signup' WHEN 1 THEN 'signup' WHEN 4 THEN 'refund' ELSE 'page' END;

INSERT INTO marks (company_id, recording_id, minute, number)
SELECT :company, recording_id, at / 60000, max(number) FROM visits GROUP BY recording_id, at / 60000;
