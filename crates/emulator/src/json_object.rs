//! JSON objects, without the arrays that serde accepts in their place.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{
    fmt::{self, Formatter},
    marker::PhantomData,
};

/// A value that is read from a JSON object only. serde alone also reads a struct from an array, by position.
pub(crate) struct JsonObject<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_read() {
        #[derive(Deserialize)]
        struct Point {
            x: i32,
            y: Option<i32>,
        }

        let read = |text: &str| {
            let point = serde_json::from_str::<JsonObject<Point>>(text).ok();
            point.map(|JsonObject(Point { x, y })| (x, y))
        };
        assert_eq!(read(r#"{"y":2,"z":[3],"x":1}"#), Some((1, Some(2))));
        assert_eq!(read(r#"{"x":1}"#), Some((1, None)));
        for bad in ["[1,2]", "[1]", "[]", "null", "1", r#"{"y":2}"#, r#"{"x":1}x"#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
