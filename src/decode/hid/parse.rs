//! Reads the items of a report descriptor.
//!
//! Written here because the crate that does it (hidreport 0.6) keeps one heap object for every element of a
//! field, so that a report count of four thousand million is an allocation of that size, and panics on a usage
//! without a page: a descriptor is what a stranger plugs in.

use super::descriptor::{
    DESCRIPTOR_BYTES_MAX, Descriptor, DescriptorError, Field, Kind, REPORT_BYTES_MAX, Usage, UsageRun,
};

/// How deep collections, and pushed global items, may nest.
const DEPTH_MAX: usize = 32;

impl Descriptor {
    /// Reads a descriptor as `/sys/class/hidraw/*/device/report_descriptor` has it.
    ///
    /// # Errors
    /// [`DescriptorError`] for one that is broken or asks for more than the kernel would give.
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptorError> {
        if bytes.len() > DESCRIPTOR_BYTES_MAX {
            return Err(DescriptorError::TooLong);
        }
        let mut parser = Parser::default();
        let mut rest = bytes;
        while let Some((item, after)) = next_item(rest)? {
            parser.take(item)?;
            rest = after;
        }
        parser.finish()
    }
}

#[derive(Debug, Clone, Copy)]
struct Item {
    /// Type and tag: the prefix without its size bits.
    tag: u8,
    data: u32,
    size: usize,
}

/// The item at the start of `bytes` and what follows it; long items (6.2.2.3) come out as a tag nobody takes.
fn next_item(bytes: &[u8]) -> Result<Option<(Item, &[u8])>, DescriptorError> {
    let Some((&prefix, rest)) = bytes.split_first() else { return Ok(None) };
    if prefix == 0xfe {
        let size = usize::from(*rest.first().ok_or(DescriptorError::Truncated)?);
        let after = rest.get(size.saturating_add(2)..).ok_or(DescriptorError::Truncated)?;
        return Ok(Some((Item { tag: prefix & 0xfc, data: 0, size: 0 }, after)));
    }
    let size = match prefix & 3 {
        3 => 4,
        size => usize::from(size),
    };
    let (data, after) = rest.split_at_checked(size).ok_or(DescriptorError::Truncated)?;
    let data = data.iter().rev().fold(0_u32, |value, byte| (value << 8) | u32::from(*byte));
    Ok(Some((Item { tag: prefix & 0xfc, data, size }, after)))
}

/// Global items: hold until changed.
#[derive(Debug, Clone, Copy, Default)]
struct Globals {
    page: u16,
    size: u32,
    count: u32,
    report_id: u8,
}

/// A usage as written; a short one has its page completed at the main item.
#[derive(Debug, Clone, Copy)]
struct WrittenRun {
    run: UsageRun,
    short: bool,
}

#[derive(Debug, Default)]
struct Locals {
    usages: Vec<WrittenRun>,
    minimum: Option<(u32, usize)>,
    /// Inside a delimited set: only its first usage is taken.
    delimited: Option<bool>,
}

/// Bits so far of one report.
#[derive(Debug)]
struct Filled {
    kind: Kind,
    report_id: u8,
    bits: usize,
}

#[derive(Debug, Default)]
struct Parser {
    globals: Globals,
    pushed: Vec<Globals>,
    locals: Locals,
    depth: usize,
    filled: Vec<Filled>,
    out: Descriptor,
    without_id: bool,
}

impl Parser {
    fn take(&mut self, item: Item) -> Result<(), DescriptorError> {
        match item.tag {
            0x80 => self.main(Kind::Input, item.data)?,
            0x90 => self.main(Kind::Output, item.data)?,
            0xb0 => self.main(Kind::Feature, item.data)?,
            0xa0 => self.open(item.data)?,
            0xc0 => {
                self.depth = self.depth.checked_sub(1).ok_or(DescriptorError::Collections)?;
                self.locals = Locals::default();
            }
            0x04 => self.globals.page = u16::try_from(item.data & 0xffff).unwrap_or_default(),
            0x74 => self.globals.size = item.data,
            0x94 => self.globals.count = item.data,
            0x84 => {
                let id = u8::try_from(item.data).ok().filter(|id| *id != 0);
                self.globals.report_id = id.ok_or(DescriptorError::ReportId)?;
                self.out.uses_ids = true;
            }
            0xa4 if self.pushed.len() < DEPTH_MAX => self.pushed.push(self.globals),
            0xa4 => return Err(DescriptorError::Stack),
            0xb4 => self.globals = self.pushed.pop().ok_or(DescriptorError::Stack)?,
            0x08 => self.usage(item),
            0x18 => self.locals.minimum = Some((item.data, item.size)),
            0x28 => self.usage_maximum(item),
            0xa8 => self.locals.delimited = (item.data != 0).then_some(false),
            // Logical and physical bounds, units, designators and strings say nothing about where bits are.
            _ => {}
        }
        Ok(())
    }

    fn written(&self, first: u32, last: u32, size: usize) -> WrittenRun {
        let low = |value: u32| u16::try_from(value & 0xffff).unwrap_or_default();
        let short = size <= 2;
        let page = if short { self.globals.page } else { low(first >> 16) };
        WrittenRun { run: UsageRun { page, first: low(first), last: low(last) }, short }
    }

    fn usage(&mut self, item: Item) {
        match self.locals.delimited {
            Some(true) => return,
            Some(false) => self.locals.delimited = Some(true),
            None => {}
        }
        let usage = self.written(item.data, item.data, item.size);
        self.locals.usages.push(usage);
    }

    /// A range that runs backwards is left out, as if it had not been written.
    fn usage_maximum(&mut self, item: Item) {
        let Some((minimum, size)) = self.locals.minimum.take() else { return };
        let run = self.written(minimum, item.data, size.max(item.size));
        if run.run.first <= run.run.last {
            self.locals.usages.push(run);
        }
    }

    /// Short usages get the page that holds at the main item, back to the first that was written under it:
    /// what Linux does for devices that write the page after the usage.
    fn complete_usages(&mut self) -> Vec<UsageRun> {
        let page = self.globals.page;
        let mut usages = std::mem::take(&mut self.locals.usages);
        for written in usages.iter_mut().rev().filter(|written| written.short) {
            if written.run.page == page {
                break;
            }
            written.run.page = page;
        }
        self.locals = Locals::default();
        usages.into_iter().map(|written| written.run).collect()
    }

    fn open(&mut self, collection: u32) -> Result<(), DescriptorError> {
        let usages = self.complete_usages();
        if self.depth == 0 {
            if collection != 1 {
                return Err(DescriptorError::Collections);
            }
            let usage = usages.first().map_or(Usage::new(0, 0), |run| Usage::new(run.page, run.first));
            self.out.tops.push(usage);
        }
        if self.depth >= DEPTH_MAX {
            return Err(DescriptorError::Collections);
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    fn main(&mut self, kind: Kind, flags: u32) -> Result<(), DescriptorError> {
        let usages = self.complete_usages();
        let Globals { size, count, report_id, .. } = self.globals;
        let top = self.out.tops.len().checked_sub(1).filter(|_| self.depth > 0);
        let top = top.ok_or(DescriptorError::Collections)?;
        if size == 0 || count == 0 {
            return Ok(());
        }
        self.without_id |= report_id == 0;
        let (size, count) = (usize::try_from(size).ok(), usize::try_from(count).ok());
        let (Some(size), Some(count)) = (size, count) else { return Err(DescriptorError::ReportTooLong) };
        let constant = flags & 1 != 0;
        if size > 32 && !constant {
            return Err(DescriptorError::ReportTooLong);
        }
        let bit_offset = self.fill(kind, report_id, size.checked_mul(count))?;
        self.out.fields.push(Field {
            report_id,
            kind,
            top,
            bit_offset,
            size,
            count,
            constant,
            variable: flags & 2 != 0,
            buffered_bytes: flags & 0x100 != 0,
            usages,
        });
        Ok(())
    }

    /// Appends `bits` to a report and gives where they start.
    fn fill(&mut self, kind: Kind, report_id: u8, bits: Option<usize>) -> Result<usize, DescriptorError> {
        let at = self.filled.iter().position(|filled| filled.kind == kind && filled.report_id == report_id);
        if at.is_none() {
            self.filled.push(Filled { kind, report_id, bits: 0 });
        }
        let filled = match at {
            Some(at) => self.filled.get_mut(at),
            None => self.filled.last_mut(),
        };
        let filled = filled.ok_or(DescriptorError::ReportTooLong)?;
        let start = filled.bits;
        let end = bits.and_then(|bits| start.checked_add(bits));
        let end = end.filter(|end| end.div_ceil(8) <= REPORT_BYTES_MAX);
        filled.bits = end.ok_or(DescriptorError::ReportTooLong)?;
        Ok(start)
    }

    fn finish(self) -> Result<Descriptor, DescriptorError> {
        if self.depth != 0 {
            return Err(DescriptorError::Collections);
        }
        if self.out.tops.is_empty() {
            return Err(DescriptorError::Empty);
        }
        if self.out.uses_ids && self.without_id {
            return Err(DescriptorError::ReportId);
        }
        Ok(self.out)
    }
}
