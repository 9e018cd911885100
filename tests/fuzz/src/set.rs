//! The grammar of `--set` and its sisters.

use mizar_core::chart::set::{Filling, SetFlag, apply};
use serde_json::{Map, json};

/// The first byte chooses the flag, the rest is its text.
pub fn set(data: &[u8]) {
    let [kind, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let flag = [SetFlag::Json, SetFlag::Typed, SetFlag::Text, SetFlag::File][usize::from(kind % 4)];
    let mut values = Map::new();
    values.insert("a".into(), json!({"b": [1, {"c": null}], "d": "text"}));
    let mut read_file = |path: &str| if path.is_empty() { Err("no file".to_owned()) } else { Ok(path.to_uppercase()) };
    match apply(flag, text, &mut values, &mut Filling::default(), &mut read_file) {
        Ok(touched) => assert!(touched.iter().all(|path| !path.is_empty())),
        Err(error) => {
            crate::check(&error);
            assert!((1..=text.chars().count().max(1) + 1).contains(&error.position), "{error:?}");
        }
    }
}
