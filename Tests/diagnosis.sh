#!/usr/bin/env bash
# A sample of the diagnosis (docs/diagnosis.md) with the programs of a debug build: failures and programs that are well, each beside a real agent
# that reports to a real collector. diagnosis.sh DIRECTORY: of the programs. Chosen by a fixed seed: the same cases each time.
# One failure may be missed, because a loaded machine may cut a log short; nothing that is well may be paged as P0 or P1.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
  echo "skipped: needs root, because each program runs in namespaces of processes and mounts"
  exit 0
fi
if ! unshare --mount --pid --fork --kill-child --mount-proc true 2>/dev/null; then
  echo "skipped: this machine gives no namespaces of processes and mounts (unshare --mount --pid)"
  exit 0
fi
exec Tests/Diagnosis/diagnose.py --bin "$1" --limit 12 --no-needs --jobs 4 --seed 1 --missed-max 1 --python /usr/bin/python3 \
  --output .build/diagnose-sample.json
