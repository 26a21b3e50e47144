//! The machine that the checks are played on: its programs, its files, and fichad as systemd runs it.

use crate::Result;
use crate::nodes;
use crate::register::Register;
use crate::scenarios::STEP;
use crate::trace::Trace;
use nix::unistd::{Gid, Group, User, setgroups};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Installing a package and what systemd does with it: half a minute under emulation on a busy machine.
pub(super) const LONG: Duration = Duration::from_secs(180);

/// Where the payload was unpacked: the packages, and this program.
pub(super) const PAYLOAD: &str = "/opt";

pub(super) const SOCKET: &str = "/run/fichad/fichad.sock";
pub(super) const STATE: &str = "/var/lib/fichad";
pub(super) const CONFIG: &str = "/etc/fichad/fichad.toml";
pub(super) const DROP_INS: &str = "/etc/fichad/fichad.toml.d";
pub(super) const CREDENTIAL: &str = "/etc/credstore.encrypted/fichad.vault-key";
pub(super) const RULES: &str = "/lib/udev/rules.d/70-fichad.rules";

pub(super) const ROLES: [&str; 4] = ["fichad-register", "fichad-desk", "fichad-manager", "fichad-auditor"];

/// What a program said, and whether it ended with 0.
pub(super) struct Said {
    pub(super) is_good: bool,
    pub(super) text: String,
}

/// Runs a command line (split at spaces), its output in the trace.
pub(super) fn try_run(line: &str, trace: &Trace) -> Result<Said> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null()).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    trace.note("$", line);
    let output = command.output().map_err(|error| format!("{line}: {error}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    text.lines().for_each(|line| trace.note(" ", line));
    Ok(Said { is_good: output.status.success(), text })
}

/// Runs a command line that must end with 0, and gives what it said.
pub(super) fn run(line: &str, trace: &Trace) -> Result<String> {
    let said = try_run(line, trace)?;
    if said.is_good { Ok(said.text) } else { Err(format!("{line}: {}", said.text).into()) }
}

/// Runs the command that `ficha doctor` has for a finding, as it stands there. Root needs no `sudo`.
pub(super) fn mend(finding: &str, trace: &Trace) -> Result<()> {
    let said = try_run("ficha doctor", trace)?;
    let mut lines = said.text.lines().skip_while(|line| !line.contains(finding)).skip(1);
    let command = lines.next().and_then(|line| line.trim().strip_prefix("-> "));
    let command =
        command.ok_or_else(|| format!("doctor has no command for {finding:?}"))?.replace("sudo ", "");
    trace.note("$", &command);
    let output = Command::new("sh").args(["-ec", &command]).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    trace.note(" ", &text);
    if output.status.success() { Ok(()) } else { Err(format!("{command}: {text}").into()) }
}

/// Runs a command line that must be refused.
pub(super) fn refused(line: &str, trace: &Trace) -> Result<()> {
    let said = try_run(line, trace)?;
    if said.is_good { Err(format!("{line} was let: {}", said.text).into()) } else { Ok(()) }
}

/// `mode user:group` of a path.
pub(super) fn owner(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let metadata = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let user = User::from_uid(metadata.uid().into())?;
    let group = Group::from_gid(metadata.gid().into())?;
    let (user, group) = (user.map(|user| user.name), group.map(|group| group.name));
    let mode = metadata.mode() & 0o7777;
    Ok(format!("{mode:04o} {}:{}", user.unwrap_or_default(), group.unwrap_or_default()))
}

/// Waits until a path has this mode and owner: udev gives them a moment after the kernel has made a node.
pub(super) fn wait_owner(path: &Path, wanted: &str) -> Result<()> {
    let mut found = String::new();
    let waited = nodes::wait("its owner", STEP, || {
        found = owner(path).unwrap_or_default();
        (found == wanted).then_some(())
    });
    waited.map_err(|_| format!("{} is {found}, wanted {wanted}", path.display()).into())
}

/// What udev knows of a node, as lines `KEY=value`, once it has dealt with it.
pub(super) fn properties(node: &Path, trace: &Trace) -> Result<Vec<String>> {
    run("udevadm settle --timeout=120", trace)?;
    let text = run(&format!("udevadm info --query=property --name={}", node.display()), trace)?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// A property of a unit.
pub(super) fn unit(unit: &str, property: &str, trace: &Trace) -> Result<String> {
    run(&format!("systemctl show --value --property={property} {unit}"), trace)
}

/// Waits until fichad is up, and gives its process.
pub(super) fn wait_active(trace: &Trace) -> Result<u32> {
    let mut state = String::new();
    let waited = nodes::wait("fichad.service", LONG, || {
        state =
            try_run("systemctl is-active fichad.service", trace).map(|said| said.text).unwrap_or_default();
        (state == "active").then_some(())
    });
    waited.map_err(|_| format!("fichad.service is {state}"))?;
    Ok(unit("fichad.service", "MainPID", trace)?.parse()?)
}

/// A register that this program plays, as a member of three roles.
pub(super) fn register(trace: &Trace) -> Result<Register> {
    let group = |name: &str| -> Result<Gid> {
        Ok(Group::from_name(name)?.ok_or_else(|| format!("no group {name}"))?.gid)
    };
    setgroups(&[group("fichad-register")?, group("fichad-desk")?, group("fichad-manager")?])?;
    Register::connect(Path::new(SOCKET), STEP, trace)
}

/// Adds a drop-in to the config.
pub(super) fn drop_in(name: &str, text: &str) -> Result<()> {
    Ok(fs::write(Path::new(DROP_INS).join(name), text)?)
}

/// Starts fichad anew, and waits until customers can be written down.
pub(super) fn restart(trace: &Trace) -> Result<Register> {
    run("systemctl restart fichad.service", trace)?;
    let mut register = register(trace)?;
    register.wait_store(STEP)?;
    Ok(register)
}
