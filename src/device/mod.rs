//! Opens hardware: the only room that does.
