//! Fonts on this host: where they are looked for, and their bytes. Reads; draws nothing.

use crate::print::fonts::{FONT_BYTES_MAX, FontFile, Fonts};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Where distributions put Noto's fonts: Debian, Ubuntu; Arch; Fedora; and what an administrator put there by hand.
pub const FOLDERS: [&str; 7] = [
    "/usr/share/fonts/truetype/noto",
    "/usr/share/fonts/opentype/noto",
    "/usr/share/fonts/noto",
    "/usr/share/fonts/noto-cjk",
    "/usr/share/fonts/google-noto",
    "/usr/share/fonts/google-noto-cjk",
    "/usr/local/share/fonts",
];

/// Reads the fonts that are there. The log names one that is not, with the package that has it.
#[must_use]
pub fn read(wanted: &[FontFile]) -> Fonts {
    let mut fonts = Fonts::default();
    for file in wanted {
        let (name, package) = (file.name.as_ref(), file.package());
        let Some(path) = find(Path::new("/"), name) else {
            let folders = FOLDERS.join(", ");
            tracing::warn!(
                font = name,
                package,
                folders,
                "a font for cards is not there; install its package"
            );
            continue;
        };
        let taken = bytes(&path).map(|bytes| fonts.add(file.clone(), bytes));
        if !taken.as_ref().is_ok_and(|taken| *taken) {
            let error = taken.err().map(|error| error.to_string()).unwrap_or_default();
            let path = path.display();
            tracing::warn!(%path, package, error, "a font for cards cannot be read; install its package again");
        }
    }
    fonts
}

/// Where a font's file is, below `root`.
#[must_use]
pub fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let below = |folder: &str| root.join(folder.trim_start_matches('/')).join(name);
    FOLDERS.into_iter().map(below).find(|path| path.is_file())
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FONT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_font_is_found_in_any_of_the_folders() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(find(root.path(), "NotoSans-Regular.ttf"), None);
        let folder = root.path().join("usr/share/fonts/noto");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("NotoSans-Regular.ttf"), b"x").unwrap();
        assert_eq!(find(root.path(), "NotoSans-Regular.ttf"), Some(folder.join("NotoSans-Regular.ttf")));
        assert_eq!(find(root.path(), "NotoSansThai-Regular.ttf"), None);
    }
}
