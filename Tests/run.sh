#!/usr/bin/env bash
# Every test, in the order in which a mistake is cheapest to find. Ends with one line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")/.."
deploy/setup/install-dependencies.sh test || exit 1
export SIGNALBOX_PYTHON=${SIGNALBOX_PYTHON:-$PWD/.build/venv/bin/python}
export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-enable=yes,interactive=no,color=no}
log=.build/test.log
passed=0 failed=0
: >"$log"

# phase NAME COMMAND…: runs it, counts it; output goes to the log and is shown where it failed.
phase() {
  local name=$1 start=$SECONDS output=.build/test-phase.log
  shift
  if "$@" >"$output" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $name ($((SECONDS - start)) s) $(tests_of "$output")"
  else
    failed=$((failed + 1))
    echo "FAIL  $name ($((SECONDS - start)) s)"
    grep -E '✘|error:|Fatal|recorded an issue|failed' "$output" | head -60
    tail -25 "$output"
  fi
  cat "$output" >>"$log"
}
tests_of() { grep -oE 'Test run with [0-9]+ tests' "$1" | tail -1; }

# Anchored: the end-to-end tests have suites of the same names.
units='^(FleetModelTests|IncidentsTests|SiteConfigurationTests|RulesTests|SchemaTests|RPCTests|AgentTests|CollectorTests|CommandsTests|ConsoleTests|FilesTests|NVMLTests|FuzzTests|OutboundTests|SQLGuardTests)\.'
run_tests() { timeout 1500 swift test --skip-build --disable-xctest "$@"; }

# The TimescaleDB server is made while everything else is built and tested: it waits for the network.
timescale=
if [ "$(id -u)" -eq 0 ] && [ -f /etc/debian_version ] && [ "${SIGNALBOX_SKIP_TIMESCALE:-}" = "" ]; then
  Tests/TestSupport/timescale.sh start >.build/timescale-start.log 2>&1 &
  timescale=$!
fi
timescale_started() {
  wait "$timescale" && return
  cat .build/timescale-start.log
  return 1
}

phase "format and lint" swift format lint --strict --recursive Package.swift Sources Tests Benchmarks
phase "build" swift build --build-tests
if [ "$failed" -eq 0 ]; then
  phase "architecture" run_tests --filter ArchitectureTests
  phase "units and their exposure" Tests/unit-exposure.sh
  phase "unit" run_tests --filter "$units"
  phase "wrappers" run_tests --filter 'EventLoopTests|TLSTests|HTTP2Tests|TransportTests|PostgresTests'
  phase "storage on PostgreSQL" run_tests --filter StoreTests
  phase "paging to a local receiver" run_tests --filter PagingTests
  phase "simulation, 200 and 400 seeds" run_tests --filter SimulationTests
  phase "end to end on PostgreSQL" run_tests --no-parallel --filter EndToEndTests
  if [ -n "$timescale" ]; then
    phase "TimescaleDB server" timescale_started
    url=$(Tests/TestSupport/timescale.sh url 2>/dev/null)
    if [ -n "$url" ]; then
      export SIGNALBOX_TEST_DATABASE_URL=$url
      phase "storage on TimescaleDB" run_tests --filter StoreTests
      # Once is enough for what waits for minutes or for what no table has a part in: certificates, users, configurations, strangers'
      # connections, a disk that is full, what an agent follows and probes, the console.
      phase "end to end on TimescaleDB" run_tests --no-parallel --filter EndToEndTests \
        --skip 'EndToEndTests[./](CertificateEnd|DatabaseUsers|ConfigCommands|CommandLines|Consoles|FleetIdentity|FullDisk|PagingChaos|Probes|Strangers|Streams)'
      unset SIGNALBOX_TEST_DATABASE_URL
    fi
  fi
fi
if [ -n "$timescale" ]; then
  wait "$timescale"
  Tests/TestSupport/timescale.sh stop >>"$log" 2>&1
fi
total=$(grep -oE 'Test run with [0-9]+ tests' "$log" | awk '{n += $4} END {print n + 0}')
echo "$total tests in $((passed + failed)) phases, $SECONDS s; the whole output is in $log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
