//! A task that is a shell script with curl: the contract needs no library.

use incumbent_cluster_core::message::{ContractOrder, EndedHow};

use super::super::harness::Cluster;
use super::client::{asked, committed, contract};

/// Counts its checkpoints. Its state is a number, its output a file for each checkpoint that was
/// committed.
const SCRIPT: &str = r#"
set -eu
task() { curl -sS --fail-with-body --unix-socket "$INCUMBENT_TASK_SOCKET" "$@"; }
count=0
if [ -n "${INCUMBENT_RESTORE:-}" ]; then
  count=$(task "http://task/v1/restore/$INCUMBENT_RANK/count")
fi
task -X POST http://task/v1/ready > /dev/null
echo "ready at $count"
task -N http://task/v1/events | while read -r event; do
  number=$(echo "$event" | sed 's/.*"number":\([0-9]*\).*/\1/')
  case "$event" in
    *checkpoint*)
      count=$((count + 1))
      echo "$count" | task -T - "http://task/v1/checkpoints/$number/count" > /dev/null
      task -X POST "http://task/v1/checkpoints/$number/ack" ;;
    *committed*) echo "published $number" ;;
    *stop*) exit 0 ;;
  esac
done
"#;

#[tokio::test]
#[expect(clippy::print_stderr, reason = "skipped aloud")]
async fn a_shell_script_speaks_the_contract() {
    if std::process::Command::new("curl")
        .arg("-V")
        .output()
        .is_err()
    {
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let script = cluster.path("count.sh");
    std::fs::write(&script, SCRIPT).unwrap();
    let mut deploy = leader.deploy(&["sh", script.to_str().unwrap()]);
    deploy.is_checkpointing = true;
    leader.start(&deploy).await;
    let id = deploy.task;
    let of = |known: &super::super::harness::Known| known.contracts.get(&id).cloned();
    leader
        .told("it is ready", |known| {
            of(known).is_some_and(|said| said.is_ready)
        })
        .await;
    leader.order(contract(id, ContractOrder::Begin)).await;
    leader
        .printed(&deploy, "", |log| log.contains("ready at 0"))
        .await;
    for number in [1, 2] {
        leader.order(contract(id, asked(number))).await;
        let is_acked = |known: &_| {
            let acked = of(known).and_then(|said| said.acked);
            acked.is_some_and(|acked| acked.number == number)
        };
        leader.told("it acknowledges", is_acked).await;
        leader.order(contract(id, committed(number))).await;
        let published = format!("published {number}");
        leader
            .printed(&deploy, "", |log| log.contains(&published))
            .await;
    }
    leader.order(contract(id, ContractOrder::Stop)).await;
    let end = leader.ended(&deploy).await;
    assert_eq!(end.how, EndedHow::Exited { code: 0 }, "{end:?}");
    let said = of(&leader.known()).unwrap();
    assert!(said.was_stopped && said.committed == 2, "{said:?}");
}
