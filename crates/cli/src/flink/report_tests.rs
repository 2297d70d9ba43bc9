use incumbent_flink_ha::{Leader, LeaderEntry, ProblemKind};

use super::*;

fn problem_of(severity: Severity, key: &str, follows: &str) -> Problem {
    Problem {
        severity,
        kind: ProblemKind::CounterBehind,
        key: key.into(),
        reason: "the counter is missing".into(),
        follows: follows.into(),
    }
}

#[test]
fn a_problem_says_how_bad_it_is_what_is_wrong_and_what_follows() {
    let long = "word ".repeat(40);
    let text = problems(&[
        problem_of(Severity::Critical, "job", long.trim_end()),
        problem_of(Severity::Note, "other", "Nothing."),
    ]);
    let text = anstream::adapter::strip_str(&text).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "2 problems: 1 critical, 1 note");
    assert_eq!(
        lines[2..4],
        ["CRITICAL counter-behind: job", "  the counter is missing"]
    );
    assert!(lines.iter().all(|line| line.len() <= WIDTH), "{text}");
    assert_eq!(
        lines[lines.len() - 3..],
        [
            "NOTE counter-behind: other",
            "  the counter is missing",
            "  Nothing."
        ]
    );
    assert_eq!(problems(&[]), "no problems");
}

/// Whatever a store holds, a terminal only shows it.
#[test]
fn stored_text_is_printed_escaped() {
    let evil = "a\u{1b}]0;title\u{7}\u{202e}b\nc";
    let mut all = FlinkCluster {
        source: evil.into(),
        ..FlinkCluster::default()
    };
    let leader = Leader {
        session: "8b5f5a4e-1c55-4f0c-9d2e-000000000001".parse().unwrap(),
        address: evil.into(),
    };
    let entry = LeaderEntry {
        key: evil.into(),
        leader,
        owner: None,
    };
    all.leaders.insert(evil.into(), entry);
    all.elections.push(Election {
        key: evil.into(),
        holder: Some(evil.into()),
        owner: Some(evil.into()),
        waiting: None,
        lock: None,
        renewal: None,
    });
    all.jobs.insert(evil.into(), FlinkJob::default());
    let mut evil_problem = problem_of(Severity::Note, evil, evil);
    evil_problem.reason = evil.into();
    all.problems.push(evil_problem);
    let listed = clusters(&[ClusterSummary {
        name: evil.into(),
        address: evil.into(),
        rest_server: Some(evil.into()),
        jobs: 1,
    }]);
    for text in [cluster(&all), listed] {
        assert!(text.contains(r"a\u{1b}]0;title\u{7}\u{202e}b\nc"), "{text}");
        assert!(!text.contains(['\u{7}', '\u{202e}']), "{text}");
        assert!(!text.contains("\u{1b}]"), "{text}");
    }
}

#[test]
fn a_cluster_without_jobs_says_so() {
    let text = cluster(&FlinkCluster::default());
    assert!(
        text.contains("\n\nno jobs\n\n") && text.contains("no election"),
        "{text}"
    );
    let nobody = text.lines().filter(|line| line.ends_with("nobody"));
    assert_eq!(nobody.count(), 3, "{text}");
}
