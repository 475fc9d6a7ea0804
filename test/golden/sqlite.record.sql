INSERT INTO driftline_deliveries (scope, endpoint, position, from_position, id, created_at, next_at, attempts, last_error, disabled_at)
SELECT ?1, ?3, s.position, s.position - ?2, ?4, ?5, CASE WHEN (SELECT min(d.position) FROM driftline_deliveries AS d WHERE d.scope = ?1 AND d.endpoint = ?3) IS NULL THEN ?5 ELSE 9007199254740991 END, 0, '', 0
FROM driftline_scopes AS s WHERE s.scope = ?1 AND ((SELECT max(t.position) FROM "notes" AS t WHERE t.scope = ?1) > s.position - ?2 OR (SELECT max(t.position) FROM "tags" AS t WHERE t.scope = ?1) > s.position - ?2)
RETURNING next_at