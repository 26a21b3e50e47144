//! HID readers: what a device says it is, and the reports of bar-code scanners.
//!
//! Goes by the report descriptor alone, never by offsets or by who made the device: three makers put the same
//! things at three places. Magnetic stripe reports are read in [`magstripe`](super::magstripe).

mod descriptor;
mod parse;
mod scanner;

pub use descriptor::{
    DESCRIPTOR_BYTES_MAX, Descriptor, DescriptorError, Field, Kind, REPORT_BYTES_MAX, Usage,
};
pub use scanner::{CONTINUED_WAIT, Scanner};

use super::magstripe::Layout;

/// What a device is for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A bar-code scanner in HID POS mode: taken by itself.
    HidPosScanner,
    /// A magnetic stripe reader that does not pretend to be a keyboard: taken by itself.
    Magstripe {
        /// How its reports are laid out.
        layout: Layout,
    },
    /// A keyboard: perhaps a scanner, perhaps the cashier's. A candidate only.
    Keyboard,
    /// Nothing that reads cards.
    Other,
}

impl Role {
    /// The word for udev's `FICHAD_ROLE` (udev/70-fichad.rules).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::HidPosScanner => "hidpos",
            Self::Magstripe { .. } => "msr",
            Self::Keyboard => "keyboard",
            Self::Other => "other",
        }
    }
}

/// The HID usage page of bar-code scanners (HID Point of Sale Usage Tables 1.02).
pub const PAGE_SCANNER: u16 = 0x8c;
const BARCODE_SCANNER: Usage = Usage::new(PAGE_SCANNER, 0x02);
const KEYBOARD: Usage = Usage::new(0x01, 0x06);

/// What the device with this descriptor is, by its top-level collections. A device that is several things is the first
/// of scanner, magnetic stripe reader and keyboard.
///
/// # Errors
/// [`DescriptorError`] for a descriptor that is broken.
pub fn find_role(descriptor: &[u8]) -> Result<Role, DescriptorError> {
    Ok(role_of(&Descriptor::parse(descriptor)?))
}

/// The same for a descriptor already read.
#[must_use]
pub fn role_of(descriptor: &Descriptor) -> Role {
    if Scanner::new(descriptor).is_some() {
        Role::HidPosScanner
    } else if let Some(layout) = Layout::find(descriptor) {
        Role::Magstripe { layout }
    } else if descriptor.tops.contains(&KEYBOARD) {
        Role::Keyboard
    } else {
        Role::Other
    }
}
