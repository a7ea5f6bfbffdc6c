package import FleetModel
internal import Postgres

/// The runbook of a rule, as its collector makes it.
package struct RulePage: Sendable, Equatable {
  /// The rule's id.
  package var rule: String
  package var severity: Severity
  package var title: String
  /// Markdown, with the id and the title as its first heading.
  package var text: String

  package init(rule: String, severity: Severity, title: String, text: String) {
    self.rule = rule
    self.severity = severity
    self.title = title
    self.text = text
  }
}

extension Store {
  /// Longest runbook, Unicode scalars: one is made of a rule, whose file may hold more.
  private static let pageScalarsMax = 100_000

  /// Publishes the runbooks of the rules that run, for the console; those of rules that no longer run are deleted.
  package func publishRulePages(_ pages: [RulePage]) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try run("delete from signalbox.rule_pages where rule <> all($1)", [.texts(pages.map(\.rule))])
      try run(
        """
        insert into signalbox.rule_pages as p (rule, severity, title, page)
        select * from unnest($1::text[], $2::int2[], $3::text[], $4::text[])
        on conflict (rule) do update set severity = excluded.severity, title = excluded.title, page = excluded.page
          where (p.severity, p.title, p.page) is distinct from (excluded.severity, excluded.title, excluded.page)
        """,
        [
          .texts(pages.map(\.rule)), .int2s(pages.map { Int16($0.severity.rawValue) }), .texts(pages.map(\.title)),
          .texts(pages.map { PlainText.cut($0.text, scalarsMax: Self.pageScalarsMax) }),
        ])
    }
  }
}
