INSERT INTO driftline_deliveries (scope, endpoint, position, from_position, id, created_at, next_at, attempts, last_error)
SELECT ?1, ?3, s.position, s.position - ?2, ?4, ?5, CASE WHEN EXISTS (SELECT 1 FROM driftline_deliveries AS d WHERE d.scope = ?1 AND d.endpoint = ?3) THEN 9007199254740991 ELSE ?5 END, 0, ''
FROM driftline_scopes AS s WHERE s.scope = ?1 AND (EXISTS (SELECT 1 FROM "notes" AS t WHERE t.scope = ?1 AND t.position > s.position - ?2) OR EXISTS (SELECT 1 FROM "tags" AS t WHERE t.scope = ?1 AND t.position > s.position - ?2))
RETURNING next_at