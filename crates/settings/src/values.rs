//! Types of values.

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use std::{
    fmt::{self, Debug, Display, Formatter},
    marker::PhantomData,
};

/// A whole number within bounds, which are part of the range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Whole<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer).ok();
        number
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("must be a whole number, {MIN} to {MAX}")))
    }
}

/// A list of texts, or a text with commas between its elements. Empty elements are left out.
#[derive(Clone, Debug)]
pub struct List<T>(Vec<T>);

impl<T> List<T> {
    /// Returns the elements.
    #[must_use]
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<'de, T> Deserialize<'de> for List<T>
where
    T: TryFrom<String>,
    T::Error: Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T> Visitor<'de> for ListVisitor<T>
where
    T: TryFrom<String>,
    T::Error: Display,
{
    type Value = List<T>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts, such as [\"one\", \"two\"]")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        if text.starts_with('[') {
            return Err(E::custom(
                "must be separated by commas, without brackets and quotes; remove them",
            ));
        }
        elements(text.split(',').map(str::trim).map(str::to_owned))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        elements(texts.into_iter())
    }
}

/// Converts all elements, or names every faulty one.
fn elements<T, E>(texts: impl Iterator<Item = String>) -> Result<List<T>, E>
where
    T: TryFrom<String>,
    T::Error: Display,
    E: Error,
{
    let (mut elements, mut faults) = (Vec::new(), Vec::new());
    for (index, text) in texts.filter(|text| !text.is_empty()).enumerate() {
        match T::try_from(text) {
            Ok(element) => elements.push(element),
            Err(reason) => faults.push(format!("element {} {reason}", index + 1)),
        }
    }
    if faults.is_empty() {
        Ok(List(elements))
    } else {
        Err(E::custom(faults.join("; ")))
    }
}

/// A text that `Debug` does not show.
#[derive(Clone, Deserialize, Eq, PartialEq)]
pub struct SecretText(String);

impl SecretText {
    /// Returns the text.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Debug for SecretText {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}
