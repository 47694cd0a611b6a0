//! Whether a file is as long as its header says.

use crate::data_error::DataError;
use redb::{StorageBackend, backends::FileBackend};
use std::io;

/// What every database of redb begins with.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// Where the lengths begin, which are numbers of 32 bits.
const LENGTHS: u64 = 12;

/// Refuses a database that was cut short, where redb would panic. What is no database passes.
pub(super) fn check_length(file: &FileBackend) -> Result<(), DataError> {
    match is_complete(file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(DataError::Failed(
            "it is damaged, as it was cut short; name another file".into(),
        )),
        Err(error) => Err(DataError::Failed(error.into())),
    }
}

fn is_complete(file: &FileBackend) -> io::Result<bool> {
    let len = file.len()?;
    if len < MAGIC.len() as u64 || file.read(0, MAGIC.len())? != MAGIC {
        return Ok(true);
    }
    let mut lengths = [[0; 4]; 5];
    if len < LENGTHS + lengths.as_flattened().len() as u64 {
        return Ok(false);
    }
    let read = file.read(LENGTHS, lengths.as_flattened().len())?;
    lengths.as_flattened_mut().copy_from_slice(&read);
    Ok(expected(lengths.map(u32::from_le_bytes)).is_some_and(|expected| expected <= len))
}

/// The length of a database: one page for the header, then regions, each of which begins with pages of its own. The last
/// region can have fewer data pages than the others. `None` if there is no region.
fn expected([page, region_header, region_data, regions, last_region_data]: [u32; 5]) -> Option<u64> {
    let [page, region_header, region_data, regions, last_region_data] =
        [page, region_header, region_data, regions, last_region_data].map(u64::from);
    let last_region = if last_region_data == 0 {
        0
    } else {
        region_header + last_region_data
    };
    let in_regions = regions
        .checked_mul(region_header + region_data)?
        .checked_add(last_region)?;
    let expected = page.checked_mul(in_regions.checked_add(1)?)?;
    (expected > page).then_some(expected)
}
