import FleetModel
import Store
import Testing

@testable import SQLGuard

@Suite struct SQLGuardTests {
  private static let nowNs: Int64 = 1_790_000_000_000_000_000

  private func check(_ sql: String) throws(SQLRefusal) -> GuardedStatement {
    try SQLGuard.check(sql, nowNs: Self.nowNs)
  }

  /// Each of them gets more than the views, keeps the server from its work, or changes something.
  @Test(arguments: [
    "select set_config('role','none',false)",
    "select set_config('role','none',false), query_to_xml('select pg_read_file(''/etc/passwd'')',true,false,'')",
    "select lo_from_bytea(0, 'x')", "select lo_import('/etc/passwd')", "select pg_notify('hosts', 'x')", "notify hosts",
    "select pg_try_advisory_lock(1)", "select pg_advisory_xact_lock(1)", "set statement_timeout = 0",
    "set local work_mem = '10GB'", "select set_config('work_mem', '10GB', false)",
    "select query_to_xml('select 1', true, false, '')", "select dblink('', 'select 1')", "select pg_sleep(10)",
    "copy (select 1) to program 'id'", "copy hosts to '/tmp/x'", "select 1; select 2", "select 1; drop view hosts",
    "insert into hosts (host) values ('x')", "with gone as (delete from hosts returning *) select * from gone",
    "with x as (insert into hosts (host) values ('x') returning host) select * from x",
    "select * into public.copy from hosts", "select * from hosts for update", "select * from hosts for key share",
    "select * from signalbox.credentials", "select * from pg_authid", "select * from pg_catalog.pg_shadow",
    "select * from information_schema.tables", "table pg_stat_activity",
    "with pg_shadow as (select 1) select * from pg_shadow",
    "select * from pg_shadow where exists (with pg_shadow as (select 1) select 1)",
    "select * from other.public.hosts", "do $$ begin end $$", "call x()", "explain analyze select 1",
    "prepare x as select 1", "declare c cursor for select 1", "begin", "listen hosts", "values (pg_sleep(1))",
    "select repeat('x', 1000000000)", "select lpad('x', 1000000000)", "select format('%1000000000s', 'x')",
    "select array_fill(1, array[1000000000])", "select (select pg_sleep(1))", "select 1 order by pg_sleep(1)",
    "select count(*) filter (where pg_sleep(1) is null) from hosts", "select 1 limit (select pg_sleep(1)::text::int)",
    "select * from hosts, lateral pg_ls_dir('/') d", "select * from pg_ls_dir('/')",
    "select * from rows from (generate_series(1, 2), pg_ls_dir('/')) r",
    "select case when true then pg_sleep(1) end", "select sum(1) over (partition by pg_sleep(1))",
    "select public.pg_sleep(1)", "select pg_catalog.pg_sleep(1)", "select 'x'::regclass", "select '1'::xml",
    "select cast('pg_sleep' as regproc)", "select xmlelement(name x)", "select 'a'::public.thing",
    "select * from hosts tablesample system (1)", "select current_setting('data_directory')",
    "select pg_read_file('/etc/passwd')", "select has_table_privilege('x', 'select')", "select txid_current()",
    "select nextval('x')", "select pg_terminate_backend(1)", "vacuum", "checkpoint", "alter system set fsync = off",
    "merge into hosts using hosts h on true when matched then delete", "select $1", "", ";", "-- nothing", "selec 1",
    "select 'x", "select 1\0; drop view hosts",
  ])
  func isRefused(_ sql: String) {
    let refusal = #expect(throws: SQLRefusal.self, "\(sql)") { try check(sql) }
    #expect(refusal?.description.isEmpty == false)
    #expect(refusal?.description.utf8.contains(10) == false)
  }

  /// Only as many parameters as a saved statement names.
  @Test func parametersAreThoseThatAreNamed() throws {
    let sql = "select $1::text, count(*) from hosts where host = $2"
    let open = try SQLGuard.check(sql, parameters: 2, nowNs: Self.nowNs)
    #expect(open.views == ["hosts"] && open.hosts == nil)
    // With its values it is known which hosts it asks about.
    #expect(try SQLGuard.check(sql, parameters: 2, values: ["x", "gpu-1"], nowNs: Self.nowNs).hosts == ["gpu-1"])
    for count in [0, 1] {
      #expect(throws: SQLRefusal.self) { try SQLGuard.check(sql, parameters: count, nowNs: Self.nowNs) }
    }
    #expect(throws: SQLRefusal.self) { try SQLGuard.check("select $0", parameters: 2, nowNs: Self.nowNs) }
    #expect(throws: SQLRefusal.self) {
      try SQLGuard.check("select pg_sleep($1::float8)", parameters: 1, nowNs: Self.nowNs)
    }
  }

  @Test(arguments: [
    "select 1", "select * from hosts", "table hosts", "values (1), (2)", "select count(*) from public.log_lines",
    "select host, avg(cpu_busy_percent) from host_samples where time > now() - interval '1 hour' group by 1 order by 2 desc",
    "with last as (select host, max(time) as t from host_samples group by host) select * from last join hosts using (host)",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10) select * from n",
    "select extract(hour from time), date_trunc('day', time at time zone 'Europe/Berlin') from log_lines limit 3",
    "select substring(message from 'loss=([0-9.]+)')::float8, message ~ 'x', message ilike '%y%' from log_lines",
    "select labels->>'rack', labels ? 'rack', array(select 1), (array[1,2])[1] from hosts",
    "select percentile_cont(0.9) within group (order by duration_ms) from probe_results",
    "select lag(reward) over (partition by episode order by step rows between 1 preceding and current row) from training_steps",
    "select host, case when state = 'active' then 1 else 0 end, coalesce(gpu_model, '-'), nullif(gpu_count, 0) from hosts",
    "select * from generate_series(1, 3) g, lateral (select g * 2) x",
    "select time_bucket('1 min', time) from host_samples",
    "select grouping(host), count(*) from log_counts group by grouping sets ((host), ())", "select current_date, now()",
    "select 1 union all select 2 except select 3", "select greatest(1, 2), trim('x'), position('a' in 'b')",
    "select count(distinct host) filter (where level = 'ERROR') from log_counts where time between '2026-01-01' and now()",
    "select * from (select host from hosts) x where exists (select from incidents i where i.host = x.host) fetch first 3 rows only",
    "select jsonb_build_object('a', 1), to_char(now(), 'YYYY'), string_agg(host, ',' order by host) from hosts",
  ])
  func isAllowed(_ sql: String) throws { _ = try check(sql) }

  /// Deep nesting neither ends the process nor takes long.
  @Test(arguments: [
    ("- ", ""), ("not ", ""), ("(", ")"), ("(select ", ")"), ("array[", "]"), ("abs(", ")"),
    ("case when ", " then 1 end"),
    ("1 + ", ""), ("1::text::int + ", ""), ("(values (", "))"), ("exists (select from hosts where ", ")"),
  ])
  func deepNestingIsAnsweredWithASentence(_ open: String, _ close: String) {
    for length in [SQLGuardTests.bytesMax, 4000, 1000] {
      let count = (length - 20) / (open.utf8.count + close.utf8.count)
      let sql = "select " + String(repeating: open, count: count) + "1" + String(repeating: close, count: count)
      do {
        _ = try check(sql)
      } catch {
        #expect(!error.description.isEmpty)
      }
    }
  }

  private static let bytesMax = 16 << 10

  @Test func tooLongAStatementIsRefused() {
    let refusal = #expect(throws: SQLRefusal.self) { try check("select " + String(repeating: "1,", count: 9000) + "1") }
    #expect(refusal?.description == "a statement has at most 16 KiB")
  }

  @Test func refusalsSayWhatThereIs() {
    func sentence(_ sql: String) -> String? {
      #expect(throws: SQLRefusal.self) { try check(sql) }?.description
    }
    #expect(sentence("select * from host")?.hasPrefix("no view is called host; there are: ") == true)
    #expect(sentence("select regexp_x('a')")?.contains("near it are: regexp_count, regexp_instr") == true)
    #expect(sentence("delete from hosts") == "only SELECT is answered: DELETE is not")
    #expect(sentence("select a from hosts where") == "syntax error at end of input (character 26)")
    #expect(sentence("select 1; select 2") == "give one statement; here are 2")
  }

  @Test func hostsAndTimesAreReadFromTheConditions() throws {
    let hour: Int64 = 3_600_000_000_000
    func meaning(_ sql: String) throws -> (hosts: [String]?, since: Int64?, unbounded: [String]) {
      let statement = try check(sql)
      return (statement.hosts, statement.sinceNs.map { (Self.nowNs - $0) / hour }, statement.unbounded)
    }
    let one = try meaning("select * from log_lines where host = 'a' and time > now() - interval '2 hours'")
    #expect(one == (["a"], 2, []))
    let several = try meaning(
      "select * from log_lines l join hosts h on h.host = l.host and l.time >= now() - interval '1h' where l.host in ('b', 'a')"
    )
    #expect(several == (["a", "b"], 1, []))
    // Not a restriction of every row.
    #expect(try meaning("select * from log_lines where host = 'a' or level = 'ERROR'") == (nil, nil, ["log_lines"]))
    #expect(try meaning("select * from log_lines where not host = 'a'").hosts == nil)
    #expect(try meaning("select * from log_lines where host = 'a' or host = 'b'").hosts == ["a", "b"])
    // Two readings: one of a host, one of all.
    #expect(
      try meaning("select 1 from hosts where host = 'a' union select 1 from hosts").hosts == nil)
    #expect(try meaning("select * from hosts left join log_lines l on l.host = 'a'").hosts == nil)
    #expect(try meaning("with x as (select * from hosts where host = 'a') select * from x").hosts == ["a"])
    #expect(try meaning("select 1") == ([], nil, []))
    #expect(try meaning("select * from hosts").unbounded == [])
    #expect(try meaning("select * from host_samples where time > now() - make_interval(hours => 2)").unbounded == [])
  }
}
