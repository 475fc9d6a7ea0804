CREATE TABLE "lists" (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  position INTEGER NOT NULL,
  created_position INTEGER NOT NULL,
  "name" TEXT CHECK (deleted OR "name" IS NOT NULL),
  PRIMARY KEY (scope, id)
) STRICT;

CREATE INDEX "lists_position" ON "lists" (scope, position);

CREATE INDEX "lists_position_living" ON "lists" (scope, position, deleted) WHERE NOT deleted;

CREATE TABLE "todos" (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  position INTEGER NOT NULL,
  created_position INTEGER NOT NULL,
  "title" TEXT CHECK (deleted OR "title" IS NOT NULL),
  "done" INTEGER CHECK (deleted OR "done" IS NOT NULL),
  "priority" INTEGER CHECK (deleted OR "priority" IS NOT NULL),
  "notes" TEXT,
  "amount" REAL,
  "list_id" TEXT,
  PRIMARY KEY (scope, id)
) STRICT;

CREATE INDEX "todos_position" ON "todos" (scope, position);

CREATE INDEX "todos_position_living" ON "todos" (scope, position, deleted) WHERE NOT deleted;
