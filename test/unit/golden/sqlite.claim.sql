INSERT INTO driftline_inbox AS inbox$ (scope, source, id, received_at, details, outcome)
SELECT ?1, ?2, ?3, ?4, ?5, string_agg(CASE
WHEN found$.id IS NULL THEN substr(sent$.letters$, 2, 1)
WHEN (found$.updated_at, found$.updated_by) > (sent$.at$, ?2) THEN 's'
WHEN (found$.updated_at, found$.updated_by) = (sent$.at$, ?2) THEN CASE WHEN found$.deleted THEN substr(sent$.letters$, 5, 1) ELSE '=' END
WHEN (found$.updated_at, found$.updated_by) < (sent$.base_at$, ?2) THEN substr(sent$.letters$, 1, 1)
WHEN found$.deleted THEN substr(sent$.letters$, 3, 1) ELSE substr(sent$.letters$, 4, 1) END, '' ORDER BY sent$.ordinal$)
FROM (SELECT value$ ->> '$[0]' AS id$, value$ ->> '$[1]' AS ordinal$, value$ ->> '$[2]' AS at$, value$ ->> '$[3]' AS base_at$, value$ ->> '$[4]' AS letters$ FROM (SELECT value AS value$ FROM json_each(?6) LIMIT -1) LIMIT -1) AS sent$ LEFT JOIN "notes" AS found$ ON found$.scope = ?1 AND found$.id = sent$.id$ WHERE 1 = 1
ON CONFLICT (scope, source, id) DO UPDATE SET outcome = inbox$.outcome || excluded.outcome RETURNING outcome