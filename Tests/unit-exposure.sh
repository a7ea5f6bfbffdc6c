#!/usr/bin/env bash
# The agent's unit must stay at an exposure of at most 1.5 (systemd-analyze security, lower is better), on GPU hosts too.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing: apt-get install systemd"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check() { # NAME UNIT
  local score
  score=$(systemd-analyze security --offline=true "$2" 2>/dev/null | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
  echo "$1: exposure ${score:-unknown}"
  awk -v score="${score:-9.9}" 'BEGIN { exit !(score <= 1.5) }'
}

check "CPU host" deploy/systemd/signalbox-agent.service
# Offline analysis reads one file: the drop-in's lines are put behind the unit's own section.
sed '/^\[Install\]/,$d' deploy/systemd/signalbox-agent.service | grep -v '^PrivateDevices=' >"$scratch/signalbox-agent.service"
grep -v '^\[Service\]' deploy/systemd/gpu.conf >>"$scratch/signalbox-agent.service"
check "GPU host" "$scratch/signalbox-agent.service"
