//! Tells apart what a printer sends back: every byte is classified by its fixed bits.
//!
//! Sans-IO and total: any bytes in any pieces give some replies, never a panic. A byte that fits nothing is a
//! [`Reply::Stray`], counted by the caller, never taken for good news.
//! Source: Epson ESC/POS Command Reference, appendix on transmitted status; the masks as receiptio uses them.

/// The longest block reply kept: model names and process ids are far shorter.
pub const BLOCK_BYTES_MAX: usize = 128;

/// One thing a printer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The answer to a `DLE EOT`; which one, only the order tells.
    Status(u8),
    /// Automatic status: four bytes, sent at every change.
    Auto([u8; 4]),
    /// The answer to `GS r` (or `ESC v`): everything before it has been processed.
    Sensor(u8),
    /// The answer to `GS ( H` function 48: what came before this token is printed.
    ProcessId([u8; 4]),
    /// The answer to `GS ( k` function 182.
    QrSize {
        /// The symbol fits the print area.
        printable: bool,
    },
    /// The answer to `GS I`: maker or model.
    Text(Vec<u8>),
    /// A block reply of another kind.
    Block,
    /// The printer asks for a pause; the port obeys it, not the queue.
    XOff,
    /// The pause is over.
    XOn,
    /// A byte that fits nothing, or the rest of something cut short.
    Stray,
}

/// Turns bytes into replies. Holds at most one unfinished reply.
#[derive(Debug, Default)]
pub struct ReplyParser {
    held: Held,
}

#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Auto(Vec<u8>),
    Block(Vec<u8>),
}

impl ReplyParser {
    /// Takes one read; gives the replies that are complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Reply> {
        let mut replies = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut replies);
        }
        replies
    }

    /// Forgets an unfinished reply: the connection is a new one.
    pub fn reset(&mut self) {
        self.held = Held::Nothing;
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Reply>) {
        match byte {
            0x11 => return out.push(Reply::XOn),
            0x13 => return out.push(Reply::XOff),
            _ => {}
        }
        match std::mem::take(&mut self.held) {
            Held::Nothing => self.first(byte, out),
            Held::Auto(mut bytes) if byte & 0x90 == 0 => {
                bytes.push(byte);
                match <[u8; 4]>::try_from(bytes) {
                    Ok(bytes) => out.push(Reply::Auto(bytes)),
                    Err(bytes) => self.held = Held::Auto(bytes),
                }
            }
            Held::Block(bytes) if byte == 0 => out.push(block(&bytes)),
            Held::Block(mut bytes) if (0x1f..=0x7e).contains(&byte) && bytes.len() < BLOCK_BYTES_MAX => {
                bytes.push(byte);
                self.held = Held::Block(bytes);
            }
            Held::Auto(_) | Held::Block(_) => {
                out.push(Reply::Stray);
                self.first(byte, out);
            }
        }
    }

    fn first(&mut self, byte: u8, out: &mut Vec<Reply>) {
        match byte {
            _ if byte & 0x93 == 0x12 => out.push(Reply::Status(byte)),
            _ if byte & 0x93 == 0x10 => self.held = Held::Auto(vec![byte]),
            0x35 | 0x37 | 0x3b | 0x3d | 0x5f => self.held = Held::Block(vec![byte]),
            _ if byte & 0x90 == 0 => out.push(Reply::Sensor(byte)),
            _ => out.push(Reply::Stray),
        }
    }
}

/// `37 22 d1..d4` process id; `37 36 w 1F h 1F 31 1F f` QR size; `5F ..` maker or model.
fn block(bytes: &[u8]) -> Reply {
    match bytes {
        [0x37, 0x22, a, b, c, d] => Reply::ProcessId([*a, *b, *c, *d]),
        [0x37, 0x36, .., 0x1f, fits] => Reply::QrSize { printable: *fits == b'0' },
        [0x5f, text @ ..] => Reply::Text(text.to_vec()),
        _ => Reply::Block,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(bytes: &[u8], want: &[Reply]) {
        assert_eq!(ReplyParser::default().push(bytes), want);
    }

    #[test]
    fn each_kind() {
        check(&[0x12], &[Reply::Status(0x12)]);
        check(&[0x7e], &[Reply::Status(0x7e)]);
        check(&[0x10, 0, 0, 0], &[Reply::Auto([0x10, 0, 0, 0])]);
        check(&[0x18, 0, 0x0c, 0x0f], &[Reply::Auto([0x18, 0, 0x0c, 0x0f])]);
        check(&[0x00], &[Reply::Sensor(0)]);
        check(&[0x0c], &[Reply::Sensor(0x0c)]);
        check(b"\x37\x22ab12\0", &[Reply::ProcessId(*b"ab12")]);
        check(b"\x37\x36150\x1f150\x1f1\x1f0\0", &[Reply::QrSize { printable: true }]);
        check(b"\x37\x36900\x1f900\x1f1\x1f1\0", &[Reply::QrSize { printable: false }]);
        check(b"_EPSON\0", &[Reply::Text(b"EPSON".to_vec())]);
        check(&[0x13, 0x11], &[Reply::XOff, Reply::XOn]);
        check(&[0xff], &[Reply::Stray]);
    }

    #[test]
    fn a_broken_automatic_status_is_no_proof() {
        check(&[0x10, 0, 0x12, 0], &[Reply::Stray, Reply::Status(0x12), Reply::Sensor(0)]);
        check(&[0x10, 0x13, 0, 0, 0], &[Reply::XOff, Reply::Auto([0x10, 0, 0, 0])]);
        check(b"\x37\x22ab\x12", &[Reply::Stray, Reply::Status(0x12)]);
    }

    #[test]
    fn a_block_without_end_is_bounded() {
        let mut parser = ReplyParser::default();
        let replies = parser.push(&[b'_'; 1000]);
        assert!(!replies.is_empty() && replies.iter().all(|reply| *reply == Reply::Stray));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(bytes: Vec<u8>, at: proptest::sample::Index) {
            let whole = ReplyParser::default().push(&bytes);
            let (left, right) = bytes.split_at(at.index(bytes.len().saturating_add(1)));
            let mut parser = ReplyParser::default();
            let mut split = parser.push(left);
            split.extend(parser.push(right));
            prop_assert_eq!(whole, split);
        }
    }
}
