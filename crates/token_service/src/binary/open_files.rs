//! The limit on open files, which bounds connections.

use tracing::warn;

/// The limit of the operators' connections. It is theirs alone, so that probes pass under any load of callers.
pub(crate) const OPERATIONS_CONNECTIONS: usize = 64;
/// The files of a connection to the database: SQLite has three.
const FILES_PER_DATABASE_CONNECTION: usize = 3;
/// The files of everything else: connections to Azure and to the issuer, the log, the runtime, and what is not foreseen.
const OTHER_FILES: usize = 256;
/// The fewest connections, with which the service is still of use.
const MIN_CONNECTIONS: usize = 16;

/// Raises the limit on open files to what `connections` need beside everything else, as far as the system allows it. Returns
/// the connections for which there is room.
pub(crate) fn room(connections: usize, database_connections: u32) -> usize {
    let others = others(database_connections);
    let needed = u64::try_from(connections.saturating_add(others)).unwrap_or(u64::MAX);
    // Without an answer of the system, there is no other figure than that of the configuration.
    let limit = rlimit::increase_nofile_limit(needed).unwrap_or(needed);
    let room = within(limit, connections, others);
    if room < connections {
        warn!(
            limit,
            needed,
            connections = room,
            "the limit on open files allows fewer connections than limits.connections: raise it, such as by LimitNOFILE of \
             systemd, or lower limits.connections"
        );
    }
    room
}

fn others(database_connections: u32) -> usize {
    let database = usize::try_from(database_connections).unwrap_or(usize::MAX);
    database
        .saturating_mul(FILES_PER_DATABASE_CONNECTION)
        .saturating_add(OPERATIONS_CONNECTIONS + OTHER_FILES)
}

fn within(limit: u64, connections: usize, others: usize) -> usize {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    limit.saturating_sub(others).max(MIN_CONNECTIONS).min(connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        assert_eq!(others(8), 24 + 64 + 256);
        for (limit, connections, room) in [
            (1_048_576, 2000, 2000),
            (2344, 2000, 2000),
            (2343, 2000, 1999),
            (1024, 2000, 680),
            (64, 2000, 16),
            (0, 20, 16),
            (u64::MAX, 1_000_000, 1_000_000),
        ] {
            assert_eq!(within(limit, connections, others(8)), room, "{limit}");
        }
    }
}
