//! The database in a file.

use crate::storage::{Changes, DataError};
use redb::{
    Builder, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError, TableDefinition, TableError,
    backends::FileBackend,
};
use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, OpenOptions},
    io::ErrorKind,
    ops::Bound,
    path::Path,
};
#[cfg(unix)]
use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
};

/// The version of the tables and records that follow. It changes when an earlier emulator would misread them.
const FORMAT: u64 = 1;

const FORMATS: TableDefinition<'_, &str, u64> = TableDefinition::new("acs_identity_emulator");
/// The only row of [`FORMATS`].
const VERSION: &str = "format";
/// JSON by table and key: `<table>/<key>`.
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");

/// Read and write for the owner only.
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o600;

/// The end of a file's name while it is created.
const INCOMPLETE: &str = ".incomplete";

/// Bytes of pages in memory. The emulator reads every record once, when it starts.
const CACHE_SIZE: usize = 8 * 1024 * 1024;

/// An open database. Another process cannot open it.
pub(super) struct Database(redb::Database);

impl Database {
    /// Opens the database in a file, and creates both if there is no such file.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        if path.try_exists().map_err(failed)? {
            Self::of(file(path)?)
        } else if path.is_symlink() {
            // Creating a file would replace the link.
            Err(failed(
                "it is a link to a file that does not exist; create an empty file there, or name another file",
            ))
        } else {
            Self::create(path)
        }
    }

    /// Creates the database under another name first, so that a process that is killed meanwhile does not leave half of
    /// it under this one.
    fn create(path: &Path) -> Result<Self, DataError> {
        let mut incomplete = path.as_os_str().to_owned();
        incomplete.push(INCOMPLETE);
        let file = file(incomplete.as_ref())?;
        clear(&file, path)?;
        let database = Self::of(file)?;
        refuse_existing(path)?;
        fs::rename(&incomplete, path).map_err(failed)?;
        #[cfg(unix)]
        sync_directory(path).map_err(failed)?;
        Ok(database)
    }

    /// Locks and opens the database in a file, which is a new one if the file is empty.
    fn of(file: FileBackend) -> Result<Self, DataError> {
        let database = Builder::new().set_cache_size(CACHE_SIZE).create_with_backend(file);
        let database = Self(database.map_err(refused)?);
        database.check_format()?;
        Ok(database)
    }

    /// Refuses a database of something else or of another format, and marks a new one.
    fn check_format(&self) -> Result<(), DataError> {
        let reader = self.0.begin_read().map_err(failed)?;
        match reader.open_table(FORMATS) {
            Ok(formats) => match formats.get(VERSION).map_err(failed)?.map(|version| version.value()) {
                Some(FORMAT) => Ok(()),
                Some(version) if version > FORMAT => Err(DataError::NewerFormat),
                _ => Err(DataError::NotADataFile),
            },
            Err(TableError::TableDoesNotExist(_)) if reader.list_tables().map_err(failed)?.next().is_none() => {
                self.mark().map_err(DataError::Failed)
            }
            Err(TableError::Storage(error)) => Err(failed(error)),
            Err(_) => Err(DataError::NotADataFile),
        }
    }

    fn mark(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let writer = self.0.begin_write()?;
        writer.open_table(FORMATS)?.insert(VERSION, FORMAT)?;
        writer.open_table(RECORDS)?;
        Ok(writer.commit()?)
    }

    /// All records.
    pub(super) fn read(&self) -> Result<BTreeMap<String, Vec<u8>>, Box<dyn Error + Send + Sync>> {
        let records = self.0.begin_read()?.open_table(RECORDS)?;
        let records = records.iter()?.map(|record| {
            let (path, json) = record?;
            Ok((path.value().to_owned(), json.value().to_vec()))
        });
        records.collect()
    }

    /// Writes changes. All of them, or none if it fails, are on the disk when this returns.
    pub(super) fn commit(&self, changes: Changes) -> Result<(), Box<dyn Error + Send + Sync>> {
        let writer = self.0.begin_write()?;
        {
            let mut records = writer.open_table(RECORDS)?;
            for (path, record) in changes.into_records() {
                match record {
                    Some(json) => records.insert(path.as_str(), json?.as_slice())?,
                    None => records.remove(path.as_str())?,
                };
            }
        }
        Ok(writer.commit()?)
    }
}

/// Opens a file, and creates it if it does not exist. It will contain secrets, so only the owner may read it, even if
/// it existed and was empty.
fn file(path: &Path) -> Result<FileBackend, DataError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    OpenOptionsExt::mode(&mut options, OWNER_ONLY);
    let file = FileBackend::new(options.open(path).map_err(failed)?).map_err(failed)?;
    #[cfg(unix)]
    if file.len().map_err(failed)? == 0 {
        fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY)).map_err(failed)?;
    }
    Ok(file)
}

/// Empties the file of a database that a killed process has not completed. Refuses one that another process has open.
fn clear(incomplete: &FileBackend, path: &Path) -> Result<(), DataError> {
    if !incomplete
        .try_lock_range(Bound::Unbounded, Bound::Unbounded)
        .map_err(failed)?
    {
        return Err(DataError::InUse);
    }
    refuse_existing(path)?;
    incomplete.set_len(0).map_err(failed)?;
    // The database takes its own lock.
    incomplete
        .unlock_range(Bound::Unbounded, Bound::Unbounded)
        .map_err(failed)
}

/// Refuses to create a file that another emulator has just created, as the open file may be that one.
fn refuse_existing(path: &Path) -> Result<(), DataError> {
    if path.try_exists().map_err(failed)? {
        return Err(DataError::InUse);
    }
    Ok(())
}

/// Syncs the directory of a file, so that the new name survives a crash of the machine.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Maps the error of a database that does not open. No emulator has written a file format older than redb's third.
fn refused(error: DatabaseError) -> DataError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => DataError::InUse,
        DatabaseError::UpgradeRequired(_) => DataError::NotADataFile,
        DatabaseError::Storage(StorageError::Corrupted(_)) => DataError::damaged_database(),
        DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
            ErrorKind::InvalidData => DataError::NotADataFile,
            ErrorKind::UnexpectedEof => DataError::damaged_database(),
            _ => failed(error),
        },
        error => failed(error),
    }
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> DataError {
    DataError::Failed(error.into())
}
