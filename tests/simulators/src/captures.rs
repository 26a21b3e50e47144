//! The captures of `tests/captures/`: their report descriptors are those of the makers' manuals, so the simulators have
//! the same ones and not a copy.

/// The report descriptor of a capture's text.
#[must_use]
pub fn descriptor(text: &str) -> Vec<u8> {
    let line = text.lines().find_map(|line| line.strip_prefix("# descriptor: ")).unwrap_or_default();
    hex(line)
}

/// The first read of a capture's text.
#[must_use]
pub fn first_read(text: &str) -> Vec<u8> {
    let line = text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
    hex(line.split_once(' ').unwrap_or_default().1)
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect()
}
