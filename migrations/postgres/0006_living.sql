CREATE INDEX "lists_position_living" ON "lists" (scope, position, deleted) WHERE NOT deleted;

CREATE INDEX "todos_position_living" ON "todos" (scope, position, deleted) WHERE NOT deleted;
