//! Errors of the data file.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    path::PathBuf,
};
use uuid::Uuid;

/// The reason why the file of `EmulatorBuilder::data` cannot be used.
///
/// Of the file's contents, it has the id of the resource at most.
#[derive(Debug)]
#[non_exhaustive]
pub enum DataError {
    /// Another emulator is using the file.
    InUse,
    /// The file is not an emulator's data file.
    NotADataFile,
    /// A newer version of the emulator wrote the file.
    NewerFormat,
    /// The file is of a resource with another id than the given one.
    OtherResource {
        /// The id in the file.
        stored: Uuid,
    },
    /// The file cannot be opened, read or written.
    Failed(Box<dyn Error + Send + Sync>),
}

impl DataError {
    /// The database in the file was changed or cut short by something else.
    #[cfg(feature = "persistence")]
    pub(crate) fn damaged_database() -> Self {
        Self::Failed("it is damaged, or was cut short; name another file".into())
    }

    /// The records of this name do not have the form that this version of the emulator writes.
    pub(crate) fn damaged(name: &str) -> Self {
        Self::Failed(format!("`{name}` is damaged; name another file").into())
    }
}

impl Display for DataError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another emulator is using it; stop that one, or name another file"),
            Self::NotADataFile => f.write_str("it is not a data file of the emulator; name another file"),
            Self::NewerFormat => {
                f.write_str("a newer version of the emulator wrote it; use that version, or name another file")
            }
            Self::OtherResource { stored } => write!(
                f,
                "it is of the resource {stored}; give no resource id or this one, or name another file"
            ),
            Self::Failed(source) => Display::fmt(source, f),
        }
    }
}

impl Error for DataError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(source) => Some(source.as_ref()),
            Self::InUse | Self::NotADataFile | Self::NewerFormat | Self::OtherResource { .. } => None,
        }
    }
}

/// A data file, and the reason why it cannot be used.
#[derive(Debug)]
pub(crate) struct DataFileError {
    pub(crate) path: PathBuf,
    pub(crate) source: DataError,
}
