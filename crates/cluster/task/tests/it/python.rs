//! `sdk/python`: its own tests, run by the Python that is here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// If set, a missing Python is a failure and not a skipped test.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../sdk/python")
        .join(name)
}

/// `python3` without any settings of the user's.
fn python() -> Option<Command> {
    let mut command = Command::new("python3");
    command.arg("-I").env("PYTHONDONTWRITEBYTECODE", "1");
    let mut asked = Command::new("python3");
    let is_there = asked
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if is_there.is_ok_and(|status| status.success()) {
        return Some(command);
    }
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no python3"
    );
    // Not `eprintln!`: the output of a test that passes is not shown.
    let _ = writeln!(std::io::stderr(), "SKIPPED: there is no python3");
    None
}

#[test]
fn the_python_file_passes_its_own_tests() {
    let Some(mut python) = python() else { return };
    let done = python
        .arg("-B")
        .arg(file("test_incumbent_task.py"))
        .arg("-v")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{output}");
    assert!(output.contains(" ... ok"), "nothing was checked: {output}");
}

#[test]
fn the_python_file_is_imported_as_a_program_would() {
    let Some(mut python) = python() else { return };
    let code = "import sys; sys.path.insert(0, sys.argv[1]); import incumbent_task as sdk\n\
                try: sdk.Task.from_env()\n\
                except sdk.NotATask as why: print(why)";
    let command = python.args(["-B", "-W", "error", "-c", code]).arg(file(""));
    let done = command
        .env_remove("INCUMBENT_TASK_SOCKET")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&done.stdout);
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(
        output.contains("INCUMBENT_TASK_SOCKET is not set"),
        "{output}{error}"
    );
}
