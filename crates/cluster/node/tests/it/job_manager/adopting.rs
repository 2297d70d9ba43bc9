//! What the next leader makes of what it finds (R10).

use std::time::Duration;

use incumbent::RecordName;
use incumbent_cluster_core::JobId;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::message::{Command, Order};
use incumbent_cluster_core::record::{JobRecord, JobState};
use serde_json::json;

use super::fake::Fake;
use super::harness::{Manager, Place, fenced, spec, submit, wait};

/// Runs a job under one JobManager, ends that, and waits until the other has adopted the job.
async fn adopts(place: Place, end: impl AsyncFnOnce(Manager)) {
    let first = place.manager("jm-1").await;
    first.leads().await;
    let second = place.manager("jm-2").await;
    let fakes = [
        Fake::start(&place, "tm-1", 2).await,
        Fake::start(&place, "tm-2", 2).await,
    ];
    let job = submit(&first.node, spec("a", 4)).await;
    let before = first.until(job, JobState::Running).await;
    let pids = fakes.each_ref().map(|fake| fake.pids(job));
    let orders = fakes.each_ref().map(|fake| fake.orders().len());
    end(first).await;
    second.leads().await;
    let after = second.until(job, JobState::Running).await;
    assert_eq!(after.attempt, before.attempt);
    assert_eq!(after.restarts, 0);
    let pid = |view: &incumbent_cluster_core::view::JobView| {
        view.tasks.iter().map(|task| task.pid).collect::<Vec<_>>()
    };
    assert_eq!(pid(&after), pid(&before));
    assert_eq!(fakes.each_ref().map(|fake| fake.pids(job)), pids);
    for (fake, known) in fakes.iter().zip(orders) {
        let orders = fake.orders();
        let harm = |command: &Command| matches!(command, Command::End { .. });
        let new = orders.iter().skip(known);
        assert!(!new.clone().any(|order| harm(&order.command)), "{orders:?}");
    }
}

#[tokio::test]
async fn the_next_leader_adopts_the_tasks_of_one_that_died() {
    adopts(Place::memory(), Manager::crash).await;
}

#[tokio::test]
async fn the_next_leader_adopts_the_tasks_of_one_that_was_stopped() {
    adopts(Place::memory(), Manager::stop).await;
}

#[tokio::test]
async fn the_next_leader_adopts_the_tasks_on_a_directory() {
    adopts(Place::directory(), Manager::crash).await;
}

#[tokio::test]
async fn the_next_leader_adopts_the_tasks_of_one_that_was_cut_off() {
    adopts(Place::memory(), async |first: Manager| {
        first.cut();
        // It goes on as a process, and must do nothing.
        std::mem::forget(first);
    })
    .await;
}

/// No order of any of them is answered within its term.
#[tokio::test]
async fn takeovers_in_quick_succession_restart_nothing_on_a_task_manager_that_is_slow() {
    let place = Place::memory();
    let mut leader = place.manager("jm-0").await;
    leader.leads().await;
    let fake = Fake::start(&place, "tm-1", 2).await;
    let job = submit(&leader.node, fenced("a", 2)).await;
    leader.until(job, JobState::Running).await;
    let pids = fake.pids(job);
    fake.slow(Duration::from_secs(5));
    for number in 1..=6 {
        let next = place.manager(&format!("jm-{number}")).await;
        std::mem::replace(&mut leader, next).crash().await;
        leader.leads().await;
        let view = leader.until(job, JobState::Running).await;
        assert_eq!((view.attempt, view.restarts), (1, 0));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(fake.pids(job), pids);
    let orders = fake.orders();
    let is_end = |order: &Order| matches!(order.command, Command::End { .. });
    assert!(!orders.iter().any(is_end), "{orders:?}");
}

#[tokio::test]
async fn a_store_that_loses_requests_and_answers_costs_time_and_nothing_else() {
    let place = Place::memory();
    let managers = [place.manager("jm-1").await, place.manager("jm-2").await];
    let node = place.node("any", "127.0.0.1:1".parse().unwrap()).await;
    let fake = Fake::start(&place, "tm-1", 8).await;
    fake.is_registered().await;
    for manager in &managers {
        manager.rage(true);
    }
    let mut jobs = Vec::new();
    for number in 0..8 {
        jobs.push(submit(&node, spec(&format!("job-{number}"), 1)).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for manager in &managers {
        manager.rage(false);
    }
    for job in &jobs {
        let name = job.record();
        wait("the job runs in its first attempt", async || {
            let read = node.group().read::<JobRecord>(&name).await;
            let record = read.unwrap().unwrap().data;
            assert_eq!((record.restarts, record.ended.len()), (0, 0));
            record.state == JobState::Running && fake.pids(*job).len() == 1
        })
        .await;
    }
    assert_eq!(fake.early(), Vec::<String>::new());
}

#[tokio::test]
async fn a_job_that_was_submitted_while_nobody_led_runs() {
    let place = Place::memory();
    let node = place.node("any", "127.0.0.1:1".parse().unwrap()).await;
    let job = submit(&node, spec("a", 1)).await;
    let _fake = Fake::start(&place, "tm-1", 1).await;
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    manager.until(job, JobState::Running).await;
}

#[tokio::test]
async fn a_job_that_has_ended_is_read_and_not_sealed_and_can_be_removed() {
    let place = Place::memory();
    let first = place.manager("jm-1").await;
    first.leads().await;
    let _fake = Fake::start(&place, "tm-1", 1).await;
    let job = submit(&first.node, spec("a", 1)).await;
    first.until(job, JobState::Running).await;
    first.ask(Question::Cancel(job)).await;
    first.until(job, JobState::Canceled).await;
    let node = place.node("any", "127.0.0.1:1".parse().unwrap()).await;
    let name = job.record();
    let written = node.group().read::<serde_json::Value>(&name).await;
    let second = place.manager("jm-2").await;
    first.crash().await;
    second.leads().await;
    second.until(job, JobState::Canceled).await;
    let read = node.group().read::<serde_json::Value>(&name).await;
    assert_eq!(read.unwrap(), written.unwrap());
    assert_eq!(second.ask(Question::Remove(job)).await, Answer::Done);
    let read = node.group().read::<serde_json::Value>(&name).await;
    assert_eq!(read.unwrap(), None);
}

#[tokio::test]
async fn a_damaged_record_is_told_and_disturbs_no_other_job() {
    let place = Place::memory();
    let node = place.node("any", "127.0.0.1:1".parse().unwrap()).await;
    let damaged = JobId::new(7);
    let name: RecordName = damaged.record();
    let nonsense = json!({ "format": 1, "id": "who knows" });
    node.group().create(&name, &nonsense).await.unwrap();
    let job = submit(&node, spec("a", 1)).await;
    let _fake = Fake::start(&place, "tm-1", 1).await;
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    manager.until(job, JobState::Running).await;
    let answer = manager.ask(Question::Job(damaged)).await;
    assert!(matches!(answer, Answer::Damaged(_)), "{answer:?}");
    // It is left as it is, for a person to look at.
    let left = node.group().read::<serde_json::Value>(&name).await;
    assert_eq!(left.unwrap().unwrap().data, nonsense);
}
