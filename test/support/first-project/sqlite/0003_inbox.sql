CREATE TABLE driftline_inbox (
  scope TEXT NOT NULL,
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  details TEXT NOT NULL,
  PRIMARY KEY (scope, source, id)
) STRICT;

CREATE INDEX driftline_inbox_received ON driftline_inbox (received_at);
