//! Receipt printers, judged at a register's socket and by what reached them.

use super::till::{self, Till};
use super::{STEP, Scenario, expect};
use crate::nodes::{self, Kind};
use crate::printer::{self, Fault, Model, Paper, ReceiptPrinter};
use crate::trace::Trace;
use crate::vhci::{Plugged, Port};
use crate::{Result, register};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "printer/usblp", play: |trace| a_card_is_printed_and_proved(Model::Class, trace) },
    Scenario {
        name: "printer/usblp-listed",
        play: |trace| a_card_is_printed_and_proved(Model::Listed, trace),
    },
    Scenario { name: "printer/libusb", play: |trace| a_card_is_printed_and_proved(Model::Vendor, trace) },
    Scenario { name: "printer/held-by-usblp", play: a_driver_is_not_robbed_of_its_printer },
    Scenario { name: "printer/paper-out", play: |trace| a_card_waits(Paper::Out, false, "paper_out", trace) },
    Scenario {
        name: "printer/cover-open",
        play: |trace| a_card_waits(Paper::Fine, true, "cover_open", trace),
    },
    Scenario { name: "printer/stalled-libusb", play: a_stall_ends_the_card_and_not_the_printer },
    Scenario { name: "printer/stalled-usblp", play: a_stall_behind_usblp_is_told },
    Scenario { name: "printer/unplugged", play: |trace| a_printer_pulled_out_of_a_card(Model::Class, trace) },
    Scenario {
        name: "printer/unplugged-libusb",
        play: |trace| a_printer_pulled_out_of_a_card(Model::Vendor, trace),
    },
];

/// Where the printer of these scenarios is plugged in.
const PORT: Port = Port(3);

/// What the register calls it.
const NAME: &str = "receipts";

/// More bytes than the questions before a card.
const QUESTIONS_MAX: usize = 200;

/// After so many bytes a fault is one in the middle of a card: usblp sends 8 KiB of it at a time, libusb 4.
fn into_the_card(model: Model) -> usize {
    match model {
        Model::Class | Model::Listed => 8192 + QUESTIONS_MAX,
        Model::Vendor => 4096 + QUESTIONS_MAX,
    }
}

fn address(model: Model) -> String {
    let (vendor, product) = model.ids();
    let scheme = match model {
        Model::Class | Model::Listed => "usblp:",
        Model::Vendor => "usb://",
    };
    format!("{scheme}{vendor:04x}:{product:04x}/SN-PRN")
}

fn plug(model: Model, trace: &Trace) -> Result<Plugged<ReceiptPrinter>> {
    let printer = printer::plug(model, "SN-PRN", PORT, STEP, trace)?;
    match model {
        Model::Class | Model::Listed => nodes::appears(Kind::Printer, PORT, STEP).map(drop)?,
        Model::Vendor => nodes::configured(PORT, STEP)?,
    }
    Ok(printer)
}

/// A till with this printer, and a customer to print for.
fn start(address: &str, trace: &Trace) -> Result<(Till, String)> {
    let mut till = till::start("printer", &register::printer(NAME, address), trace)?;
    till.register.wait_store(STEP)?;
    let customer = till.register.enrol("Asha", STEP)?;
    Ok((till, customer))
}

/// What the printer was sent is a whole card, in commands that it knows.
fn has_a_card(printer: &Plugged<ReceiptPrinter>) -> Result<()> {
    expect("commands it does not know", &printer.with(|printer| printer.unknown.clone()), &Vec::new())?;
    expect("the cut at its end", &printer.with(|printer| printer.has_received(b"\x1dV")), &true)
}

fn a_card_is_printed_and_proved(model: Model, trace: &Trace) -> Result<()> {
    let printer = plug(model, trace)?;
    let (mut till, customer) = start(&address(model), trace)?;
    till.register.print_card(&customer, NAME, STEP)?;
    has_a_card(&printer)?;
    till.close()
}

/// Named as one for libusb, while the kernel's driver has it: whoever prints through that goes on.
fn a_driver_is_not_robbed_of_its_printer(trace: &Trace) -> Result<()> {
    let printer = plug(Model::Class, trace)?;
    let node = nodes::appears(Kind::Printer, PORT, STEP)?;
    let (mut till, customer) = start(&address(Model::Class).replace("usblp:", "usb://"), trace)?;
    till.register.begin_card(&customer, NAME, STEP)?;
    till.register.wait_printer(NAME, "busy", STEP)?;
    expect("usblp's node", &node.exists(), &true)?;
    expect("bytes sent", &printer.with(|printer| printer.received.len()), &0)?;
    till.close()
}

/// Nothing of a card is written before all is well, and then it goes on by itself.
fn a_card_waits(paper: Paper, cover_open: bool, condition: &str, trace: &Trace) -> Result<()> {
    let printer = plug(Model::Class, trace)?;
    printer.change(|printer| (printer.paper, printer.cover_open) = (paper, cover_open))?;
    let (mut till, customer) = start(&address(Model::Class), trace)?;
    let job = till.register.begin_card(&customer, NAME, STEP)?;
    till.register.wait_printer(NAME, condition, STEP)?;
    let sent = printer.with(|printer| printer.received.len());
    expect("only questions sent", &(sent < QUESTIONS_MAX), &true)?;
    printer.change(|printer| (printer.paper, printer.cover_open) = (Paper::Fine, false))?;
    till.register.job(&job, "printed", STEP)?;
    has_a_card(&printer)?;
    till.close()
}

/// Where it broke off nobody knows, so the card is not sent again; the next one is printed.
fn a_stall_ends_the_card_and_not_the_printer(trace: &Trace) -> Result<()> {
    let printer = plug(Model::Vendor, trace)?;
    printer.change(|printer| printer.fault = Some((into_the_card(Model::Vendor), Fault::Halt)))?;
    let (mut till, customer) = start(&address(Model::Vendor), trace)?;
    let job = till.register.begin_card(&customer, NAME, STEP)?;
    till.register.job(&job, "unknown", STEP)?;
    till.register.print_card(&customer, NAME, STEP)?;
    till.close()
}

/// The kernel's driver clears no halt: the printer is as good as gone until it is plugged in again.
fn a_stall_behind_usblp_is_told(trace: &Trace) -> Result<()> {
    let printer = plug(Model::Class, trace)?;
    printer.change(|printer| printer.fault = Some((into_the_card(Model::Class), Fault::Halt)))?;
    let (mut till, customer) = start(&address(Model::Class), trace)?;
    let job = till.register.begin_card(&customer, NAME, STEP)?;
    till.register.job(&job, "unknown", STEP)?;
    // The next card's first question is not taken either, and silence is a printer that is off line.
    let job = till.register.begin_card(&customer, NAME, STEP)?;
    till.register.wait_printer(NAME, "offline", STEP)?;
    printer.unplug(STEP)?;
    let printer = plug(Model::Class, trace)?;
    till.register.job(&job, "printed", STEP)?;
    has_a_card(&printer)?;
    till.close()
}

fn a_printer_pulled_out_of_a_card(model: Model, trace: &Trace) -> Result<()> {
    let printer = plug(model, trace)?;
    printer.change(|printer| printer.fault = Some((into_the_card(model), Fault::Deaf)))?;
    let (mut till, customer) = start(&address(model), trace)?;
    let job = till.register.begin_card(&customer, NAME, STEP)?;
    printer.wait_held(STEP)?;
    printer.unplug(STEP)?;
    till.register.job(&job, "unknown", STEP)?;
    till.register.wait_printer(NAME, "gone", STEP)?;
    let printer = plug(model, trace)?;
    till.register.print_card(&customer, NAME, STEP)?;
    has_a_card(&printer)?;
    till.close()
}
