CREATE TABLE driftline_marks (
  scope TEXT NOT NULL,
  position INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (scope, position)
) STRICT;
