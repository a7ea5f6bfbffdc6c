import FleetModel
import SiteConfiguration
import Store
import Testing

@Suite struct HostConfigurationTests {
  @Test func laterEntriesTakeThePlaceOfEarlierOnes() throws {
    let yaml = """
      hosts:
        "gpu-*": { labels: { role: trainer, rack: a } }
        gpu-07: { labels: { rack: b } }
      profiles: [{ match: { role: trainer }, interval: 10s }]
      """
    let found = try #require(try ConfigurationReader.read(yaml, file: "x").hostLabels)
    #expect(HostLabels.labels(of: "gpu-07", found) == ["role": "trainer", "rack": "b"])
    #expect(HostLabels.labels(of: "gpu-1", found) == ["role": "trainer", "rack": "a"])
    #expect(HostLabels.labels(of: "cpu-1", found).isEmpty)
  }

  @Test func aProfileChoosesHostsAndLabelsByPatterns() throws {
    let yaml = """
      profiles:
        - { match: { host: "gpu-*" }, interval: 10s }
        - { match: { role: "train*", host: "*-7" }, logs: [{ path: "/srv/*.log" }] }
      """
    let read = try ConfigurationReader.read(yaml, file: "x")
    let seven = read.settings(labels: ["host": "gpu-7", "role": "trainer"], revision: 1)
    #expect(seven.sampleIntervalMs == 10_000 && seven.follow == ["/srv/*.log"])
    let other = read.settings(labels: ["host": "gpu-8", "role": "trainer"], revision: 1)
    #expect(other.sampleIntervalMs == 10_000 && other.follow.isEmpty)
    let none = read.settings(labels: ["host": "cpu-1"], revision: 1)
    #expect(none.sampleIntervalMs != 10_000 && none.follow.isEmpty)
  }

  @Test func aFileWithoutTheSectionDeclaresNoneAndNoFileSaysNothing() throws {
    #expect(try ConfigurationReader.read("retention: {}", file: "x").hostLabels == [])
    #expect(Configuration().hostLabels == nil)
  }

  @Test(arguments: [
    ("hosts: []", "hosts must be names with values"), ("hosts:\n  a b: { labels: {} }", "'a b' is no host's name"),
    ("hosts:\n  \"*-*\": { labels: {} }", "'*-*' is no host's name"),
    ("hosts:\n  a: { label: {} }", "did you mean 'labels'"),
    ("hosts:\n  a: { labels: { host: b } }", "signalbox hosts rename"),
    ("hosts:\n  a: { labels: { \"b c\": d } }", "'b c' is no label"),
  ])
  func mistakesAreTold(yaml: String, part: String) {
    #expect(sentences(yaml).contains { $0.contains(part) }, "\(sentences(yaml))")
  }
}
