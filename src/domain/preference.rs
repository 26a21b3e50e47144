//! What a customer prefers, with where that is known from and since when.

use super::source::Source;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of a preference; its name is kept beside it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept")]
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

/// Both ways in which sections have it: the first is the older.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Value(String),
    Stated {
        value: String,
        #[serde(default)]
        source: Option<Source>,
        #[serde(default)]
        stated_at: Option<Timestamp>,
    },
}

impl From<Kept> for Preference {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Value(value) => Self { value, source: None, stated_at: None },
            Kept::Stated { value, source, stated_at } => Self { value, source, stated_at },
        }
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
            assert_eq!(serde_json::from_value::<Preference>(kept).unwrap(), preference);
        }
        assert!(serde_json::from_value::<Preference>(json!({ "source": "FORM" })).is_err());
    }
}
