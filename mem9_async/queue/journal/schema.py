"""The journal's tables. Text only: file.py is the one that runs it."""

APPLICATION_ID = 0x6D656D39  # "mem9"
VERSION = 6

# auto_vacuum takes effect only before the first table exists. The file is ours alone (ownership):
# EXCLUSIVE spares the locks of every commit and the shared-memory file.
PRAGMAS = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = {synchronous};
PRAGMA busy_timeout = 5000;
PRAGMA journal_size_limit = 16777216;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cell_size_check = ON;
"""

# jobs.seq is the order of delivery. We assign it: adopted jobs go below our own.
# jobs.state: 0 available, 1 in a batch, 2 taken by mem9 and watched, 4 dead, 5 cancelled.
# history.jobs: job ids of 16 bytes, one after the other. holds.digest: a space's, empty for all.
# ingests.ingest_job: what the server calls its own job of a taken batch, where it has such jobs.
# observed.digest: an event's, of an agent's run; its row outlives the job that it became.
# batches.state: 1 in flight, 2 retryable, 3 taken; it tells the state of the batch's jobs.
TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE spaces (
    space_id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE owners (
    digest BLOB NOT NULL,
    space_id INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    PRIMARY KEY (digest, space_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE parks (
    space_id INTEGER PRIMARY KEY REFERENCES spaces ON DELETE CASCADE,
    reason TEXT NOT NULL,
    parked_at REAL NOT NULL,
    until REAL NOT NULL,
    step INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE lanes (
    lane_id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    space_id INTEGER NOT NULL REFERENCES spaces,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX lanes_by_space ON lanes (space_id);
CREATE TABLE batches (
    batch_row INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id BLOB NOT NULL UNIQUE,
    lane_id INTEGER NOT NULL REFERENCES lanes,
    state INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    first_attempt_at REAL NOT NULL,
    due_at REAL NOT NULL,
    maybe_sent INTEGER NOT NULL,
    from_split INTEGER NOT NULL,
    sealed_outcome BLOB
) STRICT;
CREATE TABLE takes (
    batch_row INTEGER PRIMARY KEY,
    taken_at REAL NOT NULL,
    first_taken_at REAL NOT NULL,
    resends INTEGER NOT NULL,
    lost_for TEXT
) STRICT;
CREATE TABLE ingests (batch_row INTEGER PRIMARY KEY, ingest_job TEXT NOT NULL) STRICT;
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    job_id BLOB NOT NULL UNIQUE,
    lane_id INTEGER NOT NULL REFERENCES lanes,
    state INTEGER NOT NULL,
    batch_row INTEGER,
    pinned INTEGER NOT NULL,
    size INTEGER NOT NULL,
    deaths INTEGER NOT NULL DEFAULT 0,
    accepted_at REAL NOT NULL,
    parked_s REAL NOT NULL DEFAULT 0,
    finished_at REAL,
    dedup BLOB NOT NULL,
    sealed BLOB NOT NULL,
    sealed_outcome BLOB
) STRICT;
CREATE TABLE refs (job_id BLOB PRIMARY KEY, reference TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE holds (digest BLOB PRIMARY KEY, since REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE observed (
    digest BLOB PRIMARY KEY,
    job_id BLOB NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX observed_by_time ON observed (at);
CREATE TABLE history (
    n INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    batch_id TEXT,
    jobs BLOB NOT NULL,
    space TEXT NOT NULL,
    lane TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_by_lane ON jobs (lane_id, state, seq, size, accepted_at);
CREATE UNIQUE INDEX jobs_waiting_once ON jobs (lane_id, dedup) WHERE state = 0;
CREATE INDEX jobs_by_batch ON jobs (batch_row) WHERE batch_row IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
"""
