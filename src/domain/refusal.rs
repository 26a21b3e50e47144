//! A request that is not granted: what is wrong, where, and what to do next.

use super::id::CustomerNumber;
use serde::Serialize;

/// Answered instead of a result. On the wire it becomes a JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What a program does about it.
    #[serde(skip)]
    pub code: RefusalCode,
    /// What a person does about it: lower case, no full stop, never a card code, name, phone or address.
    pub message: String,
    /// The field of the request that is wrong, as a dotted path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The number that stands for the one that was named: that was merged into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerNumber>,
}

/// One code for each thing that a caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalCode {
    /// JSON-RPC -32700: what came is not JSON in UTF-8.
    NotJson,
    /// JSON-RPC -32600: send a proper request.
    InvalidRequest,
    /// JSON-RPC -32601: this method does not exist here.
    UnknownMethod,
    /// JSON-RPC -32602: mend the named field and send again.
    InvalidParams,
    /// JSON-RPC -32603: a fault of ours; the log has it.
    Internal,
    /// The caller's role does not allow it.
    Forbidden,
    /// Nothing is known under that id.
    NotFound,
    /// The same idempotency key was used with another body, or the state has moved on.
    Conflict,
    /// A queue is full or a budget is spent: wait and try again.
    Busy,
    /// The store takes no writes (disk full, failed sync, still starting); reading and products go on.
    ReadOnly,
    /// The vault's key is not there: no names, no personal writes.
    Locked,
}

impl RefusalCode {
    /// The number in the JSON-RPC error object: the reserved ones as reserved, ours from -32000 down.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::NotJson => -32700,
            Self::InvalidRequest => -32600,
            Self::UnknownMethod => -32601,
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
            Self::Forbidden => -32001,
            Self::NotFound => -32002,
            Self::Conflict => -32003,
            Self::Busy => -32004,
            Self::ReadOnly => -32005,
            Self::Locked => -32006,
        }
    }

    /// The word beside the number, in `error.data.reason`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::InvalidRequest => "invalid_request",
            Self::UnknownMethod => "unknown_method",
            Self::InvalidParams => "invalid_params",
            Self::Internal => "internal",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::ReadOnly => "read_only",
            Self::Locked => "vault_locked",
        }
    }
}

impl Refusal {
    /// A refusal that names no field.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, customer: None }
    }

    /// What was asked for cannot be done as things are: `field` names what stands in the way.
    pub fn conflict(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(RefusalCode::Conflict, message) }
    }

    /// A wrong field: `field` as a dotted path, `message` saying what would be right.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(RefusalCode::InvalidParams, message) }
    }
}
