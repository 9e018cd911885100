//! Links the released program for Linux without what it never reads.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=release.ld");
    let is = |variable: &str, wanted: &str| std::env::var(variable).is_ok_and(|value| value == wanted);
    // Of the profiles, only the one for releases is built for size, and aborts on a panic.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("OPT_LEVEL", "z") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,--script={folder}/release.ld");
    }
}
