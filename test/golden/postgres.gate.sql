SELECT ('driftline_resync' || s.position)::integer FROM driftline_scopes AS s WHERE s.scope = $1
AND NOT (s.incarnation = coalesce($2, s.incarnation) AND s.watermark <= $3 AND s.position - $4 >= $3)