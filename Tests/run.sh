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
  local name=$1 start=$SECONDS output=.build/test-phase.log code
  shift
  "$@" >"$output" 2>&1
  code=$?
  counted "$name" "$code" $((SECONDS - start)) "$output"
}
counted() {
  local name=$1 code=$2 seconds=$3 output=$4
  if [ "$code" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok    $name ($seconds s) $(tests_of "$output")"
  else
    failed=$((failed + 1))
    echo "FAIL  $name ($seconds s)"
    grep -E '✘|error:|Fatal|recorded an issue|failed' "$output" | head -60
    tail -25 "$output"
  fi
  cat "$output" >>"$log"
}
# begin NAME COMMAND…: the same beside what follows; `settle` waits for all that was begun, and counts it.
begun=()
begin() {
  local name=$1 output=.build/test-beside-${#begun[@]}.log
  shift
  (
    start=$SECONDS
    "$@" >"$output" 2>&1
    echo "$? $((SECONDS - start))" >"$output.end"
  ) &
  begun+=("$!" "$name" "$output")
}
settle() {
  local at code seconds
  for ((at = 0; at < ${#begun[@]}; at += 3)); do
    wait "${begun[at]}"
    read -r code seconds <"${begun[at + 2]}.end"
    counted "${begun[at + 1]}" "$code" "$seconds" "${begun[at + 2]}"
  done
  begun=()
}
# What a phase without tests of Swift says of itself: that it was skipped, and why, or its result.
tests_of() { grep -oE 'Test run with [0-9]+ tests|^skipped: .*|^named [0-9]+ of .*' "$1" | tail -1; }

# Anchored: the end-to-end tests have suites of the same names.
units='^(FleetModelTests|IncidentsTests|SiteConfigurationTests|RulesTests|SchemaTests|RPCTests|AgentTests|CollectorTests|CommandsTests|ConsoleTests|FilesTests|NVMLTests|FuzzTests|OutboundTests|SQLGuardTests)\.'
# The program itself: two runs of `swift test` at once do not share the build's database.
run_tests() { timeout 1500 "$program" --testing-library swift-testing "$@"; }
# Tests with real programs wait far more than they work, so three groups of them run beside each other, each one test after another.
# The first two name their suites, the third takes what is left.
pages='EndToEndTests[./](Consoles|ConsolesByCommand|ConsolesFromOutside|Formats|Outputs|Options)[./]'
patience='EndToEndTests[./](CertificateEnd|PoisonedRows|FleetIdentity)[./]'

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
  program=$(swift build --show-bin-path)/signalboxPackageTests.xctest
  phase "architecture" run_tests --filter ArchitectureTests
  phase "units and their exposure" Tests/unit-exposure.sh
  phase "unit" run_tests --filter "$units"
  phase "wrappers" run_tests --filter 'EventLoopTests|TLSTests|HTTP2Tests|TransportTests|PostgresTests'
  # These wait most of the time: they go on beside what computes.
  begin "end to end, what ends with time" run_tests --no-parallel --filter "$patience"
  begin "paging to a local receiver" run_tests --filter PagingTests
  begin "diagnosis of real programs" Tests/diagnosis.sh "$(dirname "$program")"
  phase "storage on PostgreSQL" run_tests --filter StoreTests
  phase "simulation, 200 and 400 seeds" run_tests --filter SimulationTests
  url=
  if [ -n "$timescale" ]; then
    phase "TimescaleDB server" timescale_started
    url=$(Tests/TestSupport/timescale.sh url 2>/dev/null)
  fi
  if [ -n "$url" ]; then
    export SIGNALBOX_TEST_DATABASE_URL=$url
    phase "storage on TimescaleDB" run_tests --filter StoreTests
    unset SIGNALBOX_TEST_DATABASE_URL
  fi
  begin "end to end, pages and commands" run_tests --no-parallel --filter "$pages"
  if [ -n "$url" ]; then
    # Once is enough for what waits for minutes or for what no table has a part in: certificates, users, configurations, strangers'
    # connections, a disk that is full, what an agent follows and probes, the console.
    export SIGNALBOX_TEST_DATABASE_URL=$url
    begin "end to end on TimescaleDB" run_tests --no-parallel --filter EndToEndTests \
      --skip 'EndToEndTests[./](CertificateEnd|DatabaseUsers|ConfigCommands|CommandLines|Consoles|FleetIdentity|FullDisk|PagingChaos|Probes|Strangers|Streams)'
    unset SIGNALBOX_TEST_DATABASE_URL
  fi
  phase "end to end on PostgreSQL" run_tests --no-parallel --filter EndToEndTests --skip "$pages" --skip "$patience"
  settle
fi
if [ -n "$timescale" ]; then
  wait "$timescale"
  Tests/TestSupport/timescale.sh stop >>"$log" 2>&1
fi
total=$(grep -oE 'Test run with [0-9]+ tests' "$log" | awk '{n += $4} END {print n + 0}')
echo "$total tests in $((passed + failed)) phases, $SECONDS s; the whole output is in $log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
