//! Families of devices that somebody looked into: what their ids say about the mode they are in.
//!
//! Data. Nothing is taken or left because of it (that goes by the descriptor and by the config); it only lets `ficha
//! devices` say more than a number. A family has a line here, a block in `udev/70-fichad.rules`, a page in
//! `hardware-notes/` and a capture under `tests/captures/`; a test counts them.
//!
//! Ids: Debian's usb.ids of 2025-07-26 and the manuals named on the pages.

/// How a device presents itself. Each mode has a product id of its own, so changing it is plugging in another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Types as a keyboard.
    Keyboard,
    /// A serial port over USB.
    Serial,
    /// HID POS scanner: the mode to have.
    HidPos,
    /// A magnetic stripe reader with reports of its own.
    Magstripe,
    /// A receipt printer.
    Printer,
    /// A protocol of the maker or of IBM registers, which is not read here.
    Foreign,
}

/// Product ids that mean a mode: those whose bits under `mask` are `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// Which bits of the product id count.
    pub mask: u16,
    /// What they are.
    pub value: u16,
    /// What that means.
    pub mode: Mode,
}

/// A family of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Short name, also of the page: `hardware-notes/NAME.md`.
    pub name: &'static str,
    /// The makers' names, for people.
    pub maker: &'static str,
    /// USB vendor ids.
    pub vendors: &'static [u16],
    /// Product ids with a known mode.
    pub ids: &'static [Ids],
    /// What to do about the mode, if it is not the best one; a sentence for the installer.
    pub hint: &'static str,
    /// A capture of one: `tests/captures/CAPTURE.hex`.
    pub capture: &'static str,
}

const fn one(value: u16, mode: Mode) -> Ids {
    Ids { mask: 0xffff, value, mode }
}

/// Every family, one entry each.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "zebra",
        maker: "Zebra (Symbol)",
        vendors: &[0x05e0],
        ids: &[
            one(0x0600, Mode::Serial),
            one(0x1200, Mode::Keyboard),
            one(0x1300, Mode::Foreign),
            one(0x1400, Mode::Foreign),
            one(0x1701, Mode::Serial),
            one(0x1900, Mode::Foreign),
        ],
        hint: "scan `USB CDC` or, where the model has it, `HID POS` from its manual",
        capture: "keyboard/zebra-enter",
    },
    Profile {
        name: "honeywell",
        maker: "Honeywell (Metrologic, Hand Held Products, Youjie)",
        vendors: &[0x0c2e, 0x0536, 0x23d0],
        ids: &[
            one(0x0007, Mode::Foreign),
            one(0x0200, Mode::Keyboard),
            one(0x0204, Mode::Keyboard),
            one(0x0700, Mode::Serial),
            one(0x0720, Mode::Serial),
            one(0x0b87, Mode::HidPos),
            one(0x1007, Mode::HidPos),
        ],
        hint: "scan `USB HID Bar Code Scanner` (terminal id 131) from its manual",
        capture: "hidpos/honeywell-ean13",
    },
    Profile {
        name: "newland",
        maker: "Newland",
        vendors: &[0x1eab],
        ids: &[
            Ids { mask: 0x00ff, value: 0x03, mode: Mode::Keyboard },
            Ids { mask: 0x00ff, value: 0x06, mode: Mode::Serial },
            Ids { mask: 0x00ff, value: 0x10, mode: Mode::HidPos },
        ],
        hint: "scan `HID-POS` from its manual",
        capture: "hidpos/newland-code128",
    },
    Profile {
        name: "datalogic",
        maker: "Datalogic (PSC)",
        vendors: &[0x05f9],
        ids: &[one(0x2206, Mode::Keyboard), one(0x4204, Mode::Serial)],
        hint: "scan `USB-COM-STD` from its manual",
        capture: "keyboard/datalogic-tab",
    },
    Profile {
        name: "magtek",
        maker: "MagTek",
        vendors: &[0x0801],
        ids: &[one(0x0001, Mode::Keyboard), one(0x0002, Mode::Magstripe)],
        hint: "keyboard and HID are ordered as two models; some change with MagTek's own program",
        capture: "msr/magtek-three-tracks",
    },
    Profile {
        name: "idtech",
        maker: "ID TECH",
        vendors: &[0x0acd],
        ids: &[one(0x0630, Mode::Serial)],
        hint: "set `USB HID, ID TECH format` with the maker's configuration program",
        capture: "msr/idtech-minimag",
    },
    Profile {
        name: "epson-tm",
        maker: "Epson TM",
        vendors: &[0x04b8],
        ids: &[one(0x0202, Mode::Printer), one(0x0e03, Mode::Printer), one(0x0e15, Mode::Printer)],
        hint: "set the USB port to printer class with the maker's utility",
        capture: "printer/epson-tm-card",
    },
];

/// Readers with a laser or a line of pixels, which see bars and no QR code: Debian's usb.ids and the makers' manuals.
const BARS_ALONE: [(u16, u16); 6] = [
    (0x05e0, 0x0700), // Symbol CS1504
    (0x0c2e, 0x0007), // Metrologic MS7120, in each of its modes
    (0x0c2e, 0x0200),
    (0x0c2e, 0x0204),
    (0x0c2e, 0x0700),
    (0x0c2e, 0x0720),
];

/// Whether a device of these ids is known to see bars and no QR code.
#[must_use]
pub fn sees_bars_alone(vendor: u16, product: u16) -> bool {
    BARS_ALONE.contains(&(vendor, product))
}

/// The family of a device, and the mode that its product id means, if that is known.
#[must_use]
pub fn find(vendor: u16, product: u16) -> Option<(&'static Profile, Option<Mode>)> {
    let profile = PROFILES.iter().find(|profile| profile.vendors.contains(&vendor))?;
    let ids = profile.ids.iter().find(|ids| product & ids.mask == ids.value);
    Some((profile, ids.map(|ids| ids.mode)))
}

/// What to tell about a device of this family in a mode that is not the best; `None` if there is nothing to say.
#[must_use]
pub fn advice(vendor: u16, product: u16) -> Option<String> {
    let (profile, mode) = find(vendor, product)?;
    let seen = match mode? {
        Mode::HidPos | Mode::Magstripe | Mode::Serial | Mode::Printer => return None,
        Mode::Keyboard => "types as a keyboard: adopt it, or better change its mode",
        Mode::Foreign => "is in a mode that is not read here",
    };
    let Profile { maker, hint, name, .. } = profile;
    Some(format!("{maker}: {seen}; {hint} (hardware-notes/{name}.md)"))
}
