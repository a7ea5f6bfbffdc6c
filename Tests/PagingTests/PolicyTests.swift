import FleetModel
import Incidents
import Outbound
import Paging
import SiteConfiguration
import Store
import Testing

@Suite struct PolicyTests {
  /// Local time in Berlin, ns.
  static func berlin(_ text: String) throws -> Int64 {
    let zone = try #require(TimeZoneRules(named: "Europe/Berlin"))
    return zone.utcNs(localSeconds: try #require(Timestamp.parse(text)) / 1_000_000_000)
  }

  @Test func aTimeZoneKnowsSummerTime() throws {
    #expect(Timestamp.text(try Self.berlin("2026-01-15T09:00"), digits: 0) == "2026-01-15T08:00:00Z")
    #expect(Timestamp.text(try Self.berlin("2026-07-15T09:00"), digits: 0) == "2026-07-15T07:00:00Z")
    // The hour that there is not, and the one that there is twice.
    #expect(Timestamp.text(try Self.berlin("2026-03-29T02:30"), digits: 0) == "2026-03-29T01:30:00Z")
    #expect(Timestamp.text(try Self.berlin("2026-10-25T02:30"), digits: 0) == "2026-10-25T00:30:00Z")
    #expect(TimeZoneRules(named: "Europe/Nowhere") == nil)
    #expect(TimeZoneRules(named: "../../etc/passwd") == nil)
  }

  @Test func aDamagedTimeZoneFileIsRefused() {
    let head = Array("TZif2".utf8) + [UInt8](repeating: 0xff, count: 60)
    #expect(TimeZoneRules(name: "x", tzif: head) == nil)
    #expect(TimeZoneRules(name: "x", tzif: []) == nil)
  }

  @Test func turnsChangeAtTheSameLocalHourAlsoWhenSummerTimeBegins() throws {
    let zone = try #require(TimeZoneRules(named: "Europe/Berlin"))
    let start = try #require(Timestamp.parse("2026-03-23T09:00")) / 1_000_000_000
    let schedule = Schedule(rotation: ["a", "b"], turnSeconds: 7 * 86_400, startLocalSeconds: start, zone: zone)
    #expect(schedule.shift(atNs: try Self.berlin("2026-03-30T08:59")).receiver == "a")
    #expect(schedule.shift(atNs: try Self.berlin("2026-03-30T09:00")).receiver == "b")
    #expect(schedule.shift(atNs: try Self.berlin("2026-03-22T12:00")).receiver == "b")
    let shift = schedule.shift(atNs: try Self.berlin("2026-03-25T12:00"))
    #expect(shift.untilNs == (try Self.berlin("2026-03-30T09:00")))
  }

  @Test func aDigestGoesOutOnTheNextBusinessDay() throws {
    var configuration = PagingConfiguration()
    configuration.digestZone = try #require(TimeZoneRules(named: "Europe/Berlin"))
    // 2026-11-20 is a Friday.
    let cases = [
      ("2026-11-20T08:00", "2026-11-20T09:00"), ("2026-11-20T09:00", "2026-11-23T09:00"),
      ("2026-11-21T12:00", "2026-11-23T09:00"), ("2026-11-23T10:00", "2026-11-24T09:00"),
    ]
    for (now, due) in cases {
      #expect(configuration.nextDigestNs(after: try Self.berlin(now)) == (try Self.berlin(due)))
    }
  }

  @Test func noDigestGoesOutOnAHolidayAndTheYearsEndIsADayLikeOthers() throws {
    var configuration = PagingConfiguration()
    configuration.digestZone = try #require(TimeZoneRules(named: "Europe/Berlin"))
    configuration.holidays = Set(["2026-12-25", "2027-01-01"].compactMap { LocalTime.day($0) })
    // 2026-12-24 is a Thursday, 2026-12-31 as well.
    let cases = [
      ("2026-12-24T10:00", "2026-12-28T09:00"), ("2026-12-31T08:59", "2026-12-31T09:00"),
      ("2026-12-31T10:00", "2027-01-04T09:00"),
    ]
    for (now, due) in cases {
      #expect(configuration.nextDigestNs(after: try Self.berlin(now)) == (try Self.berlin(due)))
    }
  }

  @Test func turnsGoOnOverTheYearsEndAndAnOverrideTakesOne() throws {
    let zone = try #require(TimeZoneRules(named: "Europe/Berlin"))
    let start = try #require(Timestamp.parse("2026-12-21T09:00")) / 1_000_000_000
    var schedule = Schedule(rotation: ["a", "b"], turnSeconds: 7 * 86_400, startLocalSeconds: start, zone: zone)
    #expect(schedule.shift(atNs: try Self.berlin("2026-12-28T08:59")).receiver == "a")
    #expect(schedule.shift(atNs: try Self.berlin("2027-01-01T00:00")).receiver == "b")
    #expect(schedule.shift(atNs: try Self.berlin("2027-01-04T09:00")).receiver == "a")
    let (from, until) = (try Self.berlin("2026-12-31T18:00"), try Self.berlin("2027-01-01T12:00"))
    schedule.overrides = [
      OnCallOverride(schedule: "s", receiver: "c", startsNs: from, endsNs: until, author: "ann")
    ]
    #expect(schedule.shift(atNs: from - 1).receiver == "b")
    #expect(schedule.shift(atNs: from) == ("c", from, until))
    #expect(schedule.shift(atNs: until).receiver == "b")
  }

  @Test func eachAnswerMeansWhatItsReceiverSays() {
    let hook = Receiver.webhook(url: "", secrets: [])
    let duty = Receiver.pagerDuty(url: "", routingKey: "")
    let mail = Receiver.email(EmailReceiver(server: "", from: "", to: []))
    func outcome(_ code: Int, _ receiver: Receiver, retryAfter: Int? = nil) -> DeliveryOutcome {
      RetryRule.outcome(
        .success(OutboundAnswer(code: code, retryAfterSeconds: retryAfter)), receiver: receiver, attempts: 1, nowNs: 0,
        chance: 1)
    }
    #expect(outcome(202, duty) == .delivered(answer: "202"))
    #expect(outcome(400, duty) == .refused(answer: "400"))
    #expect(outcome(301, hook) == .refused(answer: "301"))
    #expect(outcome(500, hook) == .retry(atNs: 1_000_000_000, answer: "500"))
    #expect(outcome(429, duty) == .retry(atNs: 60_000_000_000, answer: "429"))
    #expect(outcome(429, hook, retryAfter: 7) == .retry(atNs: 7_000_000_000, answer: "429"))
    #expect(outcome(250, mail) == .delivered(answer: "250"))
    #expect(outcome(451, mail) == .retry(atNs: 1_000_000_000, answer: "451"))
    #expect(outcome(550, mail) == .refused(answer: "550"))
  }

  @Test func pausesGrowToAMinuteAndNeverVanish() {
    #expect(RetryRule.pause(attempts: 1, chance: 0) == 100_000_000)
    #expect(RetryRule.pause(attempts: 3, chance: 1) == 4_000_000_000)
    #expect(RetryRule.pause(attempts: 1000, chance: 1) == 60_000_000_000)
  }
}
