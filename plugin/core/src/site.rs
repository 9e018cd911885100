//! Which cluster a thing belongs to. One cluster is the case where both sites are the same cluster; nothing but the
//! code that hands out connections needs to know whether they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One side of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// Where the operator and Mizar's own objects live.
    #[default]
    Management,
    /// Where the nodes, their daemons and the pods live.
    Compute,
}

impl Site {
    /// Both sites, in the order in which they are prepared.
    pub const ALL: [Self; 2] = [Self::Management, Self::Compute];

    /// Returns the name as it is written in values, JSON and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Management => "management",
            Self::Compute => "compute",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_reads_and_writes_the_same_word_everywhere() {
        for site in Site::ALL {
            assert_eq!(serde_json::to_value(site).unwrap(), site.to_string());
        }
    }
}
