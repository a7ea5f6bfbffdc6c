import FleetModel
import Foundation
import RuleFiles
import Rules
import Testing

/// The shipped pack, the catalogue that it covers and the pages that are made from it.
@Suite struct RulePackTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  static func pack() throws -> RulePack { try RulePack(root + "/deploy/rules", shownAs: "deploy/rules") }

  static func text(_ path: String) throws -> String { try String(contentsOfFile: root + "/" + path, encoding: .utf8) }

  @Test func everyCaseOfThePackPasses() throws {
    let pack = try Self.pack()
    for test in pack.cases { #expect(test.run(pack.set) == [], "\(test.file):\(test.line): \(test.name)") }
  }

  @Test func everyRowOfTheCatalogueHasARuleAFiringCaseAndANearMiss() throws {
    let pack = try Self.pack()
    #expect(pack.catalogue.rows.count == 86)
    let coverage = RuleCoverage.of(pack.catalogue, pack.set, pack.cases)
    for entry in coverage { #expect(entry.isComplete, "\(entry)") }
    #expect(RuleCoverage.extra(pack.catalogue, pack.set).isEmpty)
    let seeds = RuleCoverage.open(pack.catalogue, coverage)
    #expect(seeds.map(\.seed) == ["S0", "S1", "S2", "S3", "S4"])
    for seed in seeds { #expect(seed.missing.isEmpty, "\(seed)") }
  }

  @Test func aRowWithoutARuleOrARuleWithoutACaseIsAnEmptyCell() throws {
    let pack = try Self.pack()
    let without = RuleCoverage.of(pack.catalogue, pack.set, pack.cases.filter { $0.rule != "RES-01" })
    #expect(without.filter { !$0.isComplete }.map(\.rule) == ["RES-01"])
    let none = RuleCoverage.of(pack.catalogue, RuleSet(), pack.cases)
    #expect(none.count == 86 && none.allSatisfy { !$0.isComplete })
    #expect(RuleCoverage.open(pack.catalogue, none).first?.missing.count == 6)
  }

  @Test func everyRuleSaysWhatToDo() throws {
    for rule in try Self.pack().set.rules {
      #expect(
        !rule.steps.isEmpty && !rule.causes.isEmpty && !rule.source.isEmpty, "\(rule.id) lacks causes, steps or source")
    }
  }

  /// The page that a collector's own incident names is there.
  @Test func whatACollectorFindsAboutItselfHasAPage() throws {
    let names = Set(try Self.pack().pages.map { "docs/runbooks/" + $0.name })
    #expect(OwnRule.all.count == 2 && OwnRule.all.allSatisfy { $0.hasPrefix(OwnRule.prefix) })
    for own in OwnRule.runbooks {
      #expect(names.contains(own.place) && !own.steps.isEmpty && !own.causes.isEmpty)
      let change = IncidentChange(.opened, rule: own.id, severity: own.severity, eventNs: 0, detectedNs: 0)
      #expect(change.described(by: own).runbook == own.place && change.described(by: own).causes == own.causes)
    }
  }

  @Test func everyMuteMeansARule() throws {
    let set = try Self.pack().set
    for rule in set.rules {
      for name in rule.mutes {
        let isMeant = set.rules.contains { StarPattern.matches($0.id, name) }
        #expect(isMeant, "\(rule.id) mutes \(name)")
      }
    }
  }

  /// Rules of this project's own judgement are shown before they page anybody.
  @Test func whatIsOursOnlyObserves() throws {
    for rule in try Self.pack().set.rules where rule.source.split(separator: "; ").last?.hasSuffix("ours") == true {
      #expect(rule.observe, "\(rule.id)")
    }
  }

  @Test func theCommittedPagesAreCurrent() throws {
    let pack = try Self.pack()
    let hint = "run: make docs"
    for page in pack.pages {
      #expect(try Self.text("docs/runbooks/" + page.name) == page.text, "\(page.name); \(hint)")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.root + "/docs/runbooks")
    #expect(Set(names) == Set(pack.pages.map(\.name)), "\(hint)")
    let coverage = RuleCoverage.of(pack.catalogue, pack.set, pack.cases)
    #expect(try Self.text("docs/rule-coverage.md") == RuleCoverage.page(pack.catalogue, coverage), "\(hint)")
  }
}
