//! Who read what of whom: one line of the audit trail. It has numbers and names of fields, never what stands in them.

use super::id::{CustomerNumber, RegisterName};
use super::operator::Operator;
use serde::{Deserialize, Serialize};

/// Somebody was told personal data in answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalRead {
    /// The request, which says what it was read for.
    pub method: String,
    /// The user id of whoever asked.
    pub by: u32,
    /// Who was signed on there, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// What they may do, by the words of the protocol.
    pub roles: Vec<String>,
    /// The register that they spoke for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<RegisterName>,
    /// Of whom.
    pub customers: Vec<CustomerNumber>,
    /// Which fields and parts of an answer, by their names: the registry's, where they are in it.
    pub fields: Vec<String>,
    /// What a search went by: names of fields, never what was looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub searched_by: Vec<String>,
}
