CREATE TABLE "products" (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  position INTEGER NOT NULL,
  created_position INTEGER NOT NULL,
  "name" TEXT CHECK (deleted OR "name" IS NOT NULL),
  "code" TEXT,
  "price" INTEGER CHECK (deleted OR "price" IS NOT NULL),
  "stock" INTEGER CHECK (deleted OR "stock" IS NOT NULL) CHECK ("stock" BETWEEN -9007199254740991 AND 9007199254740991),
  "seen_at" TEXT,
  "made_by" TEXT,
  "created_at" TEXT CHECK (deleted OR "created_at" IS NOT NULL),
  "name$" TEXT,
  "code$" TEXT,
  "price$" TEXT,
  "stock$" TEXT,
  "base$at" INTEGER,
  "base$by" TEXT,
  PRIMARY KEY (scope, id)
) STRICT;

CREATE INDEX "products_position" ON "products" (scope, position);

CREATE INDEX "products_position_living" ON "products" (scope, position, deleted) WHERE NOT deleted;

CREATE UNIQUE INDEX "products_code_key" ON "products" (scope, "code") WHERE NOT deleted;
