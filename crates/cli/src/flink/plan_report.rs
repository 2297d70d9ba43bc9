//! What `incumbent flink migrate` prints for people. Pure: text from a plan.

use incumbent_flink_ha::{Migration, MigrationState, Move};

use super::report::wrapped;
use crate::show::table;

/// A migration: as it would be, or as it was.
pub(super) fn migration(planned: &Migration, applied: bool) -> String {
    let Migration {
        from,
        to,
        state,
        refusals,
        moves,
        left,
        notes,
    } = planned;
    let mut parts = vec![format!("from {from}\nto   {to}")];
    if !moves.is_empty() {
        let columns = ["JOB", "WHAT", "VALUE", "FROM", "TO", "STATE"];
        let rows = moves.iter().map(|it| row(it, *state, applied));
        parts.push(table(&columns, rows.collect()));
    }
    if !left.is_empty() {
        let rows = left.iter().map(|it| vec![it.key.clone(), it.why.clone()]);
        parts.push(table(&["NOT COPIED", "WHY"], rows.collect()));
    }
    if !refusals.is_empty() {
        let refused: Vec<_> = refusals
            .iter()
            .map(|it| {
                format!(
                    "REFUSED {}: {}\n{}",
                    it.kind.name(),
                    it.key,
                    wrapped(&it.why)
                )
            })
            .collect();
        parts.push(refused.join("\n"));
    } else if !notes.is_empty() {
        let notes: Vec<_> = notes
            .iter()
            .map(|note| format!("NOTE\n{}", wrapped(note)))
            .collect();
        parts.push(notes.join("\n"));
    }
    parts.push(end(planned, applied));
    parts.join("\n\n")
}

fn row(moved: &Move, state: MigrationState, applied: bool) -> Vec<String> {
    let mut words = match (moved.done, state, applied) {
        (true, MigrationState::Complete, true) => "copied",
        (true, ..) => "is there",
        (false, MigrationState::Refused, _) => "not copied",
        (false, ..) => "to be copied",
    }
    .to_owned();
    if moved.deleting {
        words.push_str(", being deleted");
    }
    vec![
        moved.id.clone(),
        moved.what.clone(),
        moved.value.clone(),
        moved.from.clone(),
        moved.to.clone(),
        words,
    ]
}

fn end(planned: &Migration, applied: bool) -> String {
    let Migration { from, to, .. } = planned;
    match (planned.state, applied) {
        (MigrationState::Refused, _) => "Refused. Nothing was written.".into(),
        (MigrationState::NotBegun, _) => {
            "Nothing was written. The same command with --apply does it.".into()
        }
        (MigrationState::HalfDone, _) => {
            "Nothing was written. The copy is unfinished; the same command with --apply goes on."
                .into()
        }
        (MigrationState::Complete, _) => format!(
            "{to} is a whole copy. Start Flink there. {from} keeps its data and is closed: no \
             Flink\nelects a leader there, so that no job runs twice."
        ),
    }
}
