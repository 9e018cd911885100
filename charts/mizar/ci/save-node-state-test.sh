#!/bin/sh
# Runs files/save-node-state.sh against a made-up node: a folder as its root, and stand-ins for
# nsenter and ethtool in front of the real ones. Needs no privileges. SHELL_UNDER_TEST picks the
# shell that runs the script (default: sh).
set -eu

script=$(cd "$(dirname "$0")/.." && pwd)/files/save-node-state.sh
shell=${SHELL_UNDER_TEST:-sh}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
test_name=

begin() {
  test_name=$1
  node=$work/node
  rm -rf "$node" "${work:?}/bin"
  mkdir -p "$node/host/cni-configuration" "$node/host/node-state" "$node/proc/net" \
    "$node/proc/sys/net/ipv4" "$node/sys/class/net/ens4" "$node/sys/class/net/ens5" "$work/bin"
  saved=$node/host/node-state/before-mizar
  # Two default routes, the better one last, and one route that is none.
  {
    echo 'Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT'
    echo 'ens4	00000000	0101A8C0	0003	0	0	200	00000000	0	0	0'
    echo 'docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0'
    echo 'ens5	00000000	0100A8C0	0003	0	0	100	00000000	0	0	0'
  } >"$node/proc/net/route"
  echo 1450 >"$node/sys/class/net/ens4/mtu"
  echo 1500 >"$node/sys/class/net/ens5/mtu"
  echo 0 >"$node/proc/sys/net/ipv4/tcp_mtu_probing"
  echo '{"name": "flannel"}' >"$node/host/cni-configuration/10-flannel.conflist"
  # nsenter runs what follows its own flags, as the real one does.
  cat >"$work/bin/nsenter" <<'NSENTER'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do
  if [ "$1" = -t ]; then shift; fi
  shift
done
exec "$@"
NSENTER
  cat >"$work/bin/ethtool" <<'ETHTOOL'
#!/bin/sh
[ "$1" = -k ] || exit 1
echo "Features for $2:"
echo "tcp-segmentation-offload: on"
ETHTOOL
  chmod +x "$work/bin/nsenter" "$work/bin/ethtool"
}

run() {
  PATH="$work/bin:$PATH" SAVE_NODE_STATE_ROOT="$node" "$shell" "$script" >"$work/output" 2>&1
}

fail() {
  echo "FAILED: $test_name: $1" >&2
  echo "--- output of the script:" >&2
  cat "$work/output" >&2
  exit 1
}

expect_line() { # file line
  grep -qxF "$2" "$1" || fail "$1 has no line '$2'"
}

expect_absent() {
  if [ -e "$1" ]; then fail "$1 exists"; fi
}

end() {
  passed=$((passed + 1))
  echo "ok: $test_name"
}

begin "the first run saves configuration, MTU, TCP probing and offload features"
mkdir "$node/host/cni-configuration/multus.d"
echo '{}' >"$node/host/cni-configuration/multus.d/daemon.json"
echo '{}' >"$node/host/cni-configuration/.hidden"
chmod 600 "$node/host/cni-configuration/10-flannel.conflist"
ln -s /somewhere/else.conf "$node/host/cni-configuration/05-link.conf"
run || fail "it ended with $?"
diff -r --no-dereference "$node/host/cni-configuration" "$saved/cni-configuration" ||
  fail "the saved configuration differs"
[ "$(stat -c %a "$saved/cni-configuration/10-flannel.conflist")" = 600 ] || fail "the mode is lost"
expect_line "$saved/node-state" format=1
expect_line "$saved/node-state" interface=ens5
expect_line "$saved/node-state" mtu=1500
expect_line "$saved/node-state" tcp_mtu_probing=0
expect_line "$saved/node-state" offload_features=saved
expect_line "$saved/node-state" mizar_found=false
expect_line "$saved/offload-features" "Features for ens5:"
grep -qE '^saved_at=[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z$' "$saved/node-state" || fail "no time"
expect_absent "$saved.incomplete"
end

begin "a later run changes nothing, whatever became of the node"
run || fail "the first run ended with $?"
cp -Rp "$saved" "$work/first"
rm "$node/host/cni-configuration/10-flannel.conflist"
echo '{}' >"$node/host/cni-configuration/10-mizarcni.conf"
echo 9000 >"$node/sys/class/net/ens5/mtu"
run || fail "the second run ended with $?"
diff -r "$work/first" "$saved" || fail "the saved state changed"
rm -rf "$work/first"
end

begin "what a killed run left behind is not taken for the state"
mkdir -p "$saved.incomplete/cni-configuration"
echo half >"$saved.incomplete/cni-configuration/99-half.conf"
run || fail "it ended with $?"
expect_absent "$saved/cni-configuration/99-half.conf"
expect_absent "$saved.incomplete"
end

begin "a configuration that cannot be copied stops the pod, and a later run saves it"
printf '#!/bin/sh\necho "cp: no space left on device" >&2\nexit 1\n' >"$work/bin/cp"
chmod +x "$work/bin/cp"
if run; then fail "it reported success"; fi
expect_absent "$saved"
rm "$work/bin/cp"
run || fail "the later run ended with $?"
[ -e "$saved/cni-configuration/10-flannel.conflist" ] || fail "the later run saved nothing"
end

begin "two runs at once leave one whole state"
cat >"$work/bin/cp" <<CP
#!/bin/sh
PATH=${PATH}
cp "\$@"
mkdir "$saved"
echo other >"$saved/node-state"
CP
chmod +x "$work/bin/cp"
if run; then fail "it reported success"; fi
[ "$(ls "$saved")" = node-state ] || fail "the other run's state was changed"
run || fail "the rerun ended with $?"
expect_line "$saved/node-state" other
end

begin "an empty configuration folder is saved as empty"
rm "$node/host/cni-configuration/10-flannel.conflist"
run || fail "it ended with $?"
[ -d "$saved/cni-configuration" ] || fail "no folder"
[ -z "$(ls -A "$saved/cni-configuration")" ] || fail "the folder is not empty"
end

begin "without ethtool the offload features are unknown, and the rest is saved"
printf '#!/bin/sh\nexit 127\n' >"$work/bin/ethtool"
run || fail "it ended with $?"
expect_line "$saved/node-state" offload_features=unknown
expect_line "$saved/node-state" mtu=1500
expect_absent "$saved/offload-features"
end

begin "without a default route the daemon's own fallback is taken"
sed -i '/00000000	0	0	0$/d' "$node/proc/net/route"
run || fail "it ended with $?"
expect_line "$saved/node-state" interface=eth0
expect_line "$saved/node-state" mtu=unknown
end

begin "an interface that is named is taken instead of the default route's"
MIZAR_ITF=ens4
export MIZAR_ITF
run || fail "it ended with $?"
unset MIZAR_ITF
expect_line "$saved/node-state" interface=ens4
expect_line "$saved/node-state" mtu=1450
end

begin "a node that ran Mizar before is told apart"
echo '{}' >"$node/host/cni-configuration/10-mizarcni.conf"
run || fail "it ended with $?"
expect_line "$saved/node-state" mizar_found=true
end

begin "the kubelet, which expands \$(NAME) and \$\$ in commands, leaves the script alone"
: >"$work/output"
if grep -nF "\$\$" "$script"; then fail "the script contains \$\$"; fi
if grep -nE '\$\((MIZAR_ITF|SAVE_NODE_STATE_ROOT)\)' "$script"; then fail "the script names a variable as \$(…)"; fi
end

echo "$passed tests passed with $shell"
