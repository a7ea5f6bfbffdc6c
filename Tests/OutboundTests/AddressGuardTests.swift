import Outbound
import Testing

@Suite struct AddressGuardTests {
  @Test(
    arguments: [
      [169, 254, 169, 254], [169, 254, 0, 1], [0, 0, 0, 0], [224, 0, 0, 1], [255, 255, 255, 255], [100, 100, 100, 200],
    ] as [[UInt8]])
  func linkLocalAndMetadataAddressesAreForbiddenAlsoInsideIPv6(_ address: [UInt8]) {
    #expect(AddressGuard.isForbidden(address))
    #expect(AddressGuard.isForbidden([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] + address))
    #expect(AddressGuard.isForbidden([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0] + address))
  }

  @Test func linkLocalIPv6IsForbidden() {
    #expect(AddressGuard.isForbidden([0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]))
    #expect(AddressGuard.isForbidden([UInt8](repeating: 0, count: 16)))
    #expect(AddressGuard.isForbidden([1, 2, 3]))
  }

  @Test func loopbackAndPrivateNetworksAreAllowed() {
    for address in [[127, 0, 0, 1], [10, 1, 2, 3], [192, 168, 0, 1], [172, 16, 0, 1], [8, 8, 8, 8]] as [[UInt8]] {
      #expect(!AddressGuard.isForbidden(address))
    }
    #expect(!AddressGuard.isForbidden([UInt8](repeating: 0, count: 15) + [1]))
  }

  /// A forbidden address is another mistake than a receiver that does not run, and says so.
  @Test(
    .timeLimit(.minutes(10)),
    arguments: [
      ("169.254.169.254", "the address is forbidden: link-local"), ("127.0.0.1:1", "cannot connect: does it run"),
    ]) func aRequestToTheMetadataServiceIsNeverSent(address: String, sentence: String) throws
  {
    let transfers = try Transfers()
    try transfers.begin(.http(HTTPRequest(method: "GET", url: "http://\(address)/")), tag: 7, deadlineMs: 5000)
    var done: [(tag: Int, result: Result<OutboundAnswer, OutboundError>)] = []
    while done.isEmpty { done = transfers.work(waitMs: 100) }
    #expect(done[0].tag == 7)
    guard case .failure(let error) = done[0].result else {
      Issue.record("it was answered")
      return
    }
    #expect(error.message.hasPrefix(sentence), "\(error.message)")
  }
}
