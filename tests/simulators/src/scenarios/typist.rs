//! A register that knows only a keyboard, judged by what reaches a reader of the typist's node.

use super::till::{self, OTHER_PRODUCT, PRODUCT};
use super::{STEP, Scenario, expect};
use crate::hid_pos::{self, Layout};
use crate::nodes::{self, Node};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, register};

pub(super) const SCENARIOS: &[Scenario] =
    &[Scenario { name: "typist/types-what-is-passed-on", play: what_is_passed_on_is_typed }];

/// What the typist's keyboard calls itself.
const KEYBOARD: &str = "Ficha typist";

/// A GTIN, a batch and a serial number, with the separator that a GS1 code has between two of them.
const GS1_CODE: &[u8] = b"010400638133393110B42\x1d21S7";

/// A product comes out as keys with Enter; a code with a control character not at all, and the next product is whole again.
fn what_is_passed_on_is_typed(trace: &Trace) -> Result<()> {
    let mut till = till::start("typist", register::TYPES, trace)?;
    till.register.wait_typist("ready", STEP)?;
    let mut screen = Node::open(&nodes::appears_as(KEYBOARD, STEP)?, false)?;
    let scanner = hid_pos::plug("SN-TYPED", Port(0), STEP, trace)?;
    till.register.wait_reader(&super::hid_pos::name(Layout::Honeywell, "SN-TYPED"), true, STEP)?;

    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    typed(PRODUCT, &mut screen)?;

    scanner.scan(*b"d2", GS1_CODE, STEP)?;
    till.register.wait_typist("refused", STEP)?;
    scanner.scan(*b"E0", OTHER_PRODUCT.as_bytes(), STEP)?;
    till.register.wait_typist("ready", STEP)?;
    typed(OTHER_PRODUCT, &mut screen)?;
    till.close()
}

/// Reads what is typed, which must be the digits of a product and Enter.
fn typed(product: &str, screen: &mut Node) -> Result<()> {
    // linux/input-event-codes.h: KEY_1 is 2, KEY_9 is 10, KEY_0 is 11, KEY_ENTER is 28
    let digits = product.chars().filter_map(|digit| digit.to_digit(10)).map(|digit| (digit + 9) % 10 + 2);
    let wanted: Vec<u32> = digits.chain([28]).collect();
    let mut keys = Vec::new();
    while keys.len() < wanted.len() {
        let events = screen.read(STEP)?.ok_or("the typist's keyboard went away")?;
        keys.extend(nodes::keys_pressed(&events).into_iter().map(u32::from));
    }
    expect("keys typed", &keys, &wanted)
}
