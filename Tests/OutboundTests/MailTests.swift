import Outbound
import TestSupport
import Testing

/// libcurl's mail against a server that answers by address: `ok@`, `later@` (450), `no@` (550).
@Suite(.timeLimit(.minutes(10))) struct MailTests {
  private func answer(_ server: TestMailServer, to addresses: [String]) throws -> OutboundAnswer {
    let transfers = try Transfers()
    let message = Array("Subject: x\r\n\r\nbody\r\n".utf8)
    try transfers.begin(
      .mail(
        MailRequest(url: server.url, from: "signalbox@test", to: addresses, message: message)),
      tag: 1, deadlineMs: 20_000)
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

  @Test func nobodyLeftIsAnAnswerOfEachAddress() throws {
    let server = try TestMailServer()
    let answer = try answer(server, to: ["no1@test", "no2@test"])
    #expect(answer.code == 550)
    #expect(answer.recipients.map(\.code) == [550, 550])
    #expect(server.mails.isEmpty)
  }
}
