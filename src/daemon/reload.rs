//! SIGHUP: the config is read again, and what can change while everything runs is taken over.

use super::routes::Current;
use super::{Parts, chain, policy};
use crate::config::{self, Config};
use crate::decode::classify;
use crate::domain::id::RegisterName;
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
                if needs_restart(&config, &self.started_with) {
                    tracing::warn!(
                        "`[shop]`, `[retention]`, `[store]`, `[vault]`, `[push]`, `[metrics]`, `[[serial]]`, `[[printer]]` and what is typed stay as they were; restart fichad to take them over"
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

/// Whether a config differs in what is taken over at start alone.
fn needs_restart(config: &Config, started_with: &Config) -> bool {
    let typing = |config: &Config| {
        let register = config.registers.iter().find(|register| register.types);
        register.map(|register| (register.name.clone(), config.typist.clone()))
    };
    let shop = |config: &Config| {
        (
            (config.shop.shop.clone(), config.shop.language.clone()),
            config.shop.calling_code,
            config.shop.name_on_card,
            config.shop.parked,
            config.shop.service.clone(),
            config.shop.retention.clone(),
        )
    };
    config.store != started_with.store
        || config.push != started_with.push
        || config.metrics != started_with.metrics
        || shop(config) != shop(started_with)
        || config.serial != started_with.serial
        || config.printers != started_with.printers
        || typing(config) != typing(started_with)
}

/// Says which of the shop's rules take numbers that could be payment cards.
pub(super) fn warn_of_rules(config: &Config) {
    for warning in classify::warnings(&config.rules) {
        tracing::warn!("{warning}");
    }
}
