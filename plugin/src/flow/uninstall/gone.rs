//! Waiting until what was deleted is gone.

use mizar_core::object::ObjectId;

use super::Uninstall;
use crate::failure::Failure;
use crate::flow::treat::{self, Extent};

impl Uninstall {
    /// Waits until these very objects are gone.
    pub(super) async fn until_gone(&self, part: &str, ids: &[ObjectId]) -> Result<(), Failure> {
        let extent = Extent { limit: Some(self.limit()), ..Extent::default() };
        treat::until_gone(&self.run, part, ids, extent).await.map_err(|mut failure| {
            // There is no operator any more whose log could tell.
            failure.hints.retain(|hint| !hint.contains("deployment/mizar-operator"));
            failure
        })
    }
}
