//! What some faults do to Mizar's objects at the moment they are ordered.
//!
//! It is done with the simulator's own rights, as if it had happened long ago; how the operator takes it is its matter.

use std::net::Ipv4Addr;

use serde_json::json;

use crate::{
    api::{Objects, RequestError},
    fault::{Fault, FaultOrder},
    object::{Kind, Object},
};

/// Whether an order is about an object, and not about a container.
pub(crate) fn is_wanted(order: &FaultOrder) -> bool {
    matches!(order.fault, Fault::DropletMissing | Fault::DropletStale)
}

/// Carries out all orders on the Droplets that exist now.
pub(crate) async fn carry_out(objects: Objects, orders: Vec<FaultOrder>) {
    match objects.list(Kind::Droplet).await {
        Ok(droplets) => {
            for droplet in &droplets {
                tamper(&objects, &orders, droplet).await;
            }
        }
        // Mizar is not installed: there is nothing to lose.
        Err(error) if error.code() == Some(404) => {}
        Err(error) => tracing::warn!("fault not carried out: {error}"),
    }
}

async fn tamper(objects: &Objects, orders: &[FaultOrder], droplet: &Object) {
    for order in orders.iter().filter(|order| order.holds_on(droplet.name())) {
        let done: Result<(), RequestError> = match (order.fault, old_address(droplet)) {
            (Fault::DropletMissing, _) => objects.delete(&droplet.key()).await,
            (Fault::DropletStale, Some(address)) => {
                let patch = json!({"spec": {"main_ip": address, "ip": address}});
                objects.merge(&droplet.key(), &patch).await
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            tracing::warn!("fault {} not carried out: {error}", order.fault);
        }
    }
}

/// Returns the address that a node had before: one of a range from which no node of a bed has any.
fn old_address(droplet: &Object) -> Option<String> {
    let [first, _, third, fourth] = droplet.spec("main_ip").parse::<Ipv4Addr>().ok()?.octets();
    Some(Ipv4Addr::new(first, 254, third, fourth).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_address_is_another_one_and_derives_from_the_present() {
        let droplet = |address: &str| Object::new(Kind::Droplet, json!({"spec": {"main_ip": address}}));
        assert_eq!(old_address(&droplet("127.1.0.2")).as_deref(), Some("127.254.0.2"));
        assert_eq!(old_address(&droplet("")), None);
    }

    #[test]
    fn only_faults_of_droplets_tamper_with_objects() {
        let wanted = |fault| is_wanted(&FaultOrder { fault, node: None });
        assert!(wanted(Fault::DropletStale) && wanted(Fault::DropletMissing));
        assert!(!wanted(Fault::DaemonRestart) && !wanted(Fault::StuckInit));
    }
}
