//! kubectl-mizar: puts the Mizar cluster network into a cluster, checks it, and moves it between versions.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_mizar::main()
}
