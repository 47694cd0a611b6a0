//! Changes to be written together.

use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Display, Formatter},
};

/// A record in JSON, or `None` if it is deleted.
type Record = Option<serde_json::Result<Vec<u8>>>;

/// Records as they are from now on, by table and key: `<table>/<key>`. A later change to a record takes the place of an
/// earlier one. `Debug` does not show the records, which can contain secrets.
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
