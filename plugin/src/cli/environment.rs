//! The flags of commands that show what runs: which environment, facts from a file, and the form of the answer.

use std::path::PathBuf;

use clap::Args;
use mizar_core::environment::Environment;

use super::format::OF_VIEWS;
use crate::report::Output;
use crate::report::format::Format;

#[derive(Debug, Clone, Args)]
pub(crate) struct ViewArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = OF_VIEWS)]
    pub(crate) output: Format,

    /// Take the cluster for this environment, whatever the signs tell
    #[arg(long, value_name = "NAME", value_parser = ["kind", "gke", "eks", "gcp-vm", "aws-vm", "kubernetes", "arktos-gce", "arktos-aws", "arktos-up", "arktos-tenant-partition", "arktos-resource-partition", "arktos"])]
    environment: Option<String>,

    /// Look at facts that were saved, without any cluster; - reads stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) facts: Option<PathBuf>,
}

impl ViewArgs {
    /// The environment that a person named; clap let only known names pass.
    pub(crate) fn environment(&self) -> Option<Environment> {
        self.environment.as_deref().and_then(|name| name.parse().ok())
    }

    /// What stdout is for.
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        view: ViewArgs,
    }

    #[test]
    fn every_environment_can_be_named_and_no_other() {
        for environment in Environment::ALL {
            let line = Line::try_parse_from(["x", "--environment", environment.name()]).unwrap();
            assert_eq!(line.view.environment(), Some(environment));
        }
        assert!(Line::try_parse_from(["x", "--environment", "minikube"]).is_err());
    }
}
