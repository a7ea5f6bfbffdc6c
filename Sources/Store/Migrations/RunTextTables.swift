/// What a search of runs looks at, a row a run and narrow, in lower case: lower() of a hundred thousand names and parameters costs a
/// multiple of finding a text in them.
enum RunTextTables {
  /// Filled by triggers, so that no writer can forget it. A host's name is not in it: it changes, and is asked for itself.
  static let sql = """
    create table signalbox.run_texts (
      run integer primary key,
      host integer not null,
      text text collate "C" not null
    );
    insert into signalbox.run_texts select r.number, r.host, \(text("r")) from signalbox.runs r;
    create function signalbox.save_run_text() returns trigger language plpgsql as $$
    begin
      insert into signalbox.run_texts values (new.number, new.host, \(text("new")))
        on conflict (run) do update set host = excluded.host, text = excluded.text;
      return null;
    end
    $$;
    create trigger runs_text_inserted after insert on signalbox.runs
      for each row execute function signalbox.save_run_text();
    create trigger runs_text_changed after update of host, run, detail on signalbox.runs
      for each row when ((old.host, old.run, old.detail) is distinct from (new.host, new.run, new.detail))
      execute function signalbox.save_run_text();
    """

  /// Latin letters in lower case only: without a collation, lower() costs a third.
  private static func text(_ row: String) -> String {
    "lower((\(row).run || chr(10) || \(row).detail) collate \"C\")"
  }
}
