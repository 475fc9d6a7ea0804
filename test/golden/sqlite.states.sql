SELECT concat(CASE WHEN position > position THEN CASE WHEN created_position = position THEN 'i' ELSE 'u' END ELSE '-' END, '
', updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id) FROM "notes" AS t WHERE scope = ?1 AND id IN (SELECT j.i$ FROM (SELECT value ->> 0 AS i$ FROM json_each(?2) LIMIT -1) AS j)