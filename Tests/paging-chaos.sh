#!/usr/bin/env bash
# Kills and stops collector, PostgreSQL and receiver FAULTS times (300) at random moments of line → rule → outbox → HTTP, half of them
# with one collector, half with a pair on one database, while the receiver answers 200, 400, 429, 500, late, never, or takes a
# page and hangs up. Prints one line of figures each. SIGNALBOX_CHAOS_SEED repeats an order.
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup/install-dependencies.sh test
swift build --build-tests
SIGNALBOX_PAGING_KILLS=$(((${1:-300} + 1) / 2)) swift test --skip-build --disable-xctest --no-parallel \
  --filter 'EndToEndTests.PagingChaos'
