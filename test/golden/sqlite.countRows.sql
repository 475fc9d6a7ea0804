SELECT count(*) FROM "notes"
WHERE scope = ?1 AND position > ?2 AND position <= (SELECT position - CAST(0 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND (NOT deleted OR position > ?3);
SELECT count(*) FROM "tags"
WHERE scope = ?1 AND position > ?2 AND position <= (SELECT position - CAST(0 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND (NOT deleted OR position > ?3)