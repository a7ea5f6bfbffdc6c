import Outbound
import TestSupport
import Testing

/// libcurl's mail against a server that answers by address: `ok@`, `later@` (450), `no@` (550).
@Suite(.timeLimit(.minutes(10))) struct MailTests {
  private func answer(
    _ server: TestMailServer, to addresses: [String], authorities: String? = nil, requiresTLS: Bool = false,
    at url: String? = nil
  ) throws -> OutboundAnswer {
    let transfers = try Transfers()
    let message = Array("Subject: x\r\n\r\nbody\r\n".utf8)
    var request = MailRequest(url: url ?? server.url, from: "signalbox@test", to: addresses, message: message)
    (request.authorities, request.requiresTLS) = (authorities, requiresTLS)
    try transfers.begin(.mail(request), tag: 1, deadlineMs: 20_000)
    while true {
      if let done = transfers.work(waitMs: 100).first { return try done.result.get() }
    }
  }

  @Test func oneRefusedAddressCostsItselfAlone() throws {
    let server = try TestMailServer()
    let answer = try answer(server, to: ["ok1@test", "no@test", "ok2@test"])
    #expect(answer.code == 250)
    #expect(answer.recipients.map(\.code) == [250, 550, 250])
    #expect(answer.recipients[1] == RecipientReply(address: "no@test", code: 550, text: "5.1.1 no such user"))
    #expect(server.mails.map(\.to) == [["ok1@test", "ok2@test"]])
  }

  @Test func anAddressThatIsToBeTriedAgainIsTold() throws {
    let answer = try answer(try TestMailServer(), to: ["later@test", "ok@test"])
    #expect(answer.recipients.map(\.code) == [450, 250])
  }

  @Test func aServerWhoseAuthorityIsTrustedTakesTheMail() throws {
    let server = try TestMailServer(startsTLS: true)
    let answer = try answer(server, to: ["ok@test"], authorities: server.authorities, requiresTLS: true)
    #expect(answer.code == 250 && server.mails.map(\.to) == [["ok@test"]])
  }

  /// The system's authorities, and those of another file, have not signed the server's certificate.
  @Test func aServerOfAnotherAuthorityIsRefusedInOneSentence() throws {
    let server = try TestMailServer(startsTLS: true)
    let other = try TestMailServer(startsTLS: true)
    func refusal(_ server: TestMailServer, _ authorities: String?, at url: String? = nil) -> String? {
      #expect(throws: OutboundError.self) {
        try answer(server, to: ["ok@test"], authorities: authorities, requiresTLS: true, at: url)
      }?.message
    }
    let sentence = "the server's certificate is refused: it comes from no authority that is trusted here"
    #expect(refusal(server, nil) == sentence)
    #expect(refusal(server, other.authorities) == sentence)
    #expect(refusal(server, "/no/such/file") == "the file of trusted authorities cannot be read")
    let named = server.url.replacing("127.0.0.1", with: "localhost")
    #expect(
      refusal(server, server.authorities, at: named)
        == "the server's certificate is refused: it is not for the name of this server")
    #expect(
      refusal(try TestMailServer(), nil) == "the server offers no STARTTLS, which this receiver requires")
    #expect(server.mails.isEmpty)
  }

  @Test func nobodyLeftIsAnAnswerOfEachAddress() throws {
    let server = try TestMailServer()
    let answer = try answer(server, to: ["no1@test", "no2@test"])
    #expect(answer.code == 550)
    #expect(answer.recipients.map(\.code) == [550, 550])
    #expect(server.mails.isEmpty)
  }
}
