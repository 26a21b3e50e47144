//! Where the shop knows something of a customer from.

use serde::{Deserialize, Serialize};

/// Who or what it was told by. The words are those of `PlannedPurchase` and `Preference`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Source {
    /// An answer in a survey.
    Survey,
    /// A chat.
    Chat,
    /// A form.
    Form,
    /// The customer told a member of staff.
    Staff,
}
