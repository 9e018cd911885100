//! Which version this program is, with the charts that it brings.

use mizar_core::version::{BuiltIn, Client};

use crate::failure::Failure;
use crate::{assets, machine};

/// This program.
pub(crate) fn client() -> Result<Client, Failure> {
    let charts = assets::chart_packages()?;
    let charts = charts.into_iter().map(|chart| BuiltIn {
        name: chart.name,
        version: chart.version,
        app_version: chart.app_version,
        package_digest: chart.digest,
        digest: chart.manifest_digest,
    });
    Ok(Client {
        git_version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
        git_commit: option_env!("MIZAR_COMMIT").map(str::to_owned),
        platform: machine::platform(),
        charts: charts.collect(),
    })
}
