//! The guide to the letter: `cargo new`, its lines copied out of its Markdown, `cargo build`, and
//! then all that it promises of what was built. It takes minutes, so it runs when it is asked for:
//!
//! `cargo test -p incumbent-cli --test it streams::literal -- --ignored --nocapture`

use std::path::{Path, PathBuf};
use std::process::Command;

use super::guide::{Program, Story, block, tell};

/// Where the guide's program writes, and what of it is left is in the way.
const OUTPUT: &str = "/tmp/clicks";

/// What the second build changes: one more window, and no rate, so that it ends soon.
const CHANGES: [(&str, &str); 2] = [
    (".rate(1000.0)", ""),
    (
        "    clicks\n        .state(",
        "    clicks\n        .window(\"per-minute\", Tumbling::minutes(1))\n        .count()\n        \
         .map(|minute| minute.value)\n        .sink(\"minutes\", \
         Files::ndjson(\"/tmp/clicks/minutes\"));\n    clicks\n        .state(",
    ),
];

/// A package beside a checkout of this repository.
struct Package(PathBuf);

impl Package {
    /// `cargo new`, and what the guide says of its files.
    fn new(beside: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().unwrap();
        std::os::unix::fs::symlink(&root, beside.join("incumbent")).unwrap();
        cargo(beside, &["new", "--vcs", "none", "clicks"]);
        let package = Self(beside.join("clicks"));
        let manifest = package.0.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        assert_eq!(text.matches("[dependencies]\n").count(), 1, "{text}");
        let text = text.replace("[dependencies]\n", &block("toml"));
        std::fs::write(manifest, text).unwrap();
        // The versions that this repository is tested with, which are here already; and what was
        // built the last time.
        std::fs::copy(root.join("Cargo.lock"), package.0.join("Cargo.lock")).unwrap();
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
        std::fs::create_dir_all(&built).unwrap();
        std::os::unix::fs::symlink(built, package.0.join("target")).unwrap();
        package
    }

    fn build(&self, program: &str) -> Program {
        std::fs::write(self.0.join("src/main.rs"), program).unwrap();
        cargo(&self.0, &["build", "--offline"]);
        Program {
            from: self.0.clone(),
            command: vec!["target/debug/clicks".to_owned()],
            env: Vec::new(),
        }
    }
}

fn cargo(dir: &Path, args: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        // What the cargo that runs this test says of itself.
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_") && name_text != "CARGO_HOME" {
            command.env_remove(&name);
        }
    }
    eprintln!("cargo {}", args.join(" "));
    let ended = command.args(args).current_dir(dir).status().unwrap();
    assert!(ended.success(), "cargo {args:?}: {ended}");
}

#[test]
#[ignore = "it builds a package with all its dependencies, and writes to /tmp/clicks as the guide does"]
fn thirty_lines_copied_from_the_guide_keep_its_promises() {
    assert!(
        !Path::new(OUTPUT).exists(),
        "{OUTPUT} is left of another run, and would be in the way: rm -rf {OUTPUT}"
    );
    let story = Story::new(OUTPUT);
    let package = Package::new(&story.cluster.place.path(""));
    let program = block("rust");
    let first = package.build(&program);
    tell(&story, &first, || {
        let mut second = program.clone();
        for (there, instead) in CHANGES {
            assert_eq!(second.matches(there).count(), 1, "{there:?}");
            second = second.replace(there, instead);
        }
        package.build(&second)
    });
    std::fs::remove_dir_all(OUTPUT).unwrap();
}
