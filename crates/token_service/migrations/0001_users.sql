-- For SQLite and PostgreSQL alike. Times are microseconds since 1970. An app's user is named as its issuer names them.

-- One row for each user with an identity, or with a claim: the identity is being created by the claim's holder.
CREATE TABLE users (
    user_id TEXT NOT NULL PRIMARY KEY,
    identity TEXT UNIQUE,
    generation BIGINT NOT NULL DEFAULT 0,
    claimed_by TEXT,
    claimed_until BIGINT,
    created_at BIGINT NOT NULL,
    CHECK ((identity IS NULL) = (claimed_by IS NOT NULL)),
    CHECK ((identity IS NULL) = (claimed_until IS NOT NULL))
);

CREATE INDEX claims ON users (claimed_until) WHERE identity IS NULL;

-- Identities to delete; without a user if they never had one.
CREATE TABLE retired (
    identity TEXT NOT NULL PRIMARY KEY,
    user_id TEXT,
    retired_at BIGINT NOT NULL
);

CREATE INDEX retired_of_user ON retired (user_id);
CREATE INDEX retired_since ON retired (retired_at);

-- The last token for a set of scopes, with the mapping that it was issued under.
CREATE TABLE tokens (
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    identity TEXT NOT NULL,
    generation BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    expires_on BIGINT NOT NULL,
    PRIMARY KEY (user_id, scopes)
);

CREATE INDEX expired_tokens ON tokens (expires_on);
