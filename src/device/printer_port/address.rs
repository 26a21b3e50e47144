//! Where a printer is, as text in the config.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port that network printers listen on ("raw", "JetDirect").
const RAW_PORT: u16 = 9100;
/// The speed most serial printers leave the factory with.
const BAUD: u32 = 9600;

/// Where a printer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `tcp://HOST[:PORT]`, port 9100 unless named.
    Tcp {
        /// Name or IP address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// `serial:///dev/NODE[?baud=N][&flow=xonxoff|rtscts|none]`, 8 bits, no parity; XON/XOFF unless told.
    Serial {
        /// The tty.
        node: PathBuf,
        /// Bits a second.
        baud: u32,
        /// How the printer asks for a pause.
        flow: Flow,
    },
    /// `usblp:VVVV:PPPP[/SERIAL]`: the kernel's printer driver, the node found by identity. Its number says nothing: the first
    /// printer may well be `lp1`.
    Usblp(UsbId),
    /// `usblp:/dev/usb/lpN`: this node, whatever hangs there.
    UsblpNode(PathBuf),
    /// `usb://VVVV:PPPP[/SERIAL]`: through libusb, for printers that no kernel driver takes.
    Libusb(UsbId),
}

/// How a serial printer asks for a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// By the bytes XOFF and XON; harmless where it never sends them.
    XonXoff,
    /// By the CTS line. Without that wire nothing is ever sent.
    RtsCts,
    /// Not at all.
    None,
}

/// A USB device by what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbId {
    /// Vendor.
    pub vendor: u16,
    /// Product.
    pub product: u16,
    /// Serial number, where two alike are plugged in.
    pub serial: Option<String>,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; an address is `tcp://HOST:9100`, `serial:///dev/ttyS0?baud=9600`, `usblp:VVVV:PPPP`, `usblp:/dev/usb/lp1` or `usb://VVVV:PPPP`"
)]
pub struct BadAddress(&'static str);

impl FromStr for UsbId {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = BadAddress("a USB printer is named by two times four hexadecimal digits");
        let (ids, serial) = text.split_once('/').map_or((text, None), |(ids, serial)| (ids, Some(serial)));
        let (vendor, product) = ids.split_once(':').ok_or(bad.clone())?;
        let hex = |text: &str| {
            let four = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            four.then(|| u16::from_str_radix(text, 16).ok()).flatten().ok_or(bad.clone())
        };
        let serial = serial.filter(|serial| !serial.is_empty()).map(str::to_owned);
        Ok(Self { vendor: hex(vendor)?, product: hex(product)?, serial })
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)?;
        self.serial.iter().try_for_each(|serial| write!(f, "/{serial}"))
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(rest) = text.strip_prefix("tcp://") {
            tcp(rest.strip_suffix('/').unwrap_or(rest))
        } else if let Some(rest) = text.strip_prefix("serial://") {
            serial(rest)
        } else if let Some(rest) = text.strip_prefix("usblp:") {
            let node = rest.starts_with('/');
            if node { Ok(Self::UsblpNode(PathBuf::from(rest))) } else { rest.parse().map(Self::Usblp) }
        } else if let Some(rest) = text.strip_prefix("usb://") {
            rest.parse().map(Self::Libusb)
        } else {
            Err(BadAddress("unknown kind of port"))
        }
    }
}

fn tcp(text: &str) -> Result<Address, BadAddress> {
    // The colons of an IPv6 address are its own: it stands in brackets.
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port =
        port.map_or(Ok(RAW_PORT), |port| port.parse().map_err(|_| BadAddress("the port is no number")))?;
    if host.is_empty() || port == 0 {
        return Err(BadAddress("host or port is missing"));
    }
    Ok(Address::Tcp { host: host.to_owned(), port })
}

fn serial(text: &str) -> Result<Address, BadAddress> {
    let (node, options) = text.split_once('?').unwrap_or((text, ""));
    if !node.starts_with('/') {
        return Err(BadAddress("the tty is named by its whole path"));
    }
    let (mut baud, mut flow) = (BAUD, Flow::XonXoff);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("baud", value)) => {
                let known = value.parse().ok().filter(|baud| super::link::rate(*baud).is_some());
                baud = known.ok_or(BadAddress("the speed is none that a serial port has"))?;
            }
            Some(("flow", "xonxoff")) => flow = Flow::XonXoff,
            Some(("flow", "rtscts")) => flow = Flow::RtsCts,
            Some(("flow", "none")) => flow = Flow::None,
            Some(_) | None => return Err(BadAddress("unknown option, or a value it does not take")),
        }
    }
    Ok(Address::Serial { node: PathBuf::from(node), baud, flow })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Serial { node, baud, flow } => {
                let flow = match flow {
                    Flow::XonXoff => "xonxoff",
                    Flow::RtsCts => "rtscts",
                    Flow::None => "none",
                };
                write!(f, "serial://{}?baud={baud}&flow={flow}", node.display())
            }
            Self::Usblp(id) => write!(f, "usblp:{id}"),
            Self::UsblpNode(node) => write!(f, "usblp:{}", node.display()),
            Self::Libusb(id) => write!(f, "usb://{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_they_mean() {
        for (text, shown) in [
            ("tcp://10.0.0.9", "tcp://10.0.0.9:9100"),
            ("tcp://printer.lan:9101/", "tcp://printer.lan:9101"),
            ("tcp://[fe80::1]:9100", "tcp://[fe80::1]:9100"),
            ("serial:///dev/ttyS0", "serial:///dev/ttyS0?baud=9600&flow=xonxoff"),
            (
                "serial:///dev/ttyUSB1?baud=115200&flow=rtscts",
                "serial:///dev/ttyUSB1?baud=115200&flow=rtscts",
            ),
            ("usblp:04B8:0202", "usblp:04b8:0202"),
            ("usblp:04b8:0e15/X3Y", "usblp:04b8:0e15/X3Y"),
            ("usblp:/dev/usb/lp1", "usblp:/dev/usb/lp1"),
            ("usb://0416:5011", "usb://0416:5011"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "lp0",
            "tcp://",
            "tcp://host:0",
            "tcp://host:x",
            "serial://ttyS0",
            "serial:///dev/ttyS0?baud=9601",
            "serial:///dev/ttyS0?parity=e",
            "usblp:",
            "usblp:4b8:202",
            "usb://04b8",
            "usb://04b8:+202",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
