//! The claims, as lists and as tests.

use futures::future::BoxFuture;

use crate::{Faults, Place};

/// One claim of the contract.
pub struct Claim {
    /// The claim's name, which is also the name of its test.
    pub name: &'static str,
    /// Panics if the claim does not hold.
    pub check: fn(Place) -> BoxFuture<'static, ()>,
}

/// Checks all claims one after the other, each in a new place from `place`.
///
/// # Panics
///
/// If a claim does not hold.
pub async fn check(place: impl Fn() -> Place) {
    for claim in BARE {
        (claim.check)(place()).await;
    }
}

/// Checks all claims that can be checked inside [`Unreliable`](crate::Unreliable).
///
/// # Panics
///
/// If a claim does not hold.
pub async fn check_unreliable(place: impl Fn() -> Place) {
    for claim in UNRELIABLE {
        (claim.check)(place().unreliable(Faults::RAGING)).await;
    }
}

/// Runs one claim on a runtime of its own, or reports that it is skipped.
#[doc(hidden)]
#[allow(clippy::print_stderr, reason = "a skipped test is skipped aloud")]
pub fn run<P: Into<Option<Place>>>(
    name: &str,
    check: fn(Place) -> BoxFuture<'static, ()>,
    place: impl FnOnce() -> P,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        match place().into() {
            Some(place) => check(place).await,
            None => eprintln!("SKIPPED {name}: there is no place to check it in"),
        }
    });
}

/// Makes one `#[test]` per claim. The expression gives the place: a [`Place`], or an `Option` of
/// one.
///
/// Each test evaluates the expression once, inside a Tokio runtime.
#[macro_export]
macro_rules! bare {
    ($place:expr) => {
        $crate::__bare_claims! { __tests { |place: $crate::Place| place, $place } }
    };
}

/// Like [`bare!`], for the claims that also hold inside [`Unreliable`](crate::Unreliable), with
/// [`Faults::RAGING`](crate::Faults::RAGING).
#[macro_export]
macro_rules! unreliable {
    ($place:expr) => {
        $crate::__unreliable_claims! {
            __tests { |place: $crate::Place| place.unreliable($crate::Faults::RAGING), $place }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ({ $with:expr, $place:expr } $($claim:ident)*) => {
        $(
            #[test]
            fn $claim() {
                let place = || ::core::option::Option::<$crate::Place>::from($place).map($with);
                $crate::run(stringify!($claim), |place| Box::pin($crate::claims::$claim(place)), place);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ({ $(#[$doc:meta])* $name:ident } $($claim:ident)*) => {
        $(#[$doc])*
        pub const $name: &[$crate::Claim] = &[
            $($crate::Claim { name: stringify!($claim), check: |place| Box::pin($crate::claims::$claim(place)) }),*
        ];
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __bare_claims {
    ($then:ident $args:tt) => {
        $crate::$then! { $args
            absent_key_reads_as_nothing
            created_body_is_read_back
            create_of_an_existing_key_conflicts_and_changes_nothing
            replaced_body_is_read_back
            replace_at_a_stale_version_conflicts_and_changes_nothing
            replace_of_an_absent_key_conflicts_and_creates_nothing
            the_same_body_written_again_has_a_new_version
            versions_never_repeat
            a_key_removed_by_hand_and_created_again_takes_no_old_version
            an_erased_key_is_gone_and_can_be_created_again
            an_erasure_at_another_version_conflicts_and_changes_nothing
            of_erasures_and_swaps_at_one_version_one_wins
            keys_do_not_touch_each_other
            bodies_of_any_bytes_are_kept
            a_body_at_the_limit_is_kept
            a_body_above_the_limit_is_refused_and_nothing_is_written
            names_at_the_limits_are_different_keys
            list_of_an_empty_group_is_empty
            list_shows_exactly_what_exists
            groups_do_not_see_each_other
            each_group_that_has_a_key_is_told
            handles_see_acknowledged_writes_of_others_at_once
            random_operations_agree_with_a_model
            concurrent_creates_have_one_winner
            concurrent_increments_lose_nothing
            history_of_one_key_is_linearizable
            dropped_swaps_leave_a_whole_state
            watch_tells_of_creates_and_replacements
            watch_tells_of_writes_before_it_is_first_polled
            watch_keeps_to_its_group
            watch_tells_true_versions
            watch_leads_to_the_last_of_many_writes
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __unreliable_claims {
    ($then:ident $args:tt) => {
        $crate::$then! { $args
            list_shows_exactly_what_exists
            concurrent_creates_have_one_winner
            concurrent_increments_lose_nothing
            history_of_one_key_is_linearizable
            dropped_swaps_leave_a_whole_state
        }
    };
}

__bare_claims! { __table {
    /// The claims that hold for every backend.
    BARE
} }
__unreliable_claims! { __table {
    /// The claims that also hold inside [`Unreliable`](crate::Unreliable).
    UNRELIABLE
} }
