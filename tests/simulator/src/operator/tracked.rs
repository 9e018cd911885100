//! One object as a process of the operator sees it: what is known of it, who is at work on it, and what it needs.

use serde_json::Value;
use tokio::time::Instant;

use super::{
    bookkeeping::{self, Cause, Tries},
    handling::Handler,
};
use crate::object::Object;

/// Whether somebody is at work on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Idle,
    Busy,
    /// The object changed during the work.
    BusyAndChanged,
}

/// One object that the process has seen.
pub(super) struct Tracked {
    pub(super) object: Object,
    /// It was there when the process began to watch and has not been handled since.
    pub(super) first_sight: bool,
    pub(super) due: Option<Instant>,
    pub(super) work: Work,
    pub(super) tries: Option<Tries>,
    /// What was handled of it last. Kept beside the annotation, because an event may still show it without that.
    pub(super) handled: Option<Value>,
    /// Its finalizer has been taken off.
    pub(super) released: bool,
    /// Arktos' controllers tell of it: kopf's marks are not needed.
    pub(super) told: bool,
}

impl Tracked {
    pub(super) fn cause(&self) -> Cause {
        if self.released {
            return Cause::Nothing;
        }
        if self.told {
            return bookkeeping::cause_of_call(&self.object, self.handled.as_ref());
        }
        bookkeeping::cause(&self.object, self.handled.as_ref(), self.first_sight)
    }

    /// Whether a retry is pending that a change of the object does not bring forward.
    pub(super) fn waits_for_the_same_handler(&self) -> bool {
        let (Some(tries), Some(_)) = (&self.tries, self.due) else {
            return false;
        };
        match self.cause() {
            Cause::Handle(purpose) => {
                Handler::of(&self.object, purpose).is_some_and(|handler| handler.name == tries.handler)
            }
            Cause::Finalizer | Cause::Nothing => false,
        }
    }
}
