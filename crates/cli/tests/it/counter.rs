//! The promise as a user sees it: a shell script counts. Whatever happens to the nodes, no
//! acknowledged step is lost.

use rustix::process::Signal;

use crate::harness::{Node, Place, eventually, kill, parent, stop, timed, until};

/// Counts upwards, and notes each acknowledged step: `EPOCH VALUE HOLDER`.
const COUNT: &str = r#"
    echo $$ > pid-$INCUMBENT_HOLDER
    while :; do
        n=$($I records get counter --default 0) || continue
        $I records put counter $((n + 1)) && echo "$INCUMBENT_EPOCH $((n + 1)) $INCUMBENT_HOLDER" >> acknowledged
    done
"#;

const FLAGS: [&str; 5] = ["--lease", "1500ms", "--log", "warn", "--ready-now"];

/// A step that was acknowledged to the script.
#[derive(Clone, Debug)]
struct Step {
    epoch: u64,
    value: u64,
    holder: String,
}

fn acknowledged(place: &Place) -> Vec<Step> {
    let text = std::fs::read_to_string(place.path("acknowledged")).unwrap_or_default();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let step = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        Step {
            epoch: words[0].parse().unwrap(),
            value: words[1].parse().unwrap(),
            holder: words[2].to_owned(),
        }
    };
    whole.map(step).collect()
}

fn highest_epoch(place: &Place) -> u64 {
    let steps = acknowledged(place);
    steps.iter().map(|step| step.epoch).max().unwrap_or(0)
}

#[derive(Clone, Copy, Debug)]
enum Disturbance {
    Kill,
    Terminate,
    /// Stops the runner past its lease; its guard ends the command.
    Pause,
    /// Stops runner, guard and command past the lease, then continues runner and command before the
    /// guard.
    PauseAll,
    Resign,
}

#[test]
fn a_counter_survives_a_hundred_kills_pauses_and_hand_overs() {
    use Disturbance::{Kill, Pause, PauseAll, Resign, Terminate};
    // Each pause costs a lease, so there are fewer of them.
    const ROUND: [Disturbance; 10] = [
        Kill, Resign, Terminate, Kill, Resign, Terminate, Kill, Pause, Terminate, Resign,
    ];
    let place = Place::new();
    let mut nodes: Vec<_> = ["a", "b", "c"]
        .map(|name| place.node(name, &FLAGS, COUNT))
        .into();
    let ((), took) = timed(|| {
        for number in 0..100 {
            let disturbance = if number % 20 == 19 {
                PauseAll
            } else {
                ROUND[number % 10]
            };
            let leader = counting(&place);
            let at = nodes.iter().position(|node| node.name == leader).unwrap();
            disturb(&place, &mut nodes, at, disturbance);
        }
        counting(&place);
    });

    for node in &mut nodes {
        assert!(node.is_running(), "{} should stand by or lead", node.name);
        node.signal(Signal::TERM);
        node.ended();
    }
    let mut steps = acknowledged(&place);
    // A command that was paused after its write may have noted it late, so the steps are sorted by
    // epoch.
    steps.sort_by_key(|step| step.epoch);
    let epochs = steps.chunk_by(|a, b| a.epoch == b.epoch).count();
    eprintln!(
        "{} steps in {epochs} epochs, 100 disturbances in {took:?}",
        steps.len()
    );
    for two in steps.windows(2) {
        assert!(
            two[0].value < two[1].value,
            "{two:?}: never back, and never the same step twice"
        );
    }
    let kept = place.ask(&["records", "get", "counter"]).assert_code(0);
    let kept: u64 = kept.out.trim().parse().unwrap();
    let highest = steps.last().unwrap().value;
    assert!(
        kept >= highest,
        "{highest} was acknowledged, and {kept} is kept"
    );
    assert!(epochs > 70, "{epochs}");
}

/// Waits until a leader has continued to count in the newest epoch, and returns its name.
fn counting(place: &Place) -> String {
    let (before, epoch) = (acknowledged(place).len(), highest_epoch(place));
    eventually("somebody counts", || {
        let steps = acknowledged(place);
        let new = steps.get(before..)?.iter();
        let newest = new.rev().find(|step| step.epoch >= epoch)?;
        Some(newest.holder.clone())
    })
}

fn disturb(place: &Place, nodes: &mut [Node], at: usize, disturbance: Disturbance) {
    let name = nodes[at].name.clone();
    let restarted = || place.node(&name, &FLAGS, COUNT);
    let before = highest_epoch(place);
    match disturbance {
        Disturbance::Kill => {
            nodes[at].kill();
            nodes[at] = restarted();
        }
        Disturbance::Terminate => {
            nodes[at].signal(Signal::TERM);
            nodes[at].ended();
            nodes[at] = restarted();
        }
        Disturbance::Resign => {
            place.ask(&["resign"]).assert_code(0);
        }
        Disturbance::Pause => {
            stop(nodes[at].pid());
            until("another counts", || highest_epoch(place) > before);
            nodes[at].signal(Signal::CONT);
        }
        Disturbance::PauseAll => {
            let command: i32 = place.note(&format!("pid-{name}")).parse().unwrap();
            let guard = parent(command);
            for pid in [guard, nodes[at].pid(), command] {
                stop(pid);
            }
            until("another counts", || highest_epoch(place) > before);
            let counted = acknowledged(place).len();
            nodes[at].signal(Signal::CONT);
            kill(command, Signal::CONT);
            // The old command keeps trying to write meanwhile.
            until("the new one counts", || {
                acknowledged(place).len() > counted + 5
            });
            kill(guard, Signal::CONT);
        }
    }
}
