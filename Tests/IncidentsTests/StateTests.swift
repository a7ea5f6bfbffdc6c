import Incidents
import Testing

@Suite struct StateTests {
  @Test func whatMayHaveBeenReceivedIsSaidOfEveryState() {
    let expected: [DeliveryState: [Bool]] = [
      .waiting: [false, true, true], .delivered: [true, true, true], .cancelled: [false, true, true],
      .superseded: [false, false, false], .refused: [false, false, true],
    ]
    for state in DeliveryState.allCases {
      #expect((0...2).map { state.mayHaveBeenReceived(attempts: $0) } == expected[state])
    }
  }

  @Test func aListIsAPageWhereOneOfItsDeliveriesIs() {
    #expect(Delivery.Event.ofList([.resolve, .escalate]) == .trigger)
    #expect(Delivery.Event.ofList([.resolve, .acknowledge]) == .resolve)
    #expect(Delivery.Event.ofList([.acknowledge]) == .acknowledge)
  }
}
