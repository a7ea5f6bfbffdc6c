import FleetModel
import Testing

@Suite struct ClampedNumbersTests {
  @Test(
    arguments: [
      (1e30, Int64.max), (-1e30, .min), (.infinity, .max), (-.infinity, .min), (.nan, 0), (2.5, 3), (-0.4, 0),
      (0x1p63, .max), (-0x1p63, .min), (.leastNonzeroMagnitude, 0),
    ] as [(Double, Int64)])
  func theNearestWholeNumber(_ number: Double, _ whole: Int64) {
    #expect(Int64(number: number) == whole)
    #expect(UInt64(number: -1) == 0 && UInt32(number: 1e10) == .max && UInt8(number: 255.4) == 255)
  }

  @Test func sumsDifferencesAndProductsEndAtTheTypesEnds() {
    #expect(Int64.max.addingClamped(1) == .max && Int64.min.addingClamped(-1) == .min && Int64(2).addingClamped(3) == 5)
    #expect(UInt64.max.addingClamped(.max) == .max && UInt64(1).subtractingClamped(2) == 0)
    #expect(Int64.min.subtractingClamped(1) == .min && Int64.max.subtractingClamped(-1) == .max)
    #expect(Int64(0).subtractingClamped(.min) == .max)
    #expect(Int64.max.multipliedClamped(by: 2) == .max && Int64.max.multipliedClamped(by: -2) == .min)
    #expect(Int64.min.multipliedClamped(by: -1) == .max && Int64(-3).multipliedClamped(by: 4) == -12)
  }

  @Test func timesAtTheEndOfWhat64BitsHoldAreNone() {
    #expect(Timestamp.parse("2262-04-11T23:47:16.999999999Z") == nil)
    #expect(Timestamp.parse("2262-04-11T23:47:16.854775807Z") == .max)
    #expect(TimeSpan.parse("100000w") == nil && TimeSpan.parse("1000w") != nil)
  }
}

@Suite struct IndexKeyTests {
  @Test func longTextsAreCutAndStayApart() {
    let path = "/" + String(repeating: "ä", count: 2000)
    let (one, other) = (IndexKey.bounded(path + "/a"), IndexKey.bounded(path + "/b"))
    #expect(one != other && one.utf8.count <= IndexKey.bytesMax && one.utf8.count > IndexKey.bytesMax - 8)
    #expect(one.hasPrefix("/ää") && !one.contains("\u{fffd}"))
    #expect(IndexKey.bounded("/var/log/a.log") == "/var/log/a.log")
  }

  /// A file's name may hold a line break, and who copies the key of its alert copies one line.
  @Test func aKeyIsOneLineAndTextsStayApart() {
    let texts = ["a b", "a\nb", "a\rb", "a\tb", "a\u{1b}b", "a\u{85}b", "a\u{2028}b", "a\r\nb", "a\n b"]
    let keys = texts.map(IndexKey.oneLine)
    #expect(Set(keys).count == texts.count && keys == texts.map(IndexKey.oneLine))
    for key in keys { #expect(!key.unicodeScalars.contains { $0.properties.generalCategory == .control }, "\(key)") }
    #expect(keys.allSatisfy { !$0.contains(where: \.isNewline) })
    #expect(keys[1].hasPrefix("a b~"))
    // Keys that are stored and sent stay what they are, with marks and characters that show nothing as well.
    for text in [
      "", "GPU-07|trainer-1|gpu 3", "/srv/ä\u{200b}\u{202e}.log", "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    ] {
      #expect(IndexKey.oneLine(text) == text)
    }
    var change = IncidentChange(
      .opened, rule: "RES-01", severity: .p1, hostName: "h", entity: "/srv/a\nb.log", eventNs: 0, detectedNs: 0)
    #expect(
      change.dedupKey.hasPrefix("RES-01|h|/srv/a b.log~") && change.dedupKey.hasSuffix("|1970-01-01T00:00:00.000000Z"))
    let other = change.dedupKey
    change.entity = "/srv/a b.log"
    #expect(change.dedupKey == "RES-01|h|/srv/a b.log|1970-01-01T00:00:00.000000Z" && other != change.dedupKey)
    change.entity = "\n" + String(repeating: "x", count: 5000)
    #expect(change.dedupKey.utf8.count <= IncidentChange.dedupKeyBytesMax && !change.dedupKey.contains("\n"))
  }

  @Test func combiningMarksAreCutLikeAnyOtherBytes() {
    let text = "e" + String(repeating: "\u{301}", count: 5000)
    #expect(BoundedText.prefix(text, bytesMax: 100).utf8.count == 99)
    #expect(IndexKey.bounded(text, bytesMax: 255).utf8.count <= 255)
  }

  @Test func anIncidentsKeysFitTheirIndexesWhateverItsEntity() {
    var change = IncidentChange(
      .opened, rule: "LOG-01", severity: .p1, hostNumber: 7, hostName: "h", eventNs: 1, detectedNs: 1)
    change.entity = "/" + String(repeating: "x", count: 3600)
    #expect(change.identity.utf8.count <= IndexKey.bytesMax && change.identity.hasPrefix("LOG-01|7|/xxx"))
    #expect(change.dedupKey.utf8.count <= IncidentChange.dedupKeyBytesMax)
    change.entity = "/var/log/a.log"
    #expect(change.identity == "LOG-01|7|/var/log/a.log")
  }
}
