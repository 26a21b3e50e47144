//! The nouns and their rules: what a card, a customer, a scan and an issue *are*.
//!
//! Pure: no clock, no file, no socket, no randomness of its own. Every other room may name this
//! one; it names none. What can happen is [`event`], the vocabulary of the journals.

pub mod audit;
pub mod breach;
pub mod business;
pub mod card;
pub mod code;
pub mod consent;
pub mod contact;
pub mod contest;
pub mod credit;
pub mod customer;
pub mod event;
pub mod id;
pub mod issue;
pub mod level;
pub mod lost;
pub mod money;
pub mod months;
pub mod operator;
pub mod person;
pub mod plan;
pub mod points;
pub mod preference;
pub mod purchase;
pub mod refusal;
pub mod reward;
pub mod scan;
pub mod settings;
pub mod source;
pub mod survey;
pub mod time;
pub mod worth;
