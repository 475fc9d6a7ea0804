SELECT ('driftline_missing_nonce_' || j.o$)::integer FROM (SELECT unnest((SELECT $3::text[])) AS i$, unnest((SELECT $4::bigint[])) AS o$, unnest((SELECT $5::bigint[])) AS a$, unnest((SELECT $6::bigint[])) AS p$, unnest((SELECT $7::boolean[])) AS q$) AS j
LEFT JOIN "notes" AS t ON t.scope = $1 AND t.id = j.i$
WHERE CASE WHEN t.id IS NULL THEN j.p$ IS NULL OR j.q$
ELSE (t.deleted AND (t.updated_at, t.updated_by) < (j.a$, $2) AND (j.p$ IS NULL OR (t.updated_at, t.updated_by) >= (j.p$, $2)))
OR (j.q$ AND (t.updated_at, t.updated_by) < (j.p$, $2)) END