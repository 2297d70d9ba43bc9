//! What goes wrong with a bucket: lost answers, outages, other clusters, and stores that cannot do
//! what they should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use incumbent_cluster_blobs::{Blobs, Error, Written};
use incumbent_cluster_core::checkpoint::{
    CheckpointId, MANIFEST_FORMAT, Manifest, PartKind, PartPlace, RankPart, RestorePoint,
    StoredFile,
};
use incumbent_cluster_core::leader::Tidy;
use incumbent_cluster_core::{Attempt, Rank, TaskId};
use incumbent_core::Epoch;
use incumbent_s3_double::{Act, Double, Fault, How, Options};

use crate::{OURS, content, pieces, task};

const URL: &str = "s3://bucket/ours";

/// More than one part of a bucket.
const LONG: usize = 9 * 1024 * 1024;

async fn open(double: &Double) -> Blobs {
    let blobs = Blobs::open_with(URL, double.settings()).await.unwrap();
    blobs.belongs_to(OURS).await.unwrap();
    blobs
}

fn start() -> Double {
    Double::start(Options::default())
}

/// Strikes requests of a kind, from the first or after some.
fn strike(double: &Double, on: Act, skip: u32, times: Option<u32>, how: How) {
    double.inject(Fault {
        on: Some(on),
        skip,
        times,
        how,
    });
}

fn task_of() -> TaskId {
    task(1, 2, 3, 0)
}

fn id(number: u64) -> CheckpointId {
    let TaskId {
        job,
        incarnation,
        attempt,
        ..
    } = task_of();
    CheckpointId {
        job,
        incarnation,
        attempt,
        number,
        savepoint: None,
    }
}

fn place(number: u64) -> PartPlace {
    PartPlace {
        checkpoint: id(number),
        rank: Rank(0),
        kind: PartKind::Numbered,
    }
}

async fn put(blobs: &Blobs, content: &[u8]) -> Result<StoredFile, Error> {
    let content = pieces(content, 1 << 20);
    blobs.put_checkpoint_file(place(5), "state", content).await
}

async fn read(blobs: &Blobs, file: &StoredFile) -> Result<Vec<u8>, Error> {
    let parts: Vec<Bytes> = blobs
        .read_checkpoint_file(&id(5), file)
        .try_collect()
        .await?;
    Ok(parts.concat())
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_counts_once() {
    let double = start();
    let blobs = open(&double).await;
    for (act, length) in [
        (Act::Put, 10),
        (Act::Begin, LONG),
        (Act::Part, LONG),
        (Act::Complete, LONG),
    ] {
        let before = double.objects().len();
        strike(&double, act, 0, Some(1), How::CutAfter);
        let whole = content(length);
        let stored = put(&blobs, &whole).await.unwrap();
        assert!(read(&blobs, &stored).await.unwrap() == whole, "{act:?}");
        assert_eq!(double.objects().len(), before + 1, "{act:?}");
    }
    let task = task_of();
    strike(&double, Act::Put, 0, Some(1), How::CutAfter);
    let written = blobs.put_log_tail(task, "stdout", "tail".into()).await;
    // It may be this write that was there already.
    assert!(matches!(written, Ok(Written::New | Written::Already)));
    assert_eq!(blobs.log_tail(task, "stdout").await.unwrap(), "tail");
}

#[tokio::test]
async fn a_write_whose_answers_are_all_lost_is_settled_by_asking() {
    let double = start();
    let blobs = open(&double).await;
    for (act, length) in [(Act::Put, 10), (Act::Complete, LONG), (Act::Copy, 10)] {
        let whole = content(length);
        let before = put(&blobs, b"before").await.unwrap();
        strike(&double, act, 0, None, How::CutAfter);
        let stored = match act {
            Act::Copy => {
                let copied = blobs.copy_checkpoint_file(&id(5), &before, place(6)).await;
                let copied = copied.unwrap();
                assert!(copied.object.starts_with("3/6/0/state-"));
                continue;
            }
            _ => put(&blobs, &whole).await.unwrap(),
        };
        double.heal();
        assert!(read(&blobs, &stored).await.unwrap() == whole, "{act:?}");
    }
    double.heal();
}

#[tokio::test]
async fn an_upload_that_fails_or_is_dropped_leaves_no_parts_to_pay_for() {
    let double = start();
    let blobs = open(&double).await;
    let before = double.objects();
    let whole = content(LONG);

    strike(&double, Act::Part, 1, None, How::Answer(503, "SlowDown"));
    let refused = put(&blobs, &whole).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused:?}");
    double.heal();
    let broken = pieces(&whole, 1 << 20).chain(stream::iter([Err(std::io::Error::other("gone"))]));
    let refused = blobs.put_checkpoint_file(place(5), "state", broken).await;
    assert!(matches!(refused, Err(Error::Sender { .. })), "{refused:?}");

    let (dried_up, waits) = tokio::sync::oneshot::channel::<()>();
    let mut dried_up = Some(dried_up);
    let endless = pieces(&whole, 1 << 20).chain(stream::poll_fn(move |_| {
        if let Some(dried_up) = dried_up.take() {
            dried_up.send(()).unwrap();
        }
        std::task::Poll::Pending
    }));
    tokio::select! {
        done = blobs.put_checkpoint_file(place(5), "state", endless) => panic!("{done:?}"),
        all_read = waits => all_read.unwrap(),
    }
    // Given up by a task of its own: there is nothing else to wait for.
    while double.unfinished() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(double.objects(), before);
    assert_eq!(double.seen(Act::Abort), 3);
}

#[tokio::test]
async fn an_outage_that_comes_and_goes_is_told_as_one() {
    let double = start();
    let blobs = open(&double).await;
    let kept = put(&blobs, b"kept").await.unwrap();
    // A short one is ridden out.
    for act in [Act::Put, Act::Get, Act::Head, Act::List] {
        strike(&double, act, 0, Some(2), How::Answer(503, "SlowDown"));
        strike(&double, act, 0, Some(1), How::CutBefore);
    }
    put(&blobs, b"also kept").await.unwrap();
    read(&blobs, &kept).await.unwrap();
    blobs.artifacts(None, 10).await.unwrap();
    blobs.check().await.unwrap();
    double.heal();

    let everything = Fault {
        on: None,
        skip: 0,
        times: None,
        how: How::Answer(503, "ServiceUnavailable"),
    };
    double.inject(everything);
    for outage in [
        put(&blobs, b"lost").await.unwrap_err(),
        read(&blobs, &kept).await.unwrap_err(),
        blobs.check().await.unwrap_err(),
        blobs.belongs_to(OURS).await.unwrap_err(),
    ] {
        assert!(matches!(outage, Error::Unavailable { .. }), "{outage:?}");
        assert!(outage.is_outage());
        let cause = std::error::Error::source(&outage).unwrap().to_string();
        // The answer to HEAD has no body, and so no code.
        let said = "the store answered 503";
        assert!(cause.starts_with(said), "{cause}");
    }
    double.heal();
    assert_eq!(read(&blobs, &kept).await.unwrap(), b"kept");
    put(&blobs, b"new").await.unwrap();
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_given_up_in_time() {
    let double = start();
    let mut settings = double.settings();
    settings.push(("AWS_TIMEOUT".to_owned(), "200ms".to_owned()));
    let blobs = Blobs::open_with(URL, settings).await.unwrap();
    let slow = How::Delay(Duration::from_secs(3600));
    strike(&double, Act::Put, 0, None, slow);
    let outage = put(&blobs, b"late").await.unwrap_err();
    assert!(matches!(outage, Error::Unavailable { .. }), "{outage:?}");
    let cause = std::error::Error::source(&outage).unwrap().to_string();
    assert_eq!(cause, "a request was not answered in time");
}

#[tokio::test]
async fn a_store_that_is_gone_is_an_outage() {
    let double = start();
    let blobs = open(&double).await;
    drop(double);
    let outage = put(&blobs, b"lost").await.unwrap_err();
    assert!(matches!(outage, Error::Unavailable { .. }), "{outage:?}");
    let cause = std::error::Error::source(&outage).unwrap().to_string();
    assert!(cause.contains("onnection refused"), "{cause}");
}

#[tokio::test]
async fn a_full_store_is_told_as_full() {
    let double = start();
    let blobs = open(&double).await;
    let kept = put(&blobs, b"kept").await.unwrap();
    let before = double.objects();
    for (status, code) in [
        (507, "InsufficientStorage"),
        (507, "XMinioStorageFull"),
        (403, "QuotaExceeded"),
    ] {
        for act in [Act::Put, Act::Part, Act::Complete] {
            strike(&double, act, 0, None, How::Answer(status, code));
        }
        for length in [10, LONG] {
            let refused = put(&blobs, &content(length)).await.unwrap_err();
            assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
            assert!(refused.is_outage());
        }
        let refused = blobs.check().await.unwrap_err();
        assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
        assert_eq!(read(&blobs, &kept).await.unwrap(), b"kept");
        double.heal();
    }
    while double.unfinished() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(double.objects(), before);
}

#[tokio::test]
async fn two_clusters_cannot_share_a_bucket_unless_in_places_of_their_own() {
    let double = start();
    let ours = open(&double).await;
    let kept = put(&ours, b"kept").await.unwrap();
    let theirs = Blobs::open_with(URL, double.settings()).await.unwrap();
    let refused = theirs.belongs_to("another").await.unwrap_err();
    assert!(matches!(refused, Error::NotOurs { .. }), "{refused:?}");
    assert!(!refused.is_outage());
    // Nor does it delete anything.
    let tidy = Tidy {
        job: task_of().job,
        incarnation: task_of().incarnation,
        attempt: Attempt(99),
        are_older_gone: true,
        listed: Vec::new(),
    };
    let before = double.objects();
    for refused in [
        theirs.tidy(&tidy).await.unwrap_err(),
        theirs.sweep_older_than(0).await.unwrap_err(),
        theirs
            .remove_job(tidy.job, tidy.incarnation)
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(refused, Error::NotOurs { .. }), "{refused:?}");
    }
    assert_eq!(double.objects(), before);

    let beside = Blobs::open_with("s3://bucket/ours-too", double.settings()).await;
    let beside = beside.unwrap();
    beside.belongs_to("another").await.unwrap();
    let tidied = beside.tidy(&tidy).await.unwrap();
    assert_eq!((tidied.deleted, tidied.unknown.len()), (0, 0));
    assert_eq!(read(&ours, &kept).await.unwrap(), b"kept");
}

#[tokio::test]
async fn a_bucket_that_was_emptied_is_not_filled_again() {
    let double = start();
    let blobs = open(&double).await;
    let kept = put(&blobs, b"kept").await.unwrap();
    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        id: id(5),
        ranks: vec![RankPart {
            is_finished: false,
            files: vec![kept.clone()],
        }],
    };
    let pointer = blobs.put_manifest(&manifest, Epoch::new(1)).await.unwrap();
    let point = RestorePoint {
        from: id(5),
        tasks: 1,
        manifest: pointer,
    };
    let tidy = Tidy {
        job: task_of().job,
        incarnation: task_of().incarnation,
        attempt: Attempt(4),
        are_older_gone: true,
        listed: vec![point.clone()],
    };
    double.wipe();
    for outage in [
        put(&blobs, b"new").await.unwrap_err(),
        read(&blobs, &kept).await.unwrap_err(),
        blobs
            .put_manifest(&manifest, Epoch::new(1))
            .await
            .unwrap_err(),
        blobs.manifest(&point).await.unwrap_err(),
        blobs.tidy(&tidy).await.unwrap_err(),
        blobs.check().await.unwrap_err(),
        blobs.belongs_to(OURS).await.unwrap_err(),
        blobs.savepoints(None, 10).await.unwrap_err(),
    ] {
        assert!(matches!(outage, Error::Unavailable { .. }), "{outage:?}");
        assert!(
            outage.to_string().contains("cluster.json is gone"),
            "{outage}"
        );
    }
    assert_eq!(double.objects(), [""; 0]);
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() {
    let double = Double::start(Options {
        ignores_conditions: true,
        ..Options::default()
    });
    let blobs = Blobs::open_with(URL, double.settings()).await.unwrap();
    let refused = blobs.belongs_to(OURS).await.unwrap_err();
    assert!(matches!(refused, Error::Address { .. }), "{refused:?}");
    assert!(refused.to_string().contains("If-None-Match"), "{refused}");
    assert!(!refused.is_outage());
    assert_eq!(double.objects(), [""; 0]);

    let double = start();
    strike(
        &double,
        Act::Put,
        0,
        None,
        How::Answer(501, "NotImplemented"),
    );
    let blobs = Blobs::open_with(URL, double.settings()).await.unwrap();
    let refused = blobs.belongs_to(OURS).await.unwrap_err();
    assert!(refused.to_string().contains("If-None-Match"), "{refused}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let double = start();
    let url = format!("s3://{}", incumbent_s3_double::MISSING);
    let blobs = Blobs::open_with(&url, double.settings()).await.unwrap();
    let refused = blobs.belongs_to(OURS).await.unwrap_err();
    assert!(matches!(refused, Error::Address { .. }), "{refused:?}");
    assert!(refused.to_string().contains("no such bucket"), "{refused}");
}

#[tokio::test]
async fn a_refusal_says_why_and_repeats_no_secret() {
    let double = start();
    let with = |name: &str, value: &str| {
        let mut settings = double.settings();
        settings.retain(|(known, _)| known != name);
        settings.push((name.to_owned(), value.to_owned()));
        settings
    };
    // The double repeats all headers in its refusals, as S3 does.
    let mut settings = with("AWS_ACCESS_KEY_ID", "unknown-key");
    settings.push(("AWS_SESSION_TOKEN".to_owned(), "hunter2-token".to_owned()));
    settings.push(("AWS_SECRET_ACCESS_KEY".to_owned(), "hunter2-key".to_owned()));
    let blobs = Blobs::open_with(URL, settings).await.unwrap();
    let refused = blobs.belongs_to(OURS).await.unwrap_err();
    let Error::Denied { source, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert!(
        source.to_string().starts_with("the store answered 403"),
        "{source}"
    );
    let shown = format!("{refused} {refused:?} {blobs:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains("unknown-key"), "{shown}");

    let endpoint = double.url().replace("://", "://user:hunter2@");
    let blobs = Blobs::open_with(URL, with("AWS_ENDPOINT_URL", &endpoint))
        .await
        .unwrap();
    strike(&double, Act::Put, 0, None, How::CutBefore);
    let outage = blobs.belongs_to(OURS).await.unwrap_err();
    let shown = format!("{outage} {outage:?} {blobs:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn an_upload_reads_no_further_than_the_store_writes() {
    const PIECE: usize = 64 * 1024;
    let double = start();
    let blobs = open(&double).await;
    let slow = How::Delay(Duration::from_secs(3600));
    strike(&double, Act::Part, 0, None, slow);
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let endless = stream::repeat_with(move || {
        count.fetch_add(PIECE, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(vec![7; PIECE]))
    });
    let upload = blobs.put_checkpoint_file(place(5), "state", endless);
    let waits = async {
        while double.seen(Act::Part) == 0 {
            tokio::task::yield_now().await;
        }
        // It would go on reading at once.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = upload => panic!("{done:?}"),
        () = waits => {}
    }
    let read = read.load(Ordering::Relaxed);
    assert!(
        read <= 8 * 1024 * 1024 + PIECE,
        "{read} bytes are in memory"
    );
}

#[tokio::test]
async fn a_checkpoint_costs_few_requests() {
    let double = start();
    let blobs = open(&double).await;
    let all = [
        Act::Put,
        Act::Copy,
        Act::Get,
        Act::Head,
        Act::Delete,
        Act::List,
        Act::Begin,
        Act::Part,
        Act::Complete,
        Act::Abort,
    ];
    let seen = || all.map(|act| (act, double.seen(act)));
    let made = |before: [(Act, u64); 10]| {
        let new = seen().into_iter().zip(before);
        let new = new.map(|((act, now), (_, before))| (act, now - before));
        new.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    let before = seen();
    put(&blobs, b"small").await.unwrap();
    // Whether the bucket is still ours, and the file.
    assert_eq!(made(before), [(Act::Put, 1), (Act::Head, 1)]);
    let before = seen();
    put(&blobs, &content(LONG)).await.unwrap();
    // Whether it is still ours is asked again before the first part makes anything.
    let expected = [
        (Act::Head, 2),
        (Act::Begin, 1),
        (Act::Part, 2),
        (Act::Complete, 1),
    ];
    assert_eq!(made(before), expected);
}
