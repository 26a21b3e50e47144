//! This host as files: who holds a node, what udev gave it, whether fichad may open it. Looks only.
//!
//! Everything lies below one root folder, which a test makes for itself.

use nix::unistd::{Group, User, getgrouplist};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Processes looked through at most; a till has a few hundred.
const PROCESSES_MAX: usize = 4096;

/// The account that the service runs as.
const ACCOUNT: &str = "fichad";

/// The daemon's user as the kernel judges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) groups: Vec<u32>,
}

impl Account {
    /// The account that this host has for the service, if it has one.
    pub(super) fn of_service() -> Option<Self> {
        let user = User::from_name(ACCOUNT).ok()??;
        let groups = getgrouplist(&CString::new(ACCOUNT).ok()?, user.gid).ok()?;
        Some(Self {
            uid: user.uid.as_raw(),
            groups: groups.into_iter().map(|group| group.as_raw()).collect(),
        })
    }
}

/// The name of a group.
pub(super) fn group_name(gid: u32) -> Option<String> {
    Group::from_gid(gid.into()).ok().flatten().map(|group| group.name)
}

/// A host, or a folder made like one.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) root: PathBuf,
    /// `None`: the service's account is not there, so nothing can be said of its rights.
    pub(super) account: Option<Account>,
    pub(super) group_name: fn(u32) -> Option<String>,
}

/// Why fichad may not open a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shut {
    /// The group that may, and that somebody can be put into.
    pub(super) group: Option<String>,
}

impl Host {
    /// A path of the host below the root.
    pub(super) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A path below the root as the host names it.
    pub(super) fn named(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
    }

    /// Whether a file that one of these folders may hold is there.
    pub(super) fn has_file(&self, folders: &[&str], name: &str) -> bool {
        folders.iter().any(|folder| self.at(folder).join(name).exists())
    }

    /// Why the service may not open this node for reading and writing, if it is there and may not.
    pub(super) fn shut(&self, node: &Path) -> Option<Shut> {
        let account = self.account.as_ref()?;
        let metadata = fs::metadata(node).ok()?;
        let (mode, gid) = (metadata.mode(), metadata.gid());
        let bits = if metadata.uid() == account.uid {
            mode >> 6
        } else if account.groups.contains(&gid) {
            mode >> 3
        } else {
            mode
        };
        if bits & 0o6 == 0o6 {
            return None;
        }
        let may = mode >> 3 & 0o6 == 0o6;
        let group =
            (self.group_name)(gid).filter(|name| may && name != "root" && !account.groups.contains(&gid));
        Some(Shut { group })
    }

    /// The names of the processes that have this node open, fichad's own left out. Without root only one's own are seen.
    pub(super) fn holders(&self, node: &Path) -> Vec<String> {
        let node = self.named(node);
        let holds = |process: &PathBuf| {
            let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
            open.into_iter().any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == node))
        };
        let mut names: Vec<String> =
            self.processes().filter(holds).filter_map(|process| name_of(&process)).collect();
        names.retain(|name| name != "fichad");
        names.sort();
        names.dedup();
        names
    }

    /// Whether a program of this name runs.
    pub(super) fn runs(&self, program: &str) -> bool {
        self.processes().any(|process| name_of(&process).as_deref() == Some(program))
    }

    fn processes(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(self.at("/proc")).into_iter().flatten().flatten();
        let is_process = |entry: &fs::DirEntry| {
            entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        };
        entries.filter(is_process).take(PROCESSES_MAX).map(|entry| entry.path())
    }

    /// What udev's database says of a device, as lines `KEY=value`; `folder` is its class folder in sysfs.
    pub(super) fn udev(&self, folder: &Path) -> Vec<String> {
        let Ok(number) = fs::read_to_string(folder.join("dev")) else { return Vec::new() };
        let file = self.at("/run/udev/data").join(format!("c{}", number.trim()));
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_prefix("E:")).map(str::to_owned).collect()
    }
}

/// What the kernel calls a process, at most 15 characters.
fn name_of(process: &Path) -> Option<String> {
    fs::read_to_string(process.join("comm")).ok().map(|name| name.trim_end().to_owned())
}
