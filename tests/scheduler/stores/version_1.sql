BEGIN TRANSACTION;
CREATE TABLE engines (
        id INTEGER PRIMARY KEY,
        machine TEXT NOT NULL,
        boot TEXT NOT NULL,
        pids TEXT NOT NULL,
        pid INTEGER NOT NULL,
        process_start TEXT NOT NULL,
        beats INTEGER NOT NULL,
        beat_seconds REAL NOT NULL
    );
INSERT INTO "engines" VALUES(2,'machine','boot','pid:[1]',1234,'5678',1,0.0);
CREATE TABLE removed (
        revision INTEGER PRIMARY KEY,
        task_id INTEGER NOT NULL,
        removed_us INTEGER NOT NULL,
        swept INTEGER NOT NULL DEFAULT 0
    );
INSERT INTO "removed" VALUES(15,13,1795338000000000,0);
CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        task_id INTEGER NOT NULL,
        task TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        due_us INTEGER,
        engine_id INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        started_us INTEGER,
        ended_us INTEGER,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        progress REAL,
        progress_text TEXT NOT NULL DEFAULT '',
        traceback TEXT,
        output TEXT NOT NULL DEFAULT ''
    );
INSERT INTO "runs" VALUES(9,4,'report',3,1795337999000000,2,'missed','too late',NULL,1795338000500000,0,NULL,NULL,'',NULL,'');
INSERT INTO "runs" VALUES(10,4,'report',3,1795338000000000,2,'failed',NULL,1795338000500000,1795338001000000,1,'ValueError: no',0.5,'half','Traceback (most recent call last):
…
','half way
');
INSERT INTO "runs" VALUES(17,4,'report',3,1795338002000000,2,'running',NULL,1795338002500000,NULL,1,NULL,NULL,'',NULL,'');
CREATE TABLE serial (value INTEGER NOT NULL);
INSERT INTO "serial" VALUES(17);
CREATE TABLE specs (task_id INTEGER PRIMARY KEY, spec TEXT NOT NULL);
INSERT INTO "specs" VALUES(4,'{"name": "report", "target": {"kind": "import", "module": "reports", "qualname": "report"}, "trigger": {"kind": "period", "start": "2026-11-22T09:00:00Z", "period": "1s", "from_now": true}, "schedule": {"period": "1s"}, "args": [], "kwargs": {}, "policies": {"overlap": "queue", "misfire": "run", "misfire_grace_us": 1000000, "timeout_us": null, "retries": 0, "threaded": false, "process": false}, "home": {"python": "/usr/bin/python3", "folder": "/srv/project", "setup": null}, "at_target": null}');
INSERT INTO "specs" VALUES(6,'{"name": "cleanup", "target": {"kind": "setup", "module": "tasks", "qualname": "cleanup"}, "trigger": {"kind": "period", "start": "2026-11-22T09:00:00Z", "period": "1s", "from_now": true}, "schedule": {"period": "1s"}, "args": [], "kwargs": {}, "policies": {"overlap": "skip", "misfire": "run", "misfire_grace_us": 1000000, "timeout_us": null, "retries": 0, "threaded": false, "process": false}, "home": {"python": "/usr/bin/python3", "folder": "/srv/project", "setup": "/srv/project/tasks.py"}, "at_target": null}');
CREATE TABLE tasks (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        due_us INTEGER,
        paused INTEGER NOT NULL,
        asks INTEGER NOT NULL,
        ending INTEGER NOT NULL DEFAULT 0,
        open_runs INTEGER NOT NULL DEFAULT 0,
        run_count INTEGER NOT NULL DEFAULT 0,
        error_count INTEGER NOT NULL DEFAULT 0,
        last_run_us INTEGER,
        last_state TEXT,
        last_error TEXT,
        epoch INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        idle_since_us INTEGER
    );
INSERT INTO "tasks" VALUES(4,'report',1795338003000000,0,0,0,1,1,1,1795338002500000,'failed',NULL,3,16,NULL);
INSERT INTO "tasks" VALUES(6,'cleanup',NULL,1,0,0,0,0,0,NULL,NULL,NULL,7,7,NULL);
CREATE UNIQUE INDEX names ON tasks (name) WHERE ending = 0;
CREATE INDEX idle ON tasks (id) WHERE due_us IS NULL AND asks = 0 AND paused = 0;
CREATE UNIQUE INDEX occurrences ON runs (task_id, epoch, due_us) WHERE due_us IS NOT NULL;
CREATE INDEX history ON runs (task_id);
CREATE INDEX open_runs ON runs (task_id) WHERE state IN ('queued', 'running');
CREATE INDEX unswept ON removed (task_id) WHERE swept = 0;
PRAGMA application_id = 1851945844;
PRAGMA user_version = 1;
COMMIT;
