//! Faults, only on the double: a real server does not fail on demand.

use std::time::{Duration, Instant};

use incumbent_kubernetes_double::{Fault, How, Match, Verb};
use serde_json::json;

use crate::api::{Api, wait_until};

/// Strikes the next request that it matches.
pub(crate) fn once(verb: Verb, how: How) -> Fault {
    Fault {
        on: Match::on(verb, "configmaps"),
        skip: 0,
        times: Some(1),
        how,
    }
}

/// Creates a ConfigMap, or returns that the connection broke.
pub(crate) async fn post(api: &Api, name: &str) -> Result<u16, kube::Error> {
    let body = api.config_map(name, "1").to_string();
    Ok(api
        .send_or_fail("POST", &api.path("configmaps", ""), &[], body.as_bytes())
        .await?
        .status)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test measures how late an answer comes"
)]
fn clock() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn an_answer_can_be_ordered() {
    let (double, api) = Api::of_double().await;
    let message = "not now".to_owned();
    let how = How::Answer {
        status: 429,
        reason: "TooManyRequests".into(),
        message,
        retry_after: Some(7),
    };
    let fault = double.inject(Fault {
        skip: 1,
        times: Some(2),
        ..once(Verb::Create, how)
    });
    assert_eq!(post(&api, "a").await.unwrap(), 201);
    for name in ["b", "c"] {
        let got = api
            .post(&api.path("configmaps", ""), &api.config_map(name, "1"))
            .await;
        let got = got.refused(429, "TooManyRequests", "not now");
        assert_eq!(
            (
                &got.headers["retry-after"],
                &got.body["details"]["retryAfterSeconds"]
            ),
            (&"7".parse().unwrap(), &json!(7))
        );
    }
    assert_eq!(double.struck(fault), 2);
    assert_eq!(post(&api, "d").await.unwrap(), 201);
    assert_eq!(double.count("configmaps", "default"), 2);
}

#[tokio::test]
async fn a_cut_before_does_nothing_and_a_cut_after_does_it() {
    let (double, api) = Api::of_double().await;
    for (how, done) in [
        (How::CutBefore, false),
        (How::CutAfter, true),
        (How::CutInAnswer, true),
    ] {
        double.inject(once(Verb::Create, how.clone()));
        post(&api, "a").await.unwrap_err();
        let found = double.delete_by_hand("configmaps", "default", &api.name("a"));
        assert_eq!(found.is_some(), done, "{how:?}");
    }
    assert_eq!(post(&api, "a").await.unwrap(), 201);
}

#[tokio::test]
async fn a_cut_in_an_answer_shows_its_first_half() {
    let (double, api) = Api::of_double().await;
    post(&api, "a").await.unwrap();
    let whole = api.get(&api.one("configmaps", "a")).await.text.len() as u64;
    double.forget_seen();
    double.inject(once(Verb::Get, How::CutInAnswer));
    api.send_or_fail("GET", &api.one("configmaps", "a"), &[], b"")
        .await
        .unwrap_err();
    let seen = double.seen();
    assert_eq!((seen[0].status, seen[0].bytes_out), (200, whole / 2));
}

#[tokio::test]
async fn a_delay_comes_before_or_after() {
    let (double, api) = Api::of_double().await;
    let late = Duration::from_millis(150);
    for (before, after) in [(late, Duration::ZERO), (Duration::ZERO, late)] {
        double.inject(once(Verb::Create, How::Delay { before, after }));
        let start = clock();
        let name = api.name("a");
        let asked = tokio::spawn({
            let api = api.clone();
            async move { post(&api, "a").await.unwrap() }
        });
        wait_until("the request is there", || async {
            !double.seen().is_empty()
        })
        .await;
        if after == late {
            wait_until("it is done", || async {
                double.object("configmaps", "default", &name).is_some()
            })
            .await;
        }
        assert_eq!(asked.await.unwrap(), 201);
        assert!(start.elapsed() >= late);
        double.delete_by_hand("configmaps", "default", &name);
        double.forget_seen();
    }
}

#[tokio::test]
async fn a_request_that_hangs_is_cut_by_going_down() {
    let (double, api) = Api::of_double().await;
    for (how, done) in [(How::HangBefore, false), (How::HangAfter, true)] {
        double.inject(once(Verb::Create, how));
        double.forget_seen();
        let asked = tokio::spawn({
            let api = api.clone();
            async move { post(&api, "a").await }
        });
        wait_until("the request is there", || async {
            !double.seen().is_empty()
        })
        .await;
        wait_until("it is done", || async {
            double.count("configmaps", "") == usize::from(done)
        })
        .await;
        assert_eq!(double.seen()[0].status, 0);
        double.go_down();
        asked.await.unwrap().unwrap_err();
        double.come_back();
    }
}

#[tokio::test]
async fn a_fault_can_be_for_one_name_and_be_lifted() {
    let (double, api) = Api::of_double().await;
    let on = Match {
        verb: None,
        resource: None,
        name: Some(api.name("a")),
    };
    let fault = double.inject(Fault {
        on,
        skip: 0,
        times: None,
        how: How::CutBefore,
    });
    post(&api, "a").await.unwrap_err();
    assert_eq!(post(&api, "b").await.unwrap(), 201);
    double.clear_fault(fault);
    assert_eq!(post(&api, "a").await.unwrap(), 201);
    double.inject(Fault {
        on: Match::any(),
        skip: 0,
        times: None,
        how: How::CutBefore,
    });
    api.send_or_fail("GET", "/version", &[], b"")
        .await
        .unwrap_err();
    double.clear_faults();
    api.get("/version").await.is(200);
}
