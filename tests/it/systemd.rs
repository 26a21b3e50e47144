//! The systemd units keep what they promise: directives that a slip of the pen would lose without a word.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE_TENTHS_MAX: &str = "15";

/// Device groups, and the kernel module that registers each: loaded before the unit starts, or the group is left out.
const DEVICES: [(&str, &str); 7] = [
    ("char-hidraw rw", "hid"),
    ("char-input rw", "evdev"),
    ("char-ttyACM rw", "cdc_acm"),
    ("char-ttyUSB rw", "usbserial"),
    ("char-usb rw", "usblp"),
    ("char-usb_device rw", "usbcore"),
    ("/dev/uinput rw", "uinput"),
];

const ROLES: [&str; 4] = ["fichad-register", "fichad-desk", "fichad-manager", "fichad-auditor"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

/// A unit's directives as `Section.Key=value`.
fn unit(name: &str) -> Vec<String> {
    let mut section = String::new();
    let mut directives = Vec::new();
    for line in fs::read_to_string(path(name)).unwrap().lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = format!("{name}."),
            None if !line.is_empty() => directives.push(format!("{section}{line}")),
            None => {}
        }
    }
    directives
}

fn assert_has(name: &str, wanted: &[&str]) {
    let directives = unit(name);
    let missing: Vec<_> =
        wanted.iter().filter(|line| !directives.iter().any(|found| found == *line)).collect();
    assert!(missing.is_empty(), "{name} has not {missing:#?}");
}

#[test]
fn the_service_starts_stops_and_reloads_as_the_daemon_expects() {
    assert_has(
        "fichad.service",
        &[
            "Unit.Requires=fichad.socket",
            "Unit.StartLimitIntervalSec=0",
            "Service.Type=notify",
            "Service.ExecStart=/usr/bin/fichad --config /etc/fichad/fichad.toml",
            "Service.ExecReload=/bin/kill -HUP $MAINPID",
            "Service.User=fichad",
            "Service.Restart=always",
            "Service.RestartPreventExitStatus=64",
            "Service.WatchdogSec=10",
            "Service.StateDirectory=fichad",
            "Service.RuntimeDirectory=fichad",
            "Service.LoadCredentialEncrypted=fichad.vault-key",
            "Service.RuntimeDirectoryPreserve=yes",
            "Install.WantedBy=multi-user.target",
        ],
    );
}

#[test]
fn the_service_is_shut_in() {
    assert_has(
        "fichad.service",
        &[
            "Service.UMask=0077",
            "Service.LimitCORE=0",
            "Service.StateDirectoryMode=0700",
            "Service.CapabilityBoundingSet=",
            "Service.NoNewPrivileges=yes",
            "Service.ProtectSystem=strict",
            "Service.ProtectHome=yes",
            "Service.ProtectProc=invisible",
            "Service.MemoryDenyWriteExecute=yes",
            "Service.SystemCallFilter=@system-service",
            "Service.SystemCallFilter=~@privileged @resources",
            "Service.SystemCallFilter=sched_setaffinity setpriority",
            "Service.RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        ],
    );
    // Each of these would take the readers, the news of them or the registers' identity away.
    for line in unit("fichad.service") {
        for never in ["PrivateDevices", "PrivateNetwork", "PrivateUsers"] {
            assert!(!line.starts_with(&format!("Service.{never}=")), "{line}");
        }
    }
}

#[test]
fn every_device_group_is_allowed_and_its_driver_loaded_before() {
    assert_has("fichad.service", &["Service.DevicePolicy=closed", "Service.DeviceAllow=char-ttyS rw"]);
    let directives = unit("fichad.service");
    let words = |key: &str| -> Vec<&str> {
        directives.iter().filter_map(|line| line.strip_prefix(key)).flat_map(str::split_whitespace).collect()
    };
    let (wanted, ordered) = (words("Unit.Wants="), words("Unit.After="));
    for (device, module) in DEVICES {
        assert!(directives.contains(&format!("Service.DeviceAllow={device}")), "{device}");
        let load = format!("modprobe@{module}.service");
        assert!(wanted.contains(&load.as_str()) && ordered.contains(&load.as_str()), "{load} for {device}");
    }
}

#[test]
fn the_socket_has_its_owner_and_mode_before_the_first_connect() {
    assert_has(
        "fichad.socket",
        &[
            "Socket.ListenStream=/run/fichad/fichad.sock",
            "Socket.SocketUser=fichad",
            "Socket.SocketGroup=fichad",
            "Socket.SocketMode=0666",
            "Install.WantedBy=sockets.target",
        ],
    );
}

#[test]
fn the_account_and_the_roles_are_made() {
    let lines = unit("fichad.sysusers.conf");
    let named =
        |kind: &str, name: &str| lines.iter().any(|line| line.split_whitespace().take(2).eq([kind, name]));
    assert!(named("u", "fichad"));
    for role in ROLES {
        assert!(named("g", role), "{role}");
    }
}

/// `tests/run quick` says when this could not be looked at.
#[test]
fn the_exposure_is_low() {
    let analysed = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_TENTHS_MAX])
        .arg(path("fichad.service"))
        .output();
    let Ok(output) = analysed else { return };
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
}
