//! Who asked for which pod: scenarios, one claim each (`scenarios.rs`), and a simulation of an API
//! server with late requests, lost answers and changes of leader (`world/`, `simulation.rs`).

mod model;
mod scenarios;
mod simulation;
mod world;

use std::time::Duration;

use incumbent_core::{Epoch, Nonce, Seal, Time};

use super::{PodPhase, PodSeen, PodsConfig};
use crate::demand::{Demand, GangNeed, TaskManagerUse, UseState};

const SECOND: Duration = Duration::from_secs(1);

fn seal(epoch: u64) -> Seal {
    Seal {
        epoch: Epoch::new(epoch),
        nonce: Nonce::new(u128::from(epoch) * 7919),
    }
}

fn config() -> PodsConfig {
    PodsConfig {
        name: "c".to_owned(),
        slots: 2,
        most: 5,
        idle_release: 60 * SECOND,
        template: "now".to_owned(),
    }
}

fn at(seconds: u64) -> Time {
    Time::from_origin(Duration::from_secs(seconds))
}

/// A pod of the present template, as the API shows it.
fn pod(name: &str, phase: PodPhase) -> PodSeen {
    let epoch = name.split('-').nth(2).and_then(|epoch| epoch.parse().ok());
    PodSeen {
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        epoch: epoch.unwrap_or(0),
        slots: 2,
        template: "now".to_owned(),
        phase,
        is_leaving: false,
        node: None,
        why: None,
    }
}

/// Gangs that lack all that they want, and these TaskManagers.
fn demand(gangs: &[u32], task_managers: &[(&str, u32, UseState)]) -> Demand {
    Demand {
        is_complete: true,
        gangs: (gangs.iter())
            .map(|&wanted| GangNeed {
                wanted,
                lacks: wanted,
            })
            .collect(),
        task_managers: (task_managers.iter())
            .map(|&(name, free, state)| TaskManagerUse {
                name: name.to_owned(),
                slots: 2,
                free,
                is_idle: free == 2,
                state,
            })
            .collect(),
    }
}
