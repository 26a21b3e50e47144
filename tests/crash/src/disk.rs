//! A disk of its own for a store: an ext4 file system in a file, on a loop device, with a switch that cuts its power.

use anyhow::{Context as _, bail, ensure};
use nix::unistd::geteuid;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Room for the stores of one life.
const BYTES: u64 = 192 << 20;

/// Opens the mounted folder, and at the first line of input shuts its file system down: `FS_IOC_SHUTDOWN` with the flag
/// `NOLOGFLUSH`. Perl, because an ioctl is unsafe code in Rust, and Debian always has it.
const CUT: &str = r#"$| = 1; sysopen(my $disk, $ARGV[0], 0) or die "open: $!"; print "ready\n"; <STDIN>;
my $flag = pack("L", 2); ioctl($disk, 0x8004587d, $flag) or die "ioctl: $!"; print "cut\n";"#;

#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    folder: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes and mounts an empty one in `work`.
    pub(crate) fn new(work: &Path, name: &str) -> anyhow::Result<Self> {
        let needs = "power cuts need root, for a loop device and a mount: start as root, or leave them out (--cuts 0)";
        ensure!(geteuid().is_root(), needs);
        let (image, folder) = (work.join(format!("{name}.img")), work.join(name));
        fs::create_dir_all(&folder)?;
        File::create(&image)?.set_len(BYTES)?;
        sh(Command::new("mkfs.ext4").args(["-q", "-F", "-E", "nodiscard"]).arg(&image))?;
        let mut disk = Self { image, folder, mounted: false };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// After a cut: everything that was only in memory goes, and the file system's own journal is played.
    pub(crate) fn mount_again(&mut self) -> anyhow::Result<()> {
        sh(Command::new("umount").arg(&self.folder))?;
        self.mounted = false;
        self.mount()
    }

    fn mount(&mut self) -> anyhow::Result<()> {
        sh(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(&self.image).arg(&self.folder))
            .context("no loop device can be mounted")?;
        self.mounted = true;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // At the end of a round that failed, whoever still has a file open keeps it mounted; nothing to be done then.
            drop(sh(Command::new("umount").arg(&self.folder)));
        }
    }
}

/// Cuts the power of a mounted folder; made before, so that the cut itself takes microseconds.
#[derive(Debug)]
pub(crate) struct Switch {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Switch {
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("perl");
        command.args(["-e", CUT]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("perl does not start")?;
        let says = BufReader::new(child.stdout.take().context("perl has no output")?);
        let mut switch = Self { child, says };
        switch.hear("ready\n")?;
        Ok(switch)
    }

    pub(crate) fn cut(&mut self) -> anyhow::Result<()> {
        let mut input = self.child.stdin.take().context("perl has no input")?;
        input.write_all(b"\n")?;
        self.hear("cut\n")?;
        ensure!(self.child.wait()?.success(), "the file system was not shut down");
        Ok(())
    }

    fn hear(&mut self, word: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        ensure!(line == word, "the switch says {line:?}");
        Ok(())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn sh(command: &mut Command) -> anyhow::Result<()> {
    // Root's programs lie outside some users' path.
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command.env("PATH", format!("{path}:/usr/sbin:/sbin")).output();
    let output = output.with_context(|| format!("{command:?} does not start"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
