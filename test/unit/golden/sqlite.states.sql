SELECT concat('-', '
', updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id) FROM "notes" AS found$ WHERE scope = ?1 AND id IN (SELECT value FROM json_each(?2))