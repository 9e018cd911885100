#!/bin/sh
# Saves what Mizar changes on a node, before it changes it: the CNI configuration, which the daemon
# erases, and the MTU, TCP probing and offload flags of the network interface. The node's state is
# saved once and never written again, so that it stays the state from before Mizar.
# It fails when the CNI configuration cannot be saved, and with it the pod, so that nothing is erased.
set -eu

root=${SAVE_NODE_STATE_ROOT:-}
configuration=$root/host/cni-configuration
saved=$root/host/node-state/before-mizar
saving=$root/host/node-state/before-mizar.incomplete

# The interface of the IPv4 default route with the lowest metric.
default_interface() {
  best_interface=
  best_metric=
  while read -r interface destination _ _ _ _ metric mask _; do
    if [ "$destination" = 00000000 ] && [ "$mask" = 00000000 ]; then
      if [ -z "$best_metric" ] || [ "$metric" -lt "$best_metric" ]; then
        best_interface=$interface
        best_metric=$metric
      fi
    fi
  done <"$root/proc/net/route"
  # The daemon falls back to the same name.
  printf '%s\n' "${best_interface:-eth0}"
}

# Prints the first line of a file, or "unknown" when it cannot be read.
first_line() {
  line=unknown
  if [ -r "$1" ]; then
    read -r line <"$1" || line=unknown
  fi
  printf '%s\n' "$line"
}

# The node's own ethtool, since the image need not have one.
offload_features() {
  nsenter -t 1 -m -u -n -i ethtool -k "$1" 2>/dev/null || ethtool -k "$1" 2>/dev/null
}

if [ -d "$saved" ]; then
  echo "node state: saved before, left as it is"
  exit 0
fi

rm -rf "$saving"
mkdir -p "$saving/cni-configuration"
cp -RpP "$configuration/." "$saving/cni-configuration/"

interface=${MIZAR_ITF:-$(default_interface)}

offloads=saved
if ! offload_features "$interface" >"$saving/offload-features"; then
  rm -f "$saving/offload-features"
  offloads=unknown
fi

# A node that ran Mizar already has lost its earlier configuration: say so instead of passing
# Mizar's own off as the earlier one.
mizar_found=false
if [ -e "$configuration/10-mizarcni.conf" ]; then
  mizar_found=true
fi

cat >"$saving/node-state" <<STATE
format=1
saved_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
mizar_found=$mizar_found
interface=$interface
mtu=$(first_line "$root/sys/class/net/$interface/mtu")
tcp_mtu_probing=$(first_line "$root/proc/sys/net/ipv4/tcp_mtu_probing")
offload_features=$offloads
STATE

# Written through to the disk where sync takes files, so that a power cut cannot leave empty copies.
find "$saving" -type f -exec sync {} + 2>/dev/null || true
# -T: a folder that another run has put there meanwhile is neither replaced nor moved into.
mv -T "$saving" "$saved"
echo "node state: saved, interface $interface, offload features $offloads"
