SELECT ('driftline_swallowed_nonce_' || j.o$)::integer FROM (SELECT unnest((SELECT $3::text[])) AS i$, unnest((SELECT $4::bigint[])) AS o$, unnest((SELECT $5::bigint[])) AS a$, unnest((SELECT $6::boolean[])) AS q$) AS j
LEFT JOIN "notes" AS t ON t.scope = $1 AND t.id = j.i$
WHERE CASE WHEN t.id IS NULL THEN j.q$ ELSE (t.updated_at, t.updated_by) < (j.a$, $2) END