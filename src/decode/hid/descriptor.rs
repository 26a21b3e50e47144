//! What a HID report descriptor says: which bits of which report mean what.
//!
//! HID 1.11 sections 5 and 6.2.2. Bounded by the kernel's own limits, so a descriptor that lies costs an
//! error and nothing else. Knows no usage by name. The reading of the items is in `parse`.

/// The longest descriptor that Linux takes (`HID_MAX_DESCRIPTOR_SIZE`, linux/hid.h).
pub const DESCRIPTOR_BYTES_MAX: usize = 4096;
/// The longest report that Linux takes (`HID_MAX_BUFFER_SIZE`, linux/hid.h), without its id.
pub const REPORT_BYTES_MAX: usize = 16 * 1024;

/// A usage: page and id (HID Usage Tables).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Usage {
    /// The usage page.
    pub page: u16,
    /// The id within the page.
    pub id: u16,
}

impl Usage {
    /// `page:id` as one value.
    #[must_use]
    pub const fn new(page: u16, id: u16) -> Self {
        Self { page, id }
    }
}

/// Which way a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From the device, on its own.
    Input,
    /// To the device.
    Output,
    /// Both ways, when asked.
    Feature,
}

/// A run of usages, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UsageRun {
    pub(super) page: u16,
    pub(super) first: u16,
    pub(super) last: u16,
}

/// One main item: `count` elements of `size` bits each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The report it is in; 0 where the device uses no report ids.
    pub report_id: u8,
    /// Which way it goes.
    pub kind: Kind,
    /// Index into [`Descriptor::tops`].
    pub top: usize,
    /// Where it starts, in bits after the report id.
    pub bit_offset: usize,
    /// Bits of one element, 1 to 32.
    pub size: usize,
    /// How many elements.
    pub count: usize,
    /// Padding: carries nothing.
    pub constant: bool,
    /// Each element has a usage of its own; otherwise the elements are indices (an array).
    pub variable: bool,
    /// A stream of bytes rather than numbers (main item bit 8).
    pub buffered_bytes: bool,
    pub(super) usages: Vec<UsageRun>,
}

impl Field {
    /// The usage of element `index`. The last usage holds for all further elements (6.2.2.8).
    #[must_use]
    pub fn usage(&self, index: usize) -> Option<Usage> {
        let mut left = index;
        for run in &self.usages {
            let length = usize::from(run.last.saturating_sub(run.first)).saturating_add(1);
            if left < length {
                let id = run.first.saturating_add(u16::try_from(left).ok()?);
                return Some(Usage::new(run.page, id));
            }
            left = left.saturating_sub(length);
        }
        self.usages.last().map(|run| Usage::new(run.page, run.last))
    }

    /// The first element that has `usage` as its own.
    #[must_use]
    pub fn index_of(&self, usage: Usage) -> Option<usize> {
        let mut before = 0_usize;
        for run in &self.usages {
            if run.page == usage.page && (run.first..=run.last).contains(&usage.id) {
                let index = before.saturating_add(usize::from(usage.id.saturating_sub(run.first)));
                return (index < self.count).then_some(index);
            }
            let length = usize::from(run.last.saturating_sub(run.first)).saturating_add(1);
            before = before.saturating_add(length);
        }
        None
    }

    /// Element `index` out of a report without its id; `None` where the report is too short.
    #[must_use]
    pub fn element(&self, report: &[u8], index: usize) -> Option<u32> {
        if index >= self.count {
            return None;
        }
        let start = self.bit_offset.checked_add(self.size.checked_mul(index)?)?;
        let mut value = 0_u32;
        for bit in 0..self.size {
            let at = start.checked_add(bit)?;
            let byte = *report.get(at >> 3)?;
            let one = u32::from(byte >> (at & 7)) & 1;
            value |= one.checked_shl(u32::try_from(bit).ok()?)?;
        }
        Some(value)
    }

    /// The elements from `first` on as bytes, for elements of 8 bits; stops where the report ends.
    #[must_use]
    pub fn bytes(&self, report: &[u8], first: usize) -> Vec<u8> {
        if self.size != 8 {
            return Vec::new();
        }
        let bytes = (first..self.count).map_while(|index| self.element(report, index));
        bytes.filter_map(|value| u8::try_from(value).ok()).collect()
    }
}

/// A whole report descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// Usages of the top-level (application) collections, in order: what the device says it is.
    pub tops: Vec<Usage>,
    /// Every field of every report.
    pub fields: Vec<Field>,
    /// Reports start with their id.
    pub uses_ids: bool,
}

/// Why a descriptor is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// Over [`DESCRIPTOR_BYTES_MAX`].
    #[error("longer than {DESCRIPTOR_BYTES_MAX} bytes")]
    TooLong,
    /// The last item is cut off.
    #[error("an item is cut off")]
    Truncated,
    /// Collections do not open and close in pairs, or lie too deep.
    #[error("collections do not match")]
    Collections,
    /// Push and pop of global items do not match, or lie too deep.
    #[error("push and pop do not match")]
    Stack,
    /// Report id 0 or over 255, or ids in some reports only.
    #[error("report ids that cannot be")]
    ReportId,
    /// A report over [`REPORT_BYTES_MAX`], or an element over 32 bits.
    #[error("a report longer than {REPORT_BYTES_MAX} bytes or an element over 32 bits")]
    ReportTooLong,
    /// No application collection at all.
    #[error("no application collection")]
    Empty,
}

impl Descriptor {
    /// Bytes of the report `id` of `kind`, without its id; 0 if there is none.
    #[must_use]
    pub fn report_bytes(&self, kind: Kind, id: u8) -> usize {
        let fields = self.fields.iter().filter(|field| field.kind == kind && field.report_id == id);
        let ends =
            fields.map(|field| field.bit_offset.saturating_add(field.size.saturating_mul(field.count)));
        ends.max().unwrap_or(0).div_ceil(8)
    }

    /// The input field of top-level collection `top` that has `usage`, and the element that it is.
    #[must_use]
    pub fn find_input(&self, top: usize, usage: Usage) -> Option<(&Field, usize)> {
        let own = |field: &&Field| field.kind == Kind::Input && field.top == top && !field.constant;
        self.fields.iter().filter(own).find_map(|field| Some((field, field.index_of(usage)?)))
    }

    /// Splits a read into report id (0 without ids) and the report itself; `None` for an empty read.
    #[must_use]
    pub fn split_id<'r>(&self, read: &'r [u8]) -> Option<(u8, &'r [u8])> {
        if !self.uses_ids {
            return (!read.is_empty()).then_some((0, read));
        }
        read.split_first().map(|(id, report)| (*id, report))
    }
}
