//! The records of a data file: those that it contains, and changes to them.

use crate::storage::{DataError, DataFileError};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Display, Formatter},
    path::PathBuf,
};

/// The table of the records that have a name instead of a key.
pub(crate) const SETTINGS: &str = "settings";

/// The records of a file. Without a file, there are no records. `Debug` leaves them out, as they can contain secrets.
#[derive(Default)]
pub(crate) struct Contents {
    path: PathBuf,
    /// JSON by table and key: `<table>/<key>`.
    records: BTreeMap<String, Vec<u8>>,
}

impl Contents {
    /// The records of a table with their keys, in the order of these.
    pub(crate) fn records<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<(&str, T)>, DataFileError> {
        let prefix = format!("{table}/");
        let from_table = self.records.range(prefix.clone()..);
        let records = from_table.map_while(|(path, json)| Some((path.strip_prefix(&prefix)?, json)));
        records.map(|(key, json)| Ok((key, self.parse(table, json)?))).collect()
    }

    /// The record of this name in [`SETTINGS`].
    pub(crate) fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DataFileError> {
        let json = self.records.get(&format!("{SETTINGS}/{name}"));
        json.map(|json| self.parse(name, json)).transpose()
    }

    /// Parses a record. serde's error is dropped, as it could contain a part of the record.
    fn parse<T: DeserializeOwned>(&self, name: &str, json: &[u8]) -> Result<T, DataFileError> {
        serde_json::from_slice(json).map_err(|_| self.damaged(name))
    }

    /// The error for a record that the emulator does not write.
    pub(crate) fn damaged(&self, name: &str) -> DataFileError {
        self.refused(DataError::damaged(name))
    }

    /// The error for a file that cannot be used.
    pub(crate) fn refused(&self, source: DataError) -> DataFileError {
        let path = self.path.clone();
        DataFileError { path, source }
    }
}

#[cfg(any(test, feature = "persistence"))]
impl Contents {
    pub(crate) fn new(path: PathBuf, records: BTreeMap<String, Vec<u8>>) -> Self {
        Self { path, records }
    }
}

impl Debug for Contents {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("path", &self.path)
            .field("records", &self.records.keys())
            .finish()
    }
}

/// A record in JSON, or `None` if it is deleted.
type Record = Option<serde_json::Result<Vec<u8>>>;

/// New versions of records, by table and key: `<table>/<key>`. A later change of a record replaces an earlier one.
/// `Debug` leaves the records out, which can contain secrets.
#[derive(Default)]
pub(crate) struct Changes(BTreeMap<String, Record>);

impl Changes {
    pub(crate) fn put(&mut self, table: &str, key: impl Display, record: &impl Serialize) {
        self.0
            .insert(format!("{table}/{key}"), Some(serde_json::to_vec(record)));
    }

    pub(crate) fn delete(&mut self, table: &str, key: impl Display) {
        self.0.insert(format!("{table}/{key}"), None);
    }
}

#[cfg(feature = "persistence")]
impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds later changes.
    pub(crate) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The records in the order of their paths.
    pub(crate) fn into_records(self) -> impl Iterator<Item = (String, Record)> {
        self.0.into_iter()
    }
}

impl Debug for Changes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
