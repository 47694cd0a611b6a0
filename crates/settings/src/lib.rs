//! The settings of this workspace's programs: keys of a TOML file and of the environment, which overrides it.
//!
//! A program describes its settings by serde types: a section is a struct with `#[serde(default, deny_unknown_fields)]`, and
//! a key is an `Option` in it. [`read`] fills them in, [`Report`] collects the faults, and [`keys`] lists the keys for the
//! documentation's tests. The variable of a key is its name in capital letters, with `_` for `.`, after the program's prefix.
//!
//! figment merges the layers and deserializes them. Its errors have the path and the kind of a fault apart from the value,
//! which could be a secret; those of config have the value in their text. figment reads no file and no variables here: its
//! reader of variables takes a password of digits for a number.
//!
//! Nothing here is an interface for others. It changes with the programs that use it.

mod environment;
mod read;
mod report;
mod values;

pub use environment::Environment;
pub use read::{Key, keys, read};
pub use report::{Fault, Program, ReadFile, Report, table};
pub use values::{List, SecretText, Whole};
