//! What a request that failed means for the facts: a gap in them, or the end of reading.

use mizar_core::facts::Gap;

use crate::cluster::{ApiFailure, Cause};

/// Says that no other request has a chance. A slow or lost list is none of that: the server answered before.
pub(crate) fn ends_everything(failure: &ApiFailure) -> bool {
    matches!(
        failure.cause,
        Cause::Unreachable(_)
            | Cause::ConnectionRefused
            | Cause::Tls(_)
            | Cause::Unauthorized
            | Cause::Credentials { .. }
            | Cause::NotKubernetes { .. }
            | Cause::Redirect { .. }
            | Cause::TooLarge { .. }
            | Cause::Garbled(_)
            | Cause::Refused(_)
            | Cause::Broken(_)
    )
}

/// What is told in the place of what was not read.
pub(crate) fn gap_of(failure: &ApiFailure) -> Gap {
    match failure.cause {
        Cause::Forbidden(_) => Gap::Denied,
        Cause::NotFound => Gap::Absent,
        _ => Gap::Failed(failure.to_string()),
    }
}
