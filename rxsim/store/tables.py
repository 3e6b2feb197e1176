"""The tables of a results file, and the statements that fill them."""

from __future__ import annotations

APPLICATION_ID = 0x7278736D  # "rxsm": tells a results file from other SQLite files
VERSION = 1

# `id` stands for a point's key in the trials: five numbers in place of 64 letters, five times.
SCHEMA = """
CREATE TABLE points (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    data TEXT,
    data_sha256 TEXT,
    metric TEXT NOT NULL,
    settings TEXT NOT NULL,
    details BLOB
);
CREATE TABLE trials (
    key TEXT NOT NULL UNIQUE,
    point INTEGER NOT NULL REFERENCES points (id),
    trial INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    accuracy REAL,
    top5 REAL,
    mse REAL,
    agreement REAL,
    snr_db REAL,
    relative_difference REAL,
    error TEXT,
    seconds REAL NOT NULL,
    finished TEXT NOT NULL,
    images INTEGER,
    hits BLOB,
    UNIQUE (point, trial)
);
CREATE TABLE sweeps (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
);
CREATE TABLE sweep_points (
    sweep TEXT NOT NULL REFERENCES sweeps (name),
    position INTEGER NOT NULL,
    point TEXT NOT NULL,
    axes TEXT,
    PRIMARY KEY (sweep, position)
) WITHOUT ROWID;
CREATE VIEW results AS
    SELECT points.model, points.data, trials.trial, trials.status, trials.accuracy, trials.top5,
        trials.mse, trials.agreement, trials.snr_db, trials.relative_difference, trials.seconds,
        trials.finished, trials.error, points.metric, points.settings, trials.images,
        points.key AS point, trials.key AS key, points.model_sha256, points.data_sha256
    FROM trials JOIN points ON points.id = trials.point;
"""

POINT_COLUMNS = ("key", "model", "model_sha256", "data", "data_sha256", "metric", "settings")
METRICS = ("accuracy", "top5", "mse", "agreement", "snr_db", "relative_difference")
TRIAL_COLUMNS = ("trial", "status", *METRICS, "error", "seconds", "finished", "images", "hits")

INSERT_POINT = (
    f"INSERT INTO points ({', '.join(POINT_COLUMNS)}, details) "
    f"VALUES ({', '.join('?' * len(POINT_COLUMNS))}, ?) ON CONFLICT (key) DO UPDATE "
    "SET details = excluded.details WHERE details IS NULL AND excluded.details IS NOT NULL"
)
"""Takes a point's columns and its details; a point that is there gets details that it lacked."""

# A finished trial stays as it is. Of two failures the later one stays, so that no order of adding or
# merging gives other rows.
INSERT_TRIAL = (
    f"INSERT INTO trials (key, point, {', '.join(TRIAL_COLUMNS)}) "
    f"VALUES (?, (SELECT id FROM points WHERE key = ?), {', '.join('?' * len(TRIAL_COLUMNS))}) "
    "ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in TRIAL_COLUMNS)
    + " WHERE trials.status = 'failed' AND (excluded.status = 'done' OR "
    "(excluded.finished, ifnull(excluded.error, '')) > (trials.finished, ifnull(trials.error, '')))"
)
"""Takes a trial's key, its point's key and its columns."""
