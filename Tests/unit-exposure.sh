#!/usr/bin/env bash
# The units must be correct and stay at their exposure (systemd-analyze security, lower is better): the agent's and the database's at
# 1.5, on GPU hosts too, those of collector and console, which serve the network, at 2.0.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing: apt-get install systemd"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check() { # NAME UNIT MAXIMUM
  local score
  score=$(systemd-analyze security --offline=true "$2" 2>/dev/null | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
  echo "$1: exposure ${score:-unknown}"
  awk -v score="${score:-9.9}" -v most="$3" 'BEGIN { exit !(score <= most) }'
}

# A copy whose programs exist here; verify knows every directive and the units that are named.
mkdir "$scratch/units"
for unit in deploy/systemd/*.service; do
  sed 's,^ExecStart=/usr/bin/signalbox[a-z-]*,ExecStart=/bin/true,' "$unit" >"$scratch/units/${unit##*/}"
done
problems=$(SYSTEMD_UNIT_PATH="$scratch/units:" systemd-analyze verify --man=no "$scratch"/units/*.service 2>&1 | grep -E "$scratch|signalbox-" || true)
if [ -n "$problems" ]; then
  echo "$problems"
  exit 1
fi

check "CPU host" deploy/systemd/signalbox-agent.service 1.5
# Offline analysis reads one file: the drop-in's lines are put behind the unit's own section.
sed '/^\[Install\]/,$d' deploy/systemd/signalbox-agent.service | grep -v '^PrivateDevices=' >"$scratch/signalbox-agent.service"
grep -v '^\[Service\]' deploy/systemd/gpu.conf >>"$scratch/signalbox-agent.service"
check "GPU host" "$scratch/signalbox-agent.service" 1.5
check "database" deploy/systemd/signalbox-database.service 1.5
check "collector" deploy/systemd/signalbox-collector.service 2.0
check "console" deploy/systemd/signalbox-console.service 2.0
