import Store
import Testing

@Suite struct HostNamingTests {
  @Test(arguments: [
    ("gpu-*", "gpu-1", true), ("gpu-*", "gpu-", true), ("gpu-*", "cpu-1", false), ("*", "x", true), ("a*b", "ab", true),
    ("a*a", "a", false), ("*-1", "gpu-1", true), ("gpu-1", "gpu-1", true), ("gpu-1", "gpu-10", false),
  ])
  func aStarStandsForAnyRest(pattern: String, name: String, fits: Bool) {
    #expect(HostNaming.matches(name, pattern) == fits)
  }

  @Test func namesPatternsAndLabelsAreToldApart() {
    #expect(HostNaming.isPattern("gpu-*") && !HostNaming.isPattern("gpu") && !HostNaming.isPattern("*-*"))
    #expect(!HostNaming.isPattern("a *") && !HostNaming.isName("a*"))
    #expect(HostNaming.problem(ofLabel: "role", "trainer") == nil)
    #expect(HostNaming.problem(ofLabel: "role", "") == nil)
    for (key, value) in [
      ("", "x"), ("a b", "x"), ("host", "x"), ("a", "x\u{1e}y"), ("a", String(repeating: "x", count: 129)),
    ] {
      #expect(HostNaming.problem(ofLabel: key, value) != nil, "\(key)=\(value)")
    }
  }
}
