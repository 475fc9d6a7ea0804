/** What `npm run import -- --help` prints: the README has the same at length. */
export const importHelp = `npm run import -- --table todos --scope alice todos.csv

Takes the rows of a file into the database of DATABASE_URL: .csv, .tsv, .ndjson, .jsonl or .json, each also .gz, or - for
standard input. Each row is answered as in a push; what is rejected goes to a file of its own.

What and where to
  --table todos           the table of all rows, and of lines that name none
  --scope alice           the scope of all rows, and of lines that name none
  --scope-column user_id  the column of the file that says the scope of each row
  --client crm            who wrote the rows that do not say it (import)
  --at now                rows, not changes, and their stamp: now (as CSV has), a time, or microseconds
  --at-column changed     the column of the file that says the stamp of each row

What the file is
  --format csv            csv or ndjson, where its name does not say so
  --from couchdb          JSON of another program: json (an array, or objects whose values are written as text), sqlite
                          (sqlite3 -json), mongo (mongoexport), couchdb (_changes, _all_docs, PouchDB), firestore
  --encoding windows-1252 what it is written in, where it has no byte order mark and is not UTF-8: any name of TextDecoder
  --delimiter ';'         CSV: what fields end with, a character or tab; a first line sep=; says it too

Which columns
  --map title=name        the column name of the file is title of the table; --map id=key for the id. Several times
  --ignore x              a column of the file to pass over. Several times
  --ignore-others         all columns of the file that stand for nothing

How values are written
  --decimal ,             numbers have a decimal comma, and points between thousands if --group says nothing else
  --group .               what stands between thousands: . , ' _ or space
  --null '\\N'             a text that is null, where no quotes are around it. Several times
  --empty-as-text         CSV: an empty field of a text column is empty text. Without it that is null, and "" is empty text
  --true yes --false no   words for true and false, beside true, t, 1 and false, f, 0. Several times

How it goes
  --check                 reads all, stores nothing, and says what would be rejected. The database is not asked
  --rejected file.ndjson  where rejected lines go, with what is wrong; beside it they are as they came
  --resume, --anew        after a stop: go on, or begin anew
  --help                  this

A file is looked through before its first row is stored: bytes that are not in its encoding, or numbers that could mean
two things, end it at once. Of standard input that is the first MiB, and the rest as it comes.
Exit code 0: all is in; 2: all but what was rejected; 1: it failed; 130: stopped.`
