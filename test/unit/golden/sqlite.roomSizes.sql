SELECT concat(updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id, '
', coalesce(octet_length("title"), 0), '
', coalesce(octet_length("extra"), 0), '
', coalesce(octet_length("icon"), 0), '
', coalesce(octet_length("cost"), 0)) FROM "notes" AS found$ WHERE scope = ?1 AND id IN (SELECT value FROM json_each(?2));
SELECT concat(updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id, '
', coalesce(octet_length("name"), 0)) FROM "tags" AS found$ WHERE scope = ?1 AND id IN (SELECT value FROM json_each(?2))