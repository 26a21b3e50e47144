//! What a customer prefers, with where that is known from and since when.

use super::source::Source;
use super::time::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The value of a preference; its name is kept beside it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Preference {
    /// In the customer's words.
    pub value: String,
    /// `None`: it was kept before that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// When it was told; `None` likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated_at: Option<Timestamp>,
}

/// Both ways in which sections have it: the older is the value alone. Told apart as they are read: serde's `untagged` takes the whole in
/// first and fails at the one to try the other, and a scan reads some of these.
impl<'de> Deserialize<'de> for Preference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Kept)
    }
}

struct Kept;

impl<'de> Visitor<'de> for Kept {
    type Value = Preference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a preference: its value, or that with where it is known from")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Preference, E> {
        Ok(Preference { value: value.to_owned(), source: None, stated_at: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Preference, A::Error> {
        #[derive(Deserialize)]
        struct Stated {
            value: String,
            #[serde(default)]
            source: Option<Source>,
            #[serde(default)]
            stated_at: Option<Timestamp>,
        }
        let Stated { value, source, stated_at } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Preference { value, source, stated_at })
    }
}

/// Says nothing of what is preferred: it is personal.
impl fmt::Debug for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preference").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_kept_before_there_were_sources_is_read() {
        let old: Preference = serde_json::from_value(json!("none on paper")).unwrap();
        assert_eq!(old, Preference { value: "none on paper".to_owned(), source: None, stated_at: None });
        let new = Preference { source: Some(Source::Form), stated_at: Some(Timestamp(7)), ..old.clone() };
        for preference in [old, new] {
            let kept = serde_json::to_value(&preference).unwrap();
            assert_eq!(
                serde_json::from_slice::<Preference>(kept.to_string().as_bytes()).unwrap(),
                preference
            );
            assert_eq!(serde_json::from_value::<Preference>(kept).unwrap(), preference);
        }
        for not in [json!(null), json!(7), json!(["by post"])] {
            assert!(serde_json::from_value::<Preference>(not).is_err());
        }
        assert!(serde_json::from_value::<Preference>(json!({ "source": "FORM" })).is_err());
    }
}
