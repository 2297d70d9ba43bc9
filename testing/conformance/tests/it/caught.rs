//! The claim that names a flaw catches it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use incumbent_conformance::{BARE, Claim, Faults, UNRELIABLE};

use crate::flawed::{Flaw, place};

/// If a claim does not end on a broken backend, it has also caught the flaw: as a test it would
/// never pass.
const PATIENCE: Duration = Duration::from_secs(60);

async fn fails(claim: &Claim, flaw: Flaw, faults: Option<Faults>) -> bool {
    let place = match faults {
        None => place(flaw),
        Some(faults) => place(flaw).unreliable(faults),
    };
    let check = AssertUnwindSafe((claim.check)(place)).catch_unwind();
    !matches!(tokio::time::timeout(PATIENCE, check).await, Ok(Ok(())))
}

fn claim(of: &'static [Claim], name: &str) -> &'static Claim {
    of.iter()
        .find(|claim| claim.name == name)
        .unwrap_or_else(|| panic!("there is no claim {name}"))
}

macro_rules! caught {
    ($($test:ident: $flaw:ident by $($claim:ident)+;)*) => { $(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            for name in [$(stringify!($claim)),+] {
                assert!(fails(claim(BARE, name), Flaw::$flaw, None).await, "{name} did not notice");
            }
        }
    )* };
}

caught! {
    ignoring_versions_is_caught: IgnoresVersion by
        replace_at_a_stale_version_conflicts_and_changes_nothing
        random_operations_agree_with_a_model
        concurrent_increments_lose_nothing
        history_of_one_key_is_linearizable;
    creating_over_existing_keys_is_caught: CreatesOverExisting by
        create_of_an_existing_key_conflicts_and_changes_nothing
        random_operations_agree_with_a_model
        concurrent_creates_have_one_winner;
    comparing_before_writing_is_caught: ComparesThenWrites by
        concurrent_creates_have_one_winner
        concurrent_increments_lose_nothing
        history_of_one_key_is_linearizable;
    stale_reads_are_caught: ReadsFromCache by
        handles_see_acknowledged_writes_of_others_at_once
        random_operations_agree_with_a_model
        history_of_one_key_is_linearizable;
    versions_made_from_bodies_are_caught: VersionIsChecksum by
        the_same_body_written_again_has_a_new_version
        versions_never_repeat;
    versions_that_start_again_are_caught: VersionsWrapAround by versions_never_repeat;
    versions_that_start_again_with_the_key_are_caught: VersionsCountFromOne by
        a_key_removed_by_hand_and_created_again_takes_no_old_version;
    lost_writes_are_caught: LosesWrites by
        versions_never_repeat
        random_operations_agree_with_a_model
        concurrent_increments_lose_nothing
        history_of_one_key_is_linearizable;
    commits_told_as_conflicts_are_caught: TellsConflictForCommit by
        random_operations_agree_with_a_model
        concurrent_increments_lose_nothing
        history_of_one_key_is_linearizable;
    conflicts_with_nobody_are_caught: ConflictsWithNobody by
        random_operations_agree_with_a_model
        history_of_one_key_is_linearizable;
    halves_of_writes_are_caught: WritesInTwoSteps by
        dropped_swaps_leave_a_whole_state;
    forgotten_limits_are_caught: ForgetsTooLarge by a_body_above_the_limit_is_refused_and_nothing_is_written;
    erasures_without_compare_and_swap_are_caught: ErasesAnyVersion by
        an_erasure_at_another_version_conflicts_and_changes_nothing;
    erasures_that_do_nothing_are_caught: ErasesNothing by
        an_erased_key_is_gone_and_can_be_created_again;
    strange_groups_are_caught: TellsStrangeGroups by each_group_that_has_a_key_is_told;
    cut_bodies_are_caught: CutsLongBodies by a_body_at_the_limit_is_kept;
    text_only_bodies_are_caught: EndsBodiesAtNul by bodies_of_any_bytes_are_kept;
    folded_case_is_caught: FoldsCase by names_at_the_limits_are_different_keys;
    cut_names_are_caught: CutsNames by names_at_the_limits_are_different_keys;
    mixed_up_names_are_caught: MixesSlashAndDot by names_at_the_limits_are_different_keys;
    lists_by_prefix_are_caught: ListsByPrefix by groups_do_not_see_each_other;
    lists_of_one_page_are_caught: ListsOnePage by list_shows_exactly_what_exists;
    unordered_lists_are_caught: ListsUnordered by list_shows_exactly_what_exists;
    deaf_watches_are_caught: DeafWatch by
        watch_tells_of_creates_and_replacements
        watch_tells_of_writes_before_it_is_first_polled;
    watches_that_miss_replacements_are_caught: WatchMissesReplacements by watch_tells_of_creates_and_replacements;
    watches_that_repeat_creates_only_are_caught: WatchRepeatsCreates by
        watch_tells_of_creates_and_replacements
        watch_leads_to_the_last_of_many_writes;
    watches_that_forget_the_last_are_caught: WatchForgetsTheLast by watch_leads_to_the_last_of_many_writes;
    watches_of_other_groups_are_caught: WatchTellsEverything by watch_keeps_to_its_group;
    made_up_versions_in_hints_are_caught: WatchTellsWrongVersions by watch_tells_true_versions;
}

#[tokio::test(start_paused = true)]
async fn what_breaks_safety_is_caught_inside_unreliable_too() {
    let flaws = [
        Flaw::IgnoresVersion,
        Flaw::ComparesThenWrites,
        Flaw::LosesWrites,
        Flaw::ReadsFromCache,
    ];
    for flaw in flaws {
        let claim = claim(UNRELIABLE, "history_of_one_key_is_linearizable");
        assert!(
            fails(claim, flaw, Some(Faults::RAGING)).await,
            "{flaw:?} was not noticed"
        );
    }
}
