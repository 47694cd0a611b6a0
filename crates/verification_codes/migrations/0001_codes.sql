-- For SQLite and PostgreSQL alike. Times are microseconds since 1970, by the clock of the database.

-- One row for each code whose message a watcher has handled, or is handling. Its state decides until it expires.
CREATE TABLE verification_codes (
    code_hash TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('valid', 'used', 'expired')),
    -- The claim of a watcher that handles the message, until it is done.
    claimed_by TEXT,
    claimed_until BIGINT,
    -- The claims whose watcher has not returned from its work.
    unfinished_claims BIGINT NOT NULL,
    CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);

CREATE INDEX expiry_of_codes ON verification_codes (expires_at);

-- The attempts of each caller at one operation: the time at which they have their full quota again.
CREATE TABLE verification_attempts (
    caller_hash TEXT NOT NULL PRIMARY KEY,
    restored_at BIGINT NOT NULL
);
