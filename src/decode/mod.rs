//! Turns what a reader sent into scans: bytes and a time in, scans out.
