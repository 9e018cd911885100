#!/bin/sh
# Runs files/clean-node.sh against a made-up node: a folder as its root, and stand-ins for the programs that change a
# kernel. What is restored was saved by files/save-node-state.sh itself. Needs no privileges. SHELL_UNDER_TEST picks
# the shell that runs the scripts (default: sh).
set -eu

files=$(cd "$(dirname "$0")/.." && pwd)/files
shell=${SHELL_UNDER_TEST:-sh}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
test_name=

# What the stand-ins do is theirs to expand.
# shellcheck disable=SC2016
stand_in() { # name, text
  printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}

# shellcheck disable=SC2016
begin() {
  test_name=$1
  node=$work/node
  rm -rf "$node" "${work:?}/bin"
  mkdir -p "$node/etc/cni/net.d" "$node/var/lib/mizar" "$node/host" "$node/proc/net" "$node/proc/sys/net/ipv4" \
    "$node/sys/class/net/ens5" "$node/sys/class/net/vethfoo" "$node/sys/fs/bpf/tc/globals" "$node/opt/cni/bin" \
    "$node/var/log" "$work/bin" "$node/state"
  ln -s ../etc/cni/net.d "$node/host/cni-configuration"
  ln -s ../var/lib/mizar "$node/host/node-state"
  {
    echo 'Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT'
    echo 'ens5	00000000	0100A8C0	0003	0	0	100	00000000	0	0	0'
  } >"$node/proc/net/route"
  echo 1500 >"$node/sys/class/net/ens5/mtu"
  echo 0 >"$node/proc/sys/net/ipv4/tcp_mtu_probing"
  echo '{"name": "flannel"}' >"$node/etc/cni/net.d/10-flannel.conflist"
  echo '{}' >"$node/etc/cni/net.d/.hidden"
  echo theirs >"$node/opt/cni/bin/bridge"
  echo theirs >"$node/sys/fs/bpf/cilium_map"
  printf 'rx-checksumming: on\ntx-checksumming: on\n\ttx-checksum-ipv4: on\nscatter-gather: on\ntcp-segmentation-offload: on\nudp-fragmentation-offload: off [fixed]\ngeneric-segmentation-offload: on\n' \
    >"$node/state/offloads"
  stand_in nsenter 'while [ "${1#-}" != "$1" ]; do if [ "$1" = -t ]; then shift; fi; shift; done; exec "$@"'
  stand_in sleep ':'
  stand_in kill-process "[ \"\$1\" = -TERM ] && exit; rm -r '$node/proc/'\"\$2\""
  stand_in tc "echo tc \"\$@\" >>'$node/state/said'"
  # -k shows all flags, -K sets one by its short name.
  stand_in ethtool "
if [ \"\$1\" = -k ]; then echo \"Features for \$2:\"; cat '$node/state/offloads'; exit; fi
case \$3 in rx) name=rx-checksumming ;; tx) name=tx-checksumming ;; sg) name=scatter-gather ;;
  tso) name=tcp-segmentation-offload ;; gso) name=generic-segmentation-offload ;; *) exit 1 ;; esac
sed -i \"s/^\$name: .*/\$name: \$4/\" '$node/state/offloads'"
  stand_in ip "
net='$node/sys/class/net'
echo ip \"\$@\" >>'$node/state/said'
case \"\$*\" in
  '-d link show dev '*) if [ -e '$node/state/xdp' ]; then echo 'prog/xdp id 7 xdpgeneric'; fi ;;
  *' xdpgeneric off') rm -f '$node/state/xdp' ;;
  *' xdpoffload off' | *' xdpdrv off' | *' xdp off') exit 2 ;;
  'link delete dev '*) [ -e \"\$net/\$4\" ] || exit 1; rm -r \"\$net/\$4\"; if [ \"\$4\" = vehost-1 ]; then rm -rf \"\$net/ehost-1\"; fi ;;
  'link set dev '*' mtu '*) echo \"\$6\" >\"\$net/\$4/mtu\" ;;
  '-4 -o addr show dev mzbr0 scope global') echo '7: mzbr0    inet 192.168.0.7/24 brd 192.168.0.255 scope global mzbr0' ;;
  '-4 route show dev mzbr0') printf 'default via 192.168.0.1\n192.168.0.0/24 proto kernel scope link src 192.168.0.7\n' ;;
esac"
}

clean() {
  PATH="$work/bin:$PATH" CLEAN_NODE_ROOT="$node" CLEAN_NODE_KILL=kill-process "$shell" "$files/clean-node.sh" 3>"$work/told" >"$work/output" 2>&1
}

save() {
  PATH="$work/bin:$PATH" SAVE_NODE_STATE_ROOT="$node" "$shell" "$files/save-node-state.sh" >"$work/output" 2>&1 ||
    fail "the state cannot be saved"
}

# What node-init and the daemon do to a node.
mizar_takes_over() {
  rm -f "$node/etc/cni/net.d/10-flannel.conflist" "$node/etc/cni/net.d/.hidden"
  echo '{}' >"$node/etc/cni/net.d/10-mizarcni.conf"
  echo 9000 >"$node/sys/class/net/ens5/mtu"
  echo 2 >"$node/proc/sys/net/ipv4/tcp_mtu_probing"
  sed -i 's/^\(rx-checksumming\|tx-checksumming\|scatter-gather\|tcp-segmentation-offload\|generic-segmentation-offload\): on/\1: off/' \
    "$node/state/offloads"
  mkdir -p "$node/proc/7" "$node/proc/71"
  echo transitd >"$node/proc/7/comm"
  echo transitd-exporter >"$node/proc/71/comm"
  touch "$node/state/xdp" "$node/opt/cni/bin/mizarcni" "$node/var/log/mizarcni.log" \
    "$node/sys/fs/bpf/eg_vsip_prim_map" "$node/sys/fs/bpf/conn_track_cache" "$node/sys/fs/bpf/tc/globals/bw_qos_config_map"
  mkdir -p "$node/var/mizar/build/bin" "$node/sys/class/net/veth-0a1b2c3d" "$node/sys/class/net/vehost-1" \
    "$node/sys/class/net/ehost-1"
  ln -s /sys/fs/bpf "$node/bpffs"
  ln -s /var/mizar/build/bin "$node/trn_bin"
  ln -s /var/mizar/build/xdp "$node/trn_xdp"
  ln -s /var/mizar/config "$node/etc/mizarcni.config"
}

fail() {
  echo "FAILED: $test_name: $1" >&2
  echo "--- output of the script:" >&2
  cat "$work/output" >&2
  exit 1
}

told() {
  grep -qF "$1" "$work/told" || fail "it does not tell '$1'"
}

expect_absent() {
  if [ -e "$1" ] || [ -L "$1" ]; then fail "$1 exists"; fi
}

is_json() {
  if command -v python3 >/dev/null 2>&1; then
    python3 -c 'import json, sys; value = json.load(sys.stdin); assert set(value) == {"done", "problems"}' <"$work/told" ||
      fail "what it tells is no JSON"
  fi
}

end() {
  passed=$((passed + 1))
  echo "ok: $test_name"
}

begin "a node is, after Mizar, what it was before"
cp -Rp "$node" "$work/before"
save
mizar_takes_over
clean || fail "it ended with $?"
[ -e "$node/proc/71" ] || fail "a process of another name was ended"
rm -r "$node/state/said" "$node/proc/71"
# The folder of the state itself goes when it is empty.
mkdir -p "$node/var/lib/mizar"
diff -r --no-dereference "$work/before" "$node" || fail "the node differs"
rm -rf "$work/before"
for what in "stopped transitd" "took the XDP program off ens5" "deleted 3 links" "removed 3 pinned maps" \
  "restored 2 CNI files" "restored the MTU 1500 of ens5" "restored tcp_mtu_probing 0" "restored 5 offload flags of ens5"; do
  told "$what"
done
is_json
end

begin "a second run finds nothing to do"
save
mizar_takes_over
clean || fail "the first run ended with $?"
clean || fail "the second run ended with $?"
told '{"done": [], "problems": []}'
end

begin "a node that never had Mizar is left as it is"
clean || fail "it ended with $?"
told '{"done": [], "problems": []}'
[ -e "$node/etc/cni/net.d/10-flannel.conflist" ] || fail "a file of somebody else is gone"
[ "$(cat "$node/sys/class/net/ens5/mtu")" = 1500 ] || fail "the MTU changed"
end

begin "what somebody has put there since is not overwritten"
save
mizar_takes_over
echo '{"name": "newer"}' >"$node/etc/cni/net.d/10-flannel.conflist"
clean || fail "it ended with $?"
grep -q newer "$node/etc/cni/net.d/10-flannel.conflist" || fail "it was overwritten"
[ -e "$node/etc/cni/net.d/.hidden" ] || fail "the other file is not back"
end

begin "a link that cannot be deleted is told, all else is done, and what was saved stays for another run"
save
mizar_takes_over
mv "$work/bin/ip" "$work/bin/ip-of-the-node"
stand_in ip "case \"\$*\" in 'link delete dev veth-0a1b2c3d') exit 2 ;; esac; exec '$work/bin/ip-of-the-node' \"\$@\""
if clean; then fail "it reported success"; fi
told '"problems": ["the link veth-0a1b2c3d cannot be deleted"]'
is_json
expect_absent "$node/var/mizar"
[ -d "$node/var/lib/mizar/before-mizar" ] || fail "the saved state is gone"
mv "$work/bin/ip-of-the-node" "$work/bin/ip"
clean || fail "the rerun ended with $?"
expect_absent "$node/var/lib/mizar"
expect_absent "$node/sys/class/net/veth-0a1b2c3d"
end

begin "links of others are left alone"
mkdir -p "$node/sys/class/net/veth-foo" "$node/sys/class/net/veth-0a1b2c3d4" "$node/sys/class/net/xehost-1"
clean || fail "it ended with $?"
for link in veth-foo veth-0a1b2c3d4 xehost-1 vethfoo ens5; do
  [ -e "$node/sys/class/net/$link" ] || fail "$link is gone"
done
end

begin "the bridge gives address and routes back, those to neighbours first"
save
mizar_takes_over
mkdir -p "$node/sys/class/net/mzbr0/brif/ens5"
clean || fail "it ended with $?"
expect_absent "$node/sys/class/net/mzbr0"
told "undid the bridge mzbr0"
sed -n '/link delete dev mzbr0/,/default/p' "$node/state/said" >"$work/output"
printf '%s\n' 'ip link delete dev mzbr0' 'ip -4 -o addr show dev ens5' 'ip addr add 192.168.0.7/24 dev ens5' \
  'ip -4 route replace 192.168.0.0/24 proto kernel scope link src 192.168.0.7 dev ens5' \
  'ip -4 route replace default via 192.168.0.1 dev ens5' | diff - "$work/output" || fail "in another order"
end

begin "where Mizar was found by the first save, its own files are not brought back"
echo '{}' >"$node/etc/cni/net.d/10-mizarcni.conf"
save
mizar_takes_over
clean || fail "it ended with $?"
expect_absent "$node/etc/cni/net.d/10-mizarcni.conf"
told "nothing was saved from before Mizar"
end

begin "without ethtool what is saved of the flags is told and stays"
save
mizar_takes_over
stand_in ethtool 'exit 127'
if clean; then fail "it reported success"; fi
told "the offload flags of ens5 cannot be read"
[ -d "$node/var/lib/mizar/before-mizar" ] || fail "the saved state is gone"
end

begin "another folder for the state is taken"
NODE_STATE_DIRECTORY=/data/state
export NODE_STATE_DIRECTORY
mkdir -p "$node/data"
rm "$node/host/node-state" && ln -s ../data/state "$node/host/node-state" && mkdir "$node/data/state"
save
mizar_takes_over
clean || fail "it ended with $?"
unset NODE_STATE_DIRECTORY
told "restored 2 CNI files"
expect_absent "$node/data/state"
end

begin "names of files cannot break what is told"
save
mizar_takes_over
mkdir -p "$node/var/lib/mizar/before-mizar/cni-configuration"
printf '{}' >"$node/var/lib/mizar/before-mizar/cni-configuration/a\"b.conf"
stand_in mv 'exit 1'
if clean; then fail "it reported success"; fi
is_json
end

begin "the kubelet, which expands \$(NAME) and \$\$ in variables, leaves the script alone"
: >"$work/output"
if grep -nF "\$\$" "$files/clean-node.sh"; then fail "the script contains \$\$"; fi
if grep -nE '\$\((MIZAR_ITF|NODE_STATE_DIRECTORY|CLEAN_NODE)\)' "$files/clean-node.sh"; then
  fail "the script names a variable as \$(…)"
fi
end

echo "$passed tests passed with $shell"
