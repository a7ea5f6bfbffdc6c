#!/usr/bin/env bash
# Kills agent, collector and PostgreSQL KILLS times at random moments while 2 000 numbered lines a second are written, once
# with rename and once with copytruncate rotation, and compares lines with rows. SIGNALBOX_CHAOS_SEED repeats an order.
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup/install-dependencies.sh test
swift build --build-tests
SIGNALBOX_CHAOS_KILLS=${1:-200} swift test --skip-build --disable-xctest --no-parallel --filter 'EndToEndTests.Chaos'
