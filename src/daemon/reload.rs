//! SIGHUP: the config is read again, and what can change while everything runs is taken over.

use super::routes::Current;
use super::{Parts, chain, policy};
use crate::config::{self, Config};
use crate::decode::classify;
use crate::domain::id::RegisterName;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Parts {
    /// Takes over registers, routes, rules and what is adopted; the rest stays as it was started.
    pub(super) async fn reload(&self, config_path: Option<&std::path::Path>, host: &RegisterName) {
        let Some(path) = config_path.map(std::path::Path::to_owned) else { return };
        let (file, host) = (path.clone(), host.clone());
        // Not on the thread of the sessions: users and groups may be asked of a server.
        let read = tokio::task::spawn_blocking(move || {
            let config = config::load(&file)?;
            let current = Current::new(&config, &host);
            let policy = policy::policy(&config, &current.registers);
            Ok::<_, config::ConfigError>((config, current, policy))
        });
        match read.await {
            Ok(Ok((config, current, policy))) => {
                warn_of_rules(&config);
                let waiting = after_restart(&config, &self.started_with).join(", ");
                if !waiting.is_empty() {
                    tracing::warn!(
                        after_restart = waiting,
                        "these tables of the config stay as they were; restart fichad to take them over"
                    );
                }
                self.states.named(current.named());
                let (routes, hub) = (Arc::clone(&self.shared.routes), Arc::clone(&self.shared.hub));
                // Nor this: it waits for the scans that are on their way.
                let switch = move || routes.switch(current, || hub.reload(policy));
                if tokio::task::spawn_blocking(switch).await.is_err() {
                    tracing::error!("the routes could not be taken over");
                    return;
                }
                tracing::info!(path = %path.display(), "config read again: registers, routes and rules");
            }
            Ok(Err(error)) => {
                tracing::error!(why = %chain(&error), "the config has mistakes; everything stays as it was")
            }
            Err(_) => tracing::error!("the config could not be read again; everything stays as it was"),
        }
    }
}

/// The tables that a reload takes over whole. `[card]`, `[payment]` and `[[alias]]` it takes over for scans, and the desk after a restart.
const TAKEN_OVER: [&str; 3] = ["reader", "register", "scan"];

/// Of a port, what a reload takes over: whose it is.
const TAKEN_OVER_OF_A_PORT: &str = "register";

/// The tables, by their names in the file, in which a config differs from that of the start and that wait for the next.
pub(super) fn after_restart(config: &Config, started_with: &Config) -> Vec<String> {
    let (now, before) = (&config.written.0, &started_with.written.0);
    let names: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
    let waits = |name: &&&String| {
        !TAKEN_OVER.contains(&name.as_str()) && at_start(now, name) != at_start(before, name)
    };
    let mut waiting: BTreeSet<String> = names.iter().filter(waits).map(|name| (**name).clone()).collect();
    let types = |config: &Config| {
        let register = config.registers.iter().find(|register| register.types);
        register.map(|register| register.name.clone())
    };
    if types(config) != types(started_with) {
        waiting.insert("register.types".to_owned());
    }
    waiting.into_iter().collect()
}

/// What of a table counts at the start alone.
fn at_start(tables: &toml::Table, name: &str) -> Option<toml::Value> {
    let mut table = tables.get(name)?.clone();
    if name == "serial" {
        for port in table.as_array_mut().into_iter().flatten().filter_map(toml::Value::as_table_mut) {
            port.remove(TAKEN_OVER_OF_A_PORT);
        }
    }
    Some(table)
}

/// Says which of the shop's rules take numbers that could be payment cards.
pub(super) fn warn_of_rules(config: &Config) {
    for warning in classify::warnings(&config.rules) {
        tracing::warn!("{warning}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_waits_for_a_restart_is_named_and_no_other() {
        let waiting = |before: &str, now: &str| {
            let [before, now] = [before, now].map(|text| config::parse(text).unwrap());
            after_restart(&now, &before).join(" ")
        };
        let till = "[[register]]\nname = 'till-1'\n";
        let two = "[[register]]\nname = 'till-1'\n[[register]]\nname = 'till-2'\n";
        let port = "[[serial]]\nname = 'left'\npath = '/dev/ttyS7'\n";
        let reward = |cost: u32| format!("[[reward]]\nid = 'MUG'\ngives = 'article MUG'\ncost = {cost}\n");
        assert_eq!(waiting("", ""), "");
        assert_eq!(waiting("", "[operators]\nrequired = true\n"), "operators");
        assert_eq!(waiting(till, &format!("{two}[scan]\nrepeat_ms = 5\n")), "");
        assert_eq!(waiting(till, &till.replace("'\n", "'\ntypes = true\n")), "register.types");
        let of = |text: &str, register: &str| format!("{two}{text}register = '{register}'\n");
        assert_eq!(waiting(&of(port, "till-1"), &of(port, "till-2")), "");
        assert_eq!(waiting(&of(port, "till-1"), &of(&port.replace('7', "8"), "till-1")), "serial");
        assert_eq!(waiting(&reward(100), &reward(200)), "reward");
        assert_eq!(
            waiting("[card]\nprogramme = 'A'\n", &format!("[shop]\nname = 'Sol'\n{}", reward(1))),
            "card reward shop"
        );
    }
}
