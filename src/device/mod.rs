//! Opens hardware: the only room that does.

pub mod keymap;
