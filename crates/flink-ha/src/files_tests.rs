use super::*;
use crate::decode::StateHandle;

fn pointer(uri: &str, size: Option<u64>) -> Pointer {
    Pointer {
        key: "key".into(),
        handle: Some(StateHandle {
            outermost: String::new(),
            class: String::new(),
            path: Some(uri.into()),
            size,
            deleting: false,
        }),
        defect: None,
        deleting: false,
        locks: Vec::new(),
        file: None,
    }
}

#[tokio::test]
async fn a_local_file_is_whole_missing_or_of_another_size() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a b"), "1234").unwrap();
    let dir = dir.path().display();
    for uri in [
        format!("file:{dir}/a%20b"),
        format!("file://{dir}/a%20b"),
        format!("file://localhost{dir}/a%20b"),
    ] {
        let look = async |size| state(&pointer(&uri, size)).await.unwrap();
        assert_eq!(look(Some(4)).await, FileState::Whole, "{uri}");
        assert_eq!(look(None).await, FileState::Whole, "{uri}");
        let short = FileState::WrongSize { size: 4 };
        assert_eq!(look(Some(5)).await, short, "{uri}");
    }
    for missing in [format!("file:{dir}/none"), format!("file:{dir}/a%20b/none")] {
        let found = state(&pointer(&missing, Some(4))).await;
        assert_eq!(found, Some(FileState::Missing), "{missing}");
    }
}

#[tokio::test]
async fn a_file_elsewhere_is_not_looked_at_and_says_why() {
    for (uri, word) in [
        ("s3://bucket/ha/completedCheckpoint1", "scheme s3"),
        ("hdfs://name:8020/chk-3/_metadata", "scheme hdfs"),
        ("file://other/ha/a", "another host"),
        ("file:/ha/a%00b", "NUL byte"),
    ] {
        let Some(FileState::NotLookedAt { why }) = state(&pointer(uri, None)).await else {
            panic!("{uri} was looked at");
        };
        assert!(why.contains(word), "{uri}: {why}");
    }
    for name in ["in memory", "a:b", ""] {
        assert_eq!(state(&pointer(name, Some(1))).await, None, "{name}");
    }
}
