//! Which directories can be opened, and which error the others give.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use incumbent_backend::{Backend, Expected, Failure, Key, Rights};
use incumbent_backend_file::{FileBackend, FileError};

fn try_open(dir: &Path) -> Result<FileBackend, FileError> {
    open_text(&format!("file://{}", dir.display()))
}

fn open_text(address: &str) -> Result<FileBackend, FileError> {
    FileBackend::open(&address.parse().unwrap())
}

#[test]
fn a_missing_directory_is_created_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("a/b");
    try_open(&store).unwrap();
    assert_eq!(
        fs::metadata(&store).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let marker = fs::read_to_string(store.join("incumbent-store.json")).unwrap();
    assert_eq!(marker, r#"{"incumbent":"store","format":1,"sync":"full"}"#);
    try_open(&store).unwrap();
}

#[test]
fn a_new_volume_is_empty_enough() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    try_open(dir.path()).unwrap();
}

#[test]
fn a_foreign_directory_is_refused_by_name_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("holiday.jpg"), "").unwrap();
    let why = try_open(dir.path()).unwrap_err().to_string();
    assert!(
        why.contains("holiday.jpg") && why.contains(dir.path().to_str().unwrap()),
        "{why}"
    );
    assert_eq!(dir.path().read_dir().unwrap().count(), 1);
}

#[test]
fn a_newer_store_and_a_marker_of_something_else_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("incumbent-store.json");
    for (content, said) in [
        (r#"{"incumbent":"store","format":2}"#, "format is 2"),
        (
            r#"{"incumbent":"store","format":2,"more":true}"#,
            "format is 2",
        ),
        (r#"{"incumbent":"barn","format":1}"#, "not the marker"),
        (
            r#"{"incumbent":"store","format":1,"sync":"often"}"#,
            "full or none",
        ),
        ("", "not the marker"),
    ] {
        fs::write(&marker, content).unwrap();
        let why = try_open(dir.path()).unwrap_err().to_string();
        assert!(
            why.contains(said) && why.contains("incumbent-store.json"),
            "{why}"
        );
    }
}

#[test]
fn a_file_is_no_store() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let why = try_open(file.path()).unwrap_err().to_string();
    assert!(why.contains(file.path().to_str().unwrap()), "{why}");
}

#[test]
fn addresses_that_are_no_directory_of_this_host_are_refused_with_the_reason() {
    for (address, said) in [
        ("memory:x", "scheme"),
        ("file://host/x", "three slashes"),
        ("file:x", "not absolute"),
        ("file:///x?sync=maybe", "maybe"),
        ("file:///x?mode=0600", "\"mode\""),
    ] {
        let why = open_text(address).unwrap_err();
        assert!(
            matches!(why, FileError::Address(_)) && why.to_string().contains(said),
            "{why}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    open_text(&format!(
        "file://localhost{}?sync=none",
        dir.path().display()
    ))
    .unwrap();
}

/// Otherwise one process would acknowledge a write that follows another process's write which is
/// not on the disk.
#[test]
fn what_a_commit_survives_is_the_same_for_all_who_use_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("file://{}", dir.path().join(name).display());
    for (name, made_with, agrees, differs) in [
        ("default", "", "?sync=full", "?sync=none"),
        ("full", "?sync=full", "?sync=full", "?sync=none"),
        ("none", "?sync=none", "?sync=none", "?sync=full"),
    ] {
        let address = at(name);
        open_text(&format!("{address}{made_with}")).unwrap();
        open_text(&format!("{address}{agrees}")).unwrap();
        open_text(&address).unwrap();
        let why = open_text(&format!("{address}{differs}")).unwrap_err();
        assert!(matches!(why, FileError::Address(_)), "{why}");
        let why = why.to_string();
        for said in [&agrees[1..], &differs[1..], "incumbent-store.json"] {
            assert!(why.contains(said), "{why}");
        }
    }
    let marker = dir.path().join("none/incumbent-store.json");
    fs::write(marker, r#"{"incumbent":"store","format":1}"#).unwrap();
    open_text(&format!("{}?sync=full", at("none"))).unwrap();
    open_text(&format!("{}?sync=none", at("none"))).unwrap_err();
}

#[test]
fn of_those_who_make_a_store_at_once_with_different_modes_one_mode_wins() {
    let dir = tempfile::tempdir().unwrap();
    let address = format!("file://{}/store", dir.path().display());
    let opened: Vec<(usize, bool)> = std::thread::scope(|scope| {
        let open = |n: usize| {
            let address = format!("{address}?sync={}", ["full", "none"][n % 2]);
            move || (n % 2, open_text(&address).is_ok())
        };
        let all: Vec<_> = (0..16).map(|n| scope.spawn(open(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (_, first) = opened[0];
    assert!(
        opened
            .iter()
            .all(|(mode, fine)| *fine == ((*mode == 0) == first)),
        "{opened:?}"
    );
}

#[test]
fn many_open_a_new_directory_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| try_open(&store).unwrap());
        }
    });
    assert_eq!(store.read_dir().unwrap().count(), 1);
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "skipped aloud")]
async fn a_store_without_permission_to_write_can_be_read_and_names_the_file_it_cannot_write() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: root may write anything; a read-only mount is tested instead");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let key = Key::root("demo".parse().unwrap());
    let swapped = try_open(dir.path())
        .unwrap()
        .swap(&key, Expected::Absent, b"x")
        .await;
    assert!(swapped.is_ok());
    let drafts = dir.path().join("demo/@tmp");
    for path in [&drafts, dir.path()] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o500)).unwrap();
    }
    let store = try_open(dir.path()).unwrap();
    let found = store.read(&key).await.unwrap().unwrap();
    match store.swap(&key, Expected::At(&found.version), b"y").await {
        Err(Failure::NotApplied(why)) => assert!(why.to_string().contains("demo/@tmp"), "{why}"),
        other => panic!("{other:?}"),
    }
    let Rights::Missing(why) = store.check_rights(key.group()).await.unwrap() else {
        panic!("it may not write");
    };
    assert!(
        why.contains("demo/@tmp") && why.contains("write permission"),
        "{why}"
    );
    for path in [dir.path(), &drafts] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
    }
}
