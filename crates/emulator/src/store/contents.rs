//! What a file contains.

use crate::{data_error::DataError, error::EmulatorError, store::SETTINGS};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Formatter},
    path::PathBuf,
};

/// The records of a file. There are none if there is no file. `Debug` does not show them, as they can contain secrets.
#[derive(Default)]
pub(crate) struct Contents {
    path: PathBuf,
    /// JSON by table and key: `<table>/<key>`.
    records: BTreeMap<String, Vec<u8>>,
}

impl Contents {
    /// The records of a table with their keys, in the order of these.
    pub(crate) fn records<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<(&str, T)>, EmulatorError> {
        let prefix = format!("{table}/");
        let from_table = self.records.range(prefix.clone()..);
        let records = from_table.map_while(|(path, json)| Some((path.strip_prefix(&prefix)?, json)));
        records.map(|(key, json)| Ok((key, self.parse(table, json)?))).collect()
    }

    /// A record of which there is only one.
    pub(crate) fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, EmulatorError> {
        let json = self.records.get(&format!("{SETTINGS}/{name}"));
        json.map(|json| self.parse(name, json)).transpose()
    }

    /// serde's error could contain a part of the record.
    fn parse<T: DeserializeOwned>(&self, name: &str, json: &[u8]) -> Result<T, EmulatorError> {
        serde_json::from_slice(json).map_err(|_| self.damaged(name))
    }

    /// The error if what is kept under this name is not what the emulator writes.
    pub(crate) fn damaged(&self, name: &str) -> EmulatorError {
        self.refused(DataError::damaged(name))
    }

    /// The error if the file cannot be used.
    pub(crate) fn refused(&self, source: DataError) -> EmulatorError {
        let path = self.path.clone();
        EmulatorError::Data { path, source }
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
