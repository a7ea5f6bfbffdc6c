import Store
import Testing

@Suite struct HostNamingTests {
  @Test func namesPatternsAndLabelsAreDistinguished() {
    #expect(HostNaming.isPattern("gpu-*") && !HostNaming.isPattern("gpu") && !HostNaming.isPattern("*-*"))
    #expect(!HostNaming.isPattern("a *") && !HostNaming.isName("a*"))
    #expect(!HostNaming.isName("..") && !HostNaming.isName(".") && HostNaming.isName("..a"))
    #expect(!HostNaming.isName("-a") && !HostNaming.isPattern("-*") && HostNaming.isName("a-"))
    #expect(HostNaming.problem(ofLabel: "role", "trainer") == nil)
    #expect(HostNaming.problem(ofLabel: "role", "") == nil)
    for (key, value) in [
      ("", "x"), ("-a", "x"), ("a b", "x"), ("host", "x"), ("a", "x\u{1e}y"), ("a", String(repeating: "x", count: 129)),
    ] {
      #expect(HostNaming.problem(ofLabel: key, value) != nil, "\(key)=\(value)")
    }
  }
}
