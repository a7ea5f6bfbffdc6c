#!/usr/bin/env bash
# The recipe for data frames of docs/analysis.md, tried: PyPI's adbc-driver-postgresql as the login of people's SQL, and pandas from the
# command line. Starts a collector with a private database of its own.
#
#   Tests/Clients/adbc.sh [DIRECTORY OF THE PROGRAMS]      (.build/debug)
#
# SIGNALBOX_ADBC_PYTHON: a Python that has adbc-driver-postgresql, pyarrow and pandas; else they are installed below $TMPDIR (380 MB).
# As root the programs run as SIGNALBOX_USER (65534), because PostgreSQL refuses root.
set -euo pipefail
programs=$(cd "${1:-$(dirname "$0")/../../.build/debug}" && pwd)
directory=$(mktemp -d)
collector=
finish() {
  if [ -n "$collector" ]; then kill "$collector" 2>/dev/null || true; wait "$collector" 2>/dev/null || true; fi
  rm -rf "$directory"
}
trap finish EXIT
as=()
if [ "$(id -u)" = 0 ]; then
  user=${SIGNALBOX_USER:-65534}
  chown "$user" "$directory"
  as=(setpriv --reuid "$user" --regid "$user" --clear-groups env "HOME=$directory")
fi
python=${SIGNALBOX_ADBC_PYTHON:-}
if [ -z "$python" ]; then
  umask 022
  python3 -m venv "${TMPDIR:-/tmp}/signalbox-adbc"
  python=${TMPDIR:-/tmp}/signalbox-adbc/bin/python
  "$python" -m pip install -q adbc-driver-postgresql pyarrow pandas
fi

"${as[@]}" "$programs/signalbox-collector" --state-dir "$directory/state" --listen 127.0.0.1:0 \
  >"$directory/collector.out" 2>"$directory/collector.err" &
collector=$!
for _ in $(seq 600); do
  grep -q '^ready ' "$directory/collector.out" && break
  kill -0 "$collector" 2>/dev/null || { cat "$directory/collector.err" >&2; exit 1; }
  sleep 0.1
done
owner=$(cat "$directory/state/database-url")
sql() { "${as[@]}" psql -XqAt -v ON_ERROR_STOP=1 "$owner" "$@"; }
sql <<'SQL'
insert into signalbox.hosts (number, host_id, name) values (1, gen_random_uuid(), 'gpu-1');
insert into signalbox.runs (number, host, run, started, updated) overriding system value values (1, 1, 'ppo_1', now(), now());
do $$ begin
  if to_regproc('signalbox.ensure_partition') is not null then
    perform signalbox.ensure_partition('training_steps', now());
  end if;
end $$;
insert into signalbox.training_steps (time, received, host, run, episode, step, reward, portfolio_value)
select now(), now(), 1, 1, 1, n, n / 4.0, 10000 + n from generate_series(1, 50000) n;
SQL
login=$(sql -c "select role || ' ' || password from signalbox.reader_access where purpose = 'people' order by created desc limit 1")
"$python" - "$owner" ${login} <<'PYTHON'
import sys
import urllib.parse
import adbc_driver_postgresql.dbapi as postgresql

owner, role, password = sys.argv[1], sys.argv[2], (sys.argv + [""])[3]
parts = urllib.parse.urlsplit(owner)
place = parts.netloc.rpartition("@")[2]
url = parts._replace(netloc=f"{role}:{urllib.parse.quote(password, safe='')}@{place}").geturl()
with postgresql.connect(url) as connection, connection.cursor() as cursor:
    cursor.execute("select step, reward, portfolio_value from training_steps where run = $1 order by step", ("ppo_1",))
    steps = cursor.fetch_arrow_table()
    assert steps.num_rows == 50_000 and steps.column_names == ["step", "reward", "portfolio_value"], steps.schema
    frame = steps.to_pandas()
    assert frame.step.tolist() == list(range(1, 50_001)) and frame.reward.sum() == sum(range(1, 50_001)) / 4
    cursor.execute("select sum(step)::float8 as steps, max(time) as newest from training_steps")
    row = cursor.fetch_arrow_table().to_pylist()[0]
    assert row["steps"] == sum(range(1, 50_001)) and row["newest"].tzinfo is not None, row
for refused in ["select * from signalbox.training_steps", "select password from signalbox.reader_access", "delete from training_steps"]:
    try:
        with postgresql.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(refused)
            cursor.fetchall()
    except postgresql.Error as error:
        assert "permission denied" in str(error) or "read-only" in str(error) or "cannot delete" in str(error), error
    else:
        raise SystemExit(f"the reader's login may do this: {refused}")
print("adbc reads 50000 steps as the reader's login, and nothing else")
PYTHON
"$python" - "$directory/state" "${as[@]}" "$programs/signalbox" <<'PYTHON'
import io
import subprocess
import sys
import pandas

def answer(*words):
    return subprocess.run([*sys.argv[2:], *words, "--state-dir", sys.argv[1]], check=True, capture_output=True).stdout

query = "select step, reward from training_steps where step <= 100 order by step"
csv = pandas.read_csv(io.BytesIO(answer("query", query, "--format", "csv")))
lines = pandas.read_json(io.BytesIO(answer("query", query, "--format", "ndjson")), lines=True)
assert len(csv) == 100 and csv.equals(lines.astype(csv.dtypes.to_dict())) and csv.reward.sum() == 5050 / 4
runs = pandas.read_csv(
    io.BytesIO(answer("runs", "list", "--format", "csv", "--allow-missing")), parse_dates=["started", "updated"])
assert runs.run.tolist() == ["ppo_1"] and str(runs.started.dt.tz) == "UTC", runs
print("pandas reads CSV and NDJSON of the command line")
PYTHON
