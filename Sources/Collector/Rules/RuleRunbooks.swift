internal import FleetModel
internal import Rules
internal import Store

/// The runbooks that the console shows: of the rules that run, and of what the collector finds about itself.
enum RuleRunbooks {
  static func pages(of set: RuleSet) -> [RulePage] {
    set.rules.map { rule in
      RulePage(
        rule: rule.id, severity: rule.severity, title: rule.title,
        // Cases and the catalogue's words stand in files that a collector does not read.
        text: Runbook.page(rule, in: set, cases: [], symptom: ""))
    }
      + OwnRule.runbooks.map { own in
        RulePage(rule: own.id, severity: own.severity, title: own.title, text: Runbook.page(own))
      }
  }
}
