//! Health of CustomResourceDefinitions: current when the server accepts their names and serves their objects.

use super::{Health, condition, is_terminating};
use crate::object::Object;

/// Judges a CustomResourceDefinition.
#[must_use]
pub fn assess(object: &Object) -> Health {
    if is_terminating(object) || condition(object, "Terminating").is_some_and(|terminating| terminating.is_true()) {
        return Health::Terminating;
    }
    let names = condition(object, "NamesAccepted");
    if let Some(refused) = names.as_ref().filter(|names| names.is_false()) {
        return Health::failed(format!("its names are not accepted ({})", refused.explanation()));
    }
    let established = condition(object, "Established");
    match (names, established) {
        (Some(names), Some(established)) if names.is_true() && established.is_true() => Health::Current,
        (_, Some(established)) if !established.is_true() => {
            Health::progressing(format!("not established ({})", established.explanation()))
        }
        _ => Health::progressing("the server has not established it yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::{failed, object, progressing};

    fn definition(conditions: &str) -> Object {
        object(&format!(
            "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: vpcs.mizar.com}},
               status: {{conditions: {conditions}}}}}"
        ))
    }

    #[test]
    fn a_definition_needs_accepted_names_and_must_be_established() {
        let both = "[{type: NamesAccepted, status: 'True'}, {type: Established, status: 'True'}]";
        assert_eq!(assess(&definition(both)), Health::Current);
        let one = "[{type: Established, status: 'True'}]";
        assert_eq!(progressing(assess(&definition(one))), "the server has not established it yet");
        let installing = "[{type: NamesAccepted, status: 'True'},
                           {type: Established, status: 'False', reason: Installing, message: the initial names}]";
        assert_eq!(progressing(assess(&definition(installing))), "not established (Installing: the initial names)");
        assert_eq!(progressing(assess(&definition("[]"))), "the server has not established it yet");
    }

    #[test]
    fn refused_names_do_not_heal() {
        let refused = "[{type: NamesAccepted, status: 'False', reason: ListKindConflict, message: taken}]";
        assert_eq!(failed(assess(&definition(refused))), "its names are not accepted (ListKindConflict: taken)");
    }

    #[test]
    fn a_definition_on_its_way_out_is_terminating() {
        let going = "[{type: Terminating, status: 'True'}, {type: Established, status: 'True'}]";
        assert_eq!(assess(&definition(going)), Health::Terminating);
    }
}
