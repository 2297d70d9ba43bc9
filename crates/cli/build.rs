//! Links `incumbent` at a fixed address, so that guards of tasks share nearly all of their memory.
//!
//! A position-independent executable is relocated when it starts: two megabytes of tables are
//! written, and each guard has its own copy of them. docs/design/0012-guard.md has the figures.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    let is_static = target("FEATURE").split(',').any(|it| it == "crt-static");
    // A static executable is linked in another way; what its flags say goes.
    if target("OS") == "linux" && target("ENV") == "gnu" && !is_static {
        println!("cargo::rustc-link-arg-bin=incumbent=-no-pie");
    }
}
