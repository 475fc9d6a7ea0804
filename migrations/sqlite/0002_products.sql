CREATE TABLE "products" (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  position INTEGER NOT NULL,
  created_position INTEGER NOT NULL,
  "name" TEXT CHECK (deleted OR "name" IS NOT NULL),
  "stock" INTEGER CHECK (deleted OR "stock" IS NOT NULL) CHECK ("stock" BETWEEN -9007199254740991 AND 9007199254740991),
  "best_price" INTEGER CHECK (deleted OR "best_price" IS NOT NULL),
  "made_by" TEXT,
  "created_at" TEXT CHECK (deleted OR "created_at" IS NOT NULL),
  "stock$" TEXT,
  PRIMARY KEY (scope, id)
) STRICT;

CREATE INDEX "products_position" ON "products" (scope, position);

CREATE INDEX "products_position_living" ON "products" (scope, position, deleted) WHERE NOT deleted;
