#!/bin/sh
# Takes Mizar off a node, and gives the node back what save-node-state.sh saved before Mizar changed it.
# Runs in the node's own namespaces. Every part may be repeated, and a part that fails keeps no other from
# being done. The last line tells, as JSON, what was done and what could not be; it goes to file descriptor 3.
# It exits with 1 if there was a problem.
set -u

root=${CLEAN_NODE_ROOT:-}
state_directory=$root${NODE_STATE_DIRECTORY:-/var/lib/mizar}
saved=$state_directory/before-mizar
configuration=$root/etc/cni/net.d
done_list=
problem_list=

# Texts are made of what is known; names of files lose what JSON would have to quote.
plain() {
  printf '%s' "$1" | tr -c 'A-Za-z0-9 ._:/,()-' '?'
}

did() {
  done_list="${done_list:+$done_list, }\"$(plain "$1")\""
}

problem() {
  problem_list="${problem_list:+$problem_list, }\"$(plain "$1")\""
}

# Does something and notes a failure, in the words of what is run.
try() {
  what=$1
  shift
  if ! said=$("$@" 2>&1); then
    problem "$what: $(printf '%s' "$said" | head -n 1)"
    return 1
  fi
}

# A value that save-node-state.sh has written, empty where it knows none.
saved_value() {
  [ -r "$saved/node-state" ] || return 0
  value=$(sed -n "s/^$1=//p" "$saved/node-state" | head -n 1)
  if [ "$value" != unknown ]; then
    printf '%s' "$value"
  fi
}

link_names() {
  for path in "$root"/sys/class/net/*; do
    if [ -e "$path" ]; then
      basename "$path"
    fi
  done
}

# The interface that Mizar used: the saved one, the one that was chosen, the one in Mizar's bridge, or that of the default route.
mizars_interface() {
  for interface in "$(saved_value interface)" "${MIZAR_ITF:-}" "$(bridged_interface)"; do
    if [ -n "$interface" ] && [ -e "$root/sys/class/net/$interface" ]; then
      printf '%s' "$interface"
      return
    fi
  done
  awk '$2 == "00000000" && $8 == "00000000" && (best == "" || $7 < metric) { best = $1; metric = $7 }
       END { printf "%s", (best == "" ? "eth0" : best) }' "$root/proc/net/route" 2>/dev/null
}

bridged_interface() {
  for path in "$root"/sys/class/net/mzbr0/brif/*; do
    if [ -e "$path" ]; then
      basename "$path"
      return
    fi
  done
}

# A node need not have pgrep: the kernel tells the names of its processes.
transitd_processes() {
  for file in "$root"/proc/[0-9]*/comm; do
    name=
    # A process may be gone by now.
    { read -r name <"$file"; } 2>/dev/null || continue
    if [ "$name" = transitd ]; then
      process=${file%/comm}
      printf '%s ' "${process##*/}"
    fi
  done
}

stop_transitd() {
  [ -n "$(transitd_processes)" ] || return 0
  for signal in TERM KILL; do
    for process in $(transitd_processes); do
      # It may have ended by itself meanwhile; what counts is looked at afterwards.
      "${CLEAN_NODE_KILL:-kill}" "-$signal" "$process" 2>/dev/null
    done
    tries=0
    while [ -n "$(transitd_processes)" ] && [ "$tries" -lt 5 ]; do
      sleep 1
      tries=$((tries + 1))
    done
  done
  if [ -n "$(transitd_processes)" ]; then problem "transitd does not end"; else did "stopped transitd"; fi
}

# Off where it is on: a link without a program of that kind is left alone.
take_off_xdp() {
  shown=$(ip -d link show dev "$1" 2>/dev/null) || return 0
  case $shown in
    *xdp*)
      off=
      for kind in xdpgeneric xdpoffload xdpdrv xdp; do
        if ip link set dev "$1" "$kind" off 2>/dev/null; then off=$kind; fi
      done
      case $(ip -d link show dev "$1" 2>/dev/null) in
        *prog/xdp*) problem "the XDP program of $1 cannot be taken off" ;;
        *) if [ -n "$off" ]; then did "took the XDP program off $1"; fi ;;
      esac
      ;;
  esac
}

# veth-<8 hexadecimal digits> is the host's end of a pod's link; vehost-<vni> and ehost-<vni> are the host's own.
is_mizars_link() {
  printf '%s\n' "$1" | grep -Eqx 'veth-[0-9a-f]{8}|v?ehost-[0-9]+'
}

delete_links() {
  count=0
  for link in $(link_names); do
    if is_mizars_link "$link" && [ -e "$root/sys/class/net/$link" ]; then
      # Its other end may have gone with the one before.
      if ip link delete dev "$link" 2>/dev/null || [ ! -e "$root/sys/class/net/$link" ]; then
        count=$((count + 1))
      else
        problem "the link $link cannot be deleted"
      fi
    fi
  done
  if [ "$count" -gt 0 ]; then did "deleted $count links"; fi
}

# Gives address and routes back to the interface in the bridge. The bridge goes last, and at once after it: the node is
# without an address for that moment only.
undo_bridge() {
  [ -e "$root/sys/class/net/mzbr0" ] || return 0
  member=$(bridged_interface)
  addresses=$(ip -4 -o addr show dev mzbr0 scope global | awk '{ print $4 }')
  routes=$(ip -4 route show dev mzbr0 | sed 's/ linkdown//')
  if [ -n "$member" ]; then
    tc qdisc delete dev "$member" clsact 2>/dev/null
    tc qdisc delete dev "$member" root 2>/dev/null
    try "take $member out of mzbr0" ip link set dev "$member" nomaster
  fi
  try "delete mzbr0" ip link delete dev mzbr0 || return 0
  if [ -n "$member" ]; then
    for address in $addresses; do
      ip -4 -o addr show dev "$member" | grep -qF " $address " || try "give $address back" ip addr add "$address" dev "$member"
    done
    # Those to neighbours first: the others lead over them.
    printf '%s\n' "$routes" | awk '/via/ { later = later $0 "\n"; next } { print } END { printf "%s", later }' |
      while IFS= read -r route; do
        # shellcheck disable=SC2086 # a route is several words
        if [ -n "$route" ]; then ip -4 route replace $route dev "$member" 2>/dev/null; fi
      done
  fi
  did "undid the bridge mzbr0"
}

remove_maps() {
  count=0
  for path in "$root"/sys/fs/bpf/eg_vsip_* "$root"/sys/fs/bpf/ing_vsip_* "$root"/sys/fs/bpf/conn_track_cache \
    "$root"/sys/fs/bpf/ing_pod_label_policy_map "$root"/sys/fs/bpf/ing_namespace_label_policy_map \
    "$root"/sys/fs/bpf/ing_pod_and_namespace_label_policy_map "$root"/sys/fs/bpf/tx_stats_map \
    "$root"/sys/fs/bpf/*.pcap "$root"/sys/fs/bpf/tc/globals/bw_qos_config_map; do
    if [ -e "$path" ]; then
      try "remove the map $path" rm -f "$path" && count=$((count + 1))
    fi
  done
  if [ "$count" -gt 0 ]; then did "removed $count pinned maps"; fi
}

remove_files() {
  count=0
  # Only links: what has such a name and is none is not Mizar's.
  for path in "$root/bpffs" "$root/trn_bin" "$root/trn_xdp" "$root/etc/mizarcni.config"; do
    if [ -L "$path" ]; then
      try "remove $path" rm -f "$path" && count=$((count + 1))
    fi
  done
  for path in "$configuration/10-mizarcni.conf" "$root/opt/cni/bin/mizarcni" "$root/home/kubernetes/bin/mizarcni" \
    "$root/var/log/mizarcni.log" "$root/var/mizar"; do
    if [ -e "$path" ] || [ -L "$path" ]; then
      try "remove $path" rm -rf "$path" && count=$((count + 1))
    fi
  done
  if [ "$count" -gt 0 ]; then did "removed $count files and folders of Mizar"; fi
}

# What somebody has put there since stays: a file comes back only where there is none of its name.
restore_configuration() {
  [ -d "$saved/cni-configuration" ] || return 0
  count=0
  for path in "$saved"/cni-configuration/* "$saved"/cni-configuration/.[!.]*; do
    name=$(basename "$path")
    if { [ -e "$path" ] || [ -L "$path" ]; } && [ "$name" != 10-mizarcni.conf ] && [ ! -e "$configuration/$name" ]; then
      mkdir -p "$configuration"
      # Whole or not at all: a network plugin reads the folder at any moment.
      if try "restore $name" cp -RpP "$path" "$configuration/.$name.restoring"; then
        try "restore $name" mv "$configuration/.$name.restoring" "$configuration/$name" && count=$((count + 1))
      fi
    fi
  done
  if [ "$count" -gt 0 ]; then did "restored $count CNI files"; fi
}

restore_mtu() {
  mtu=$(saved_value mtu)
  [ -n "$mtu" ] && [ -e "$root/sys/class/net/$1" ] || return 0
  now=$(cat "$root/sys/class/net/$1/mtu" 2>/dev/null)
  if [ "$now" != "$mtu" ]; then
    try "set the MTU of $1 to $mtu" ip link set dev "$1" mtu "$mtu" && did "restored the MTU $mtu of $1"
  fi
}

restore_probing() {
  probing=$(saved_value tcp_mtu_probing)
  file=$root/proc/sys/net/ipv4/tcp_mtu_probing
  [ -n "$probing" ] && [ -e "$file" ] && [ "$(cat "$file")" != "$probing" ] || return 0
  if printf '%s\n' "$probing" >"$file"; then
    did "restored tcp_mtu_probing $probing"
  else
    problem "tcp_mtu_probing cannot be set to $probing"
  fi
}

# The flags that the daemon switches, and what goes off with them, by the names that ethtool shows and takes.
restore_offloads() {
  [ -r "$saved/offload-features" ] || return 0
  now=$(ethtool -k "$1" 2>/dev/null) || {
    problem "the offload flags of $1 cannot be read"
    return 0
  }
  count=0
  for pair in rx-checksumming:rx tx-checksumming:tx scatter-gather:sg tcp-segmentation-offload:tso \
    udp-fragmentation-offload:ufo generic-segmentation-offload:gso; do
    shown=${pair%%:*}
    before=$(sed -n "s/^$shown: \(on\|off\)\$/\1/p" "$saved/offload-features" | head -n 1)
    after=$(printf '%s\n' "$now" | sed -n "s/^$shown: \(on\|off\)\$/\1/p" | head -n 1)
    if [ -n "$before" ] && [ -n "$after" ] && [ "$before" != "$after" ]; then
      try "set $shown of $1 $before" ethtool -K "$1" "${pair##*:}" "$before" && count=$((count + 1))
    fi
  done
  if [ "$count" -gt 0 ]; then did "restored $count offload flags of $1"; fi
}

# Only when all of it is back, so that a run after a failed one still finds it.
forget_saved() {
  [ -d "$saved" ] || return 0
  if [ "$(saved_value mizar_found)" = true ]; then
    did "nothing was saved from before Mizar: the CNI files of that time are not known"
  fi
  if [ -z "$problem_list" ]; then
    try "remove $saved" rm -rf "$saved" "$saved.incomplete" && rmdir "$state_directory" 2>/dev/null
  fi
}

interface=$(mizars_interface)
stop_transitd
take_off_xdp "$interface"
delete_links
undo_bridge
remove_maps
remove_files
restore_configuration
restore_mtu "$interface"
restore_probing
restore_offloads "$interface"
forget_saved

result="{\"done\": [$done_list], \"problems\": [$problem_list]}"
printf '%s\n' "$result"
# The kubelet takes 4096 bytes.
if [ "${#result}" -gt 4000 ]; then
  result='{"done": [], "problems": ["more than can be told here: see the log of the pod"]}'
  if [ -z "$problem_list" ]; then result='{"done": ["more than can be told here"], "problems": []}'; fi
fi
if { : >&3; } 2>/dev/null; then printf '%s\n' "$result" >&3; fi
[ -z "$problem_list" ]
