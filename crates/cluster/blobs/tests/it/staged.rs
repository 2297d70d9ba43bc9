//! Files that an upload to a directory is written into, when its process was killed.

use std::time::SystemTime;

use incumbent_cluster_blobs::LEFTOVER_AGE;

use crate::Dir;

#[tokio::test]
async fn what_a_killed_upload_left_is_swept_when_it_is_old_and_ours() {
    let dir = Dir::new().await;
    let random = "0123456789abcdef0123456789abcdef";
    let digest = random.repeat(2);
    let (job, saved) = (
        format!("jobs/{random}/0123456789abcdef"),
        format!("savepoints/{random}"),
    );
    let ours = [
        "cluster.json#1".to_owned(),
        format!("check-{random}#1"),
        format!("uploads/{random}#1"),
        format!("artifacts/{digest}#12"),
        format!("{job}/checkpoints/1/5/0/state-{random}#1"),
        format!("{job}/checkpoints/1/final/0/state-{random}#1"),
        format!("{job}/checkpoints/1/5/manifest-7-{random}.json#1"),
        format!("{job}/logs/1/0/stdout#1"),
        format!("{saved}/savepoint.json#1"),
        format!("{saved}/{random}-0123456789abcdef/1-5/0/state-{random}#1"),
        format!("archive/{random}/0123456789abcdef#1"),
    ];
    let foreign = [
        "notes#1".to_owned(),
        "other/cluster.json#1".to_owned(),
        "uploads/notes#1".to_owned(),
        format!("uploads/{random}#x"),
        format!("artifacts/{random}#1"),
        format!("{job}/checkpoints/1/5/0/state#1"),
        format!("{job}/readme#1"),
        format!("{saved}/readme#1"),
        "archive/x#1".to_owned(),
    ];
    let whole = [
        format!("{job}/checkpoints/1/5/0/state-{random}"),
        format!("artifacts/{digest}"),
    ];
    let write = |name: &String| {
        let path = dir.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "half").unwrap();
        path
    };
    let old = SystemTime::UNIX_EPOCH;
    for name in ours.iter().chain(&foreign).chain(&whole) {
        let path = write(name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(old).unwrap();
    }
    // One that is under way.
    let young = format!("uploads/{}#1", random.replace('0', "1"));
    write(&young);

    let swept = dir.blobs.sweep().await.unwrap();
    assert_eq!((swept.deleted, swept.bytes, swept.more), (11, 44, false));
    let mut left: Vec<_> = foreign.iter().chain(&whole).cloned().collect();
    left.extend([young, "cluster.json".to_owned()]);
    left.sort();
    assert_eq!(dir.files(), left);
    assert_eq!(LEFTOVER_AGE, 24 * 60 * 60);
    assert_eq!(dir.blobs.sweep().await.unwrap().deleted, 0);
}
