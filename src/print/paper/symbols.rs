//! The emulated printer's own drawing: pictures, QR symbols and bar codes.

use super::Paper;
use super::page::Item;
use crate::print::code128;
use crate::print::raster::{Bitmap, Qr};
use qrcode::EcLevel;

impl Paper {
    /// Prints a picture; cut off at the right edge as the head is.
    pub(super) fn picture(&mut self, bitmap: Bitmap) {
        let free = self.model.width_dots.saturating_sub(bitmap.width());
        let x = match self.modes.align {
            0 => 0,
            1 => free.div_euclid(2),
            _ => free,
        };
        let mut cut = Bitmap::new(bitmap.width().min(self.model.width_dots), bitmap.height());
        cut.stamp(&bitmap, 0, 0);
        self.add(Item::Picture { x, bitmap: cut });
    }

    pub(super) fn qr(&mut self, function: u8, data: &[u8]) {
        let one = data.first().copied().unwrap_or(0);
        match function {
            65 if one == 50 => {}
            67 if (1..=16).contains(&one) => self.modes.qr_module = u16::from(one),
            69 => match one {
                48 => self.modes.qr_level = EcLevel::L,
                49 => self.modes.qr_level = EcLevel::M,
                50 => self.modes.qr_level = EcLevel::Q,
                51 => self.modes.qr_level = EcLevel::H,
                _ => self.count("GS ( k level"),
            },
            80 => self.modes.qr_data = data.get(1..).unwrap_or_default().to_vec(),
            81 | 82 => {
                let symbol = Qr::any(&self.modes.qr_data, self.modes.qr_level);
                let symbol = symbol.filter(|_| !self.modes.qr_data.is_empty());
                let bitmap = symbol.map(|qr| qr.draw(self.modes.qr_module, 0));
                let fits = bitmap.as_ref().is_some_and(|bitmap| bitmap.width() <= self.model.width_dots);
                if function == 82 {
                    let side = bitmap.map_or(0, |bitmap| bitmap.width());
                    let flag = if fits { '0' } else { '1' };
                    self.out.extend(format!("\x37\x36{side}\x1f{side}\x1f1\x1f{flag}\0").bytes());
                } else if let Some(bitmap) = bitmap.filter(|_| fits) {
                    self.flush(false);
                    self.picture(bitmap);
                } else {
                    self.count("QR wider than the paper");
                }
            }
            _ => self.count("GS ( k function"),
        }
    }

    pub(super) fn bars(&mut self, data: &[u8]) {
        let pairs = data.strip_prefix(b"{C").filter(|pairs| pairs.iter().all(|pair| *pair < 100));
        let digits: Option<String> =
            pairs.map(|pairs| pairs.iter().map(|pair| format!("{pair:02}")).collect());
        let drawn = digits
            .and_then(|digits| code128::draw(&digits, self.modes.bar_module, self.modes.bar_height, 0).ok());
        match drawn.filter(|bitmap| bitmap.width() <= self.model.width_dots) {
            Some(bitmap) => {
                self.flush(false);
                self.picture(bitmap);
            }
            None => self.count("GS k data"),
        }
    }
}
