internal import Incidents

/// Questions about the rules that collectors run.
package enum RuleQueries {
  /// Columns: rule, severity, title, open (incidents of it that are not resolved).
  package static func list() -> ReadQuery {
    ReadQuery(
      """
      select p.rule, 'P' || p.severity as severity, p.title, nullif((select count(*) from signalbox.incidents i
        where i.rule = p.rule and i.state <> \(IncidentState.resolved.sql)), 0) as open
      from signalbox.rule_pages p order by p.rule
      """)
  }

  /// Columns: rule, severity, title, page (Markdown). No row for a rule that no collector runs.
  package static func page(of rule: String) -> ReadQuery {
    ReadQuery(
      "select p.rule, 'P' || p.severity as severity, p.title, p.page from signalbox.rule_pages p where p.rule = $1",
      [rule])
  }
}
