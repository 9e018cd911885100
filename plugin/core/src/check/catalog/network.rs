//! Rows about ranges and places of the network's objects; those about its parts are in the table itself.

use crate::check::Category::Network;
use crate::check::Phase::Health;
use crate::check::Severity::{Blocker, Warning};
use crate::check::{Check, addresses, leftovers};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "network-ranges",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "The networks' ranges meet nothing else",
        about: "No node and no service has an address in the range of a Vpc, Vpcs of one number on the wire do not overlap, and neither do Subnets of one Vpc.",
        hint: "`kubectl get vpcs.mizar.com,subnets.mizar.com -n default` shows the ranges; a range cannot be changed: create another Vpc or Subnet and move its pods there",
        sources: &[Source::Nodes, Source::Services, Source::Vpcs, Source::Subnets],
        evaluate: addresses::ranges,
    },
    Check {
        id: "objects-namespace",
        category: Network,
        severity: Warning,
        phases: &[Health],
        title: "All objects of Mizar are in namespace default",
        about: "The operator sees them everywhere and writes to them in namespace default only.",
        hint: "create it in namespace default instead",
        sources: &[
            Source::Droplets,
            Source::Vpcs,
            Source::Dividers,
            Source::Subnets,
            Source::Bouncers,
            Source::Endpoints,
        ],
        evaluate: leftovers::elsewhere,
    },
];
