import FleetModel
import Testing

@testable import Commands

@Suite struct MailReplyTests {
  private static let token = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST-_"
  private static let recipient = "signalbox+\(token)@example.org"

  private static func read(_ body: String, _ headers: String = "", to: String? = recipient) -> MailReply.Reading {
    MailReply.read(Array("From: ann@example.org\n\(headers)\n\(body)".utf8), recipient: to)
  }

  private static func act(_ action: MailReply.Action) -> MailReply.Reading { .act(token: token, action) }

  @Test(
    arguments: [
      ("ack", .acknowledge), ("ACK\r\n", .acknowledge), ("\n\n  Ack.  \n> quoted\n", .acknowledge),
      ("resolve!\n", .resolve), ("note the fan was replaced  \nack\n", .note("the fan was replaced")),
      ("Note: 3 of 8", .note("3 of 8")), ("> resolve\n> note x\nack\n", .acknowledge),
      ("ack\n\nOn Mon, signalbox wrote:\n> resolve\n", .acknowledge),
      ("note \u{1b}[31mred\u{202e}", .note("\u{fffd}[31mred\u{fffd}")),
      ("note " + String(repeating: "ü", count: 900), .note(String(repeating: "ü", count: 499) + "…")),
    ] as [(String, MailReply.Action)]) func theFirstLineActs(body: String, action: MailReply.Action)
  {
    #expect(Self.read(body) == Self.act(action))
  }

  @Test(arguments: [
    "", "\n\n", "> ack\n", "please ack", "ack all of it", "resolved", "note", "note   ", "acknowledge", "no\nack",
    "Thanks!\nack",
  ]) func whatIsNoCommandSaysWhatToDo(body: String) {
    guard case .refused(let sentence) = Self.read(body) else {
      Issue.record("\(body) acts")
      return
    }
    #expect(sentence.contains("write ack, resolve, or note"))
  }

  @Test(arguments: [
    "Auto-Submitted: auto-replied\n", "auto-submitted: auto-generated; owner-email=x\n", "Precedence: bulk\n",
    "Precedence:  Auto_Reply\n", "Precedence: list\n", "Return-Path: <>\n", "Return-Path: <MAILER-DAEMON>\n",
    "Return-Path: MAILER-DAEMON@example.org\n", "X-Autoreply: yes\n", "List-Id: <ops.example.org>\n",
    "Content-Type: multipart/report; report-type=delivery-status;\n boundary=b\n", "X-Failed-Recipients: a\n",
  ]) func whatAProgramWroteNeverActs(header: String) {
    guard case .automatic = Self.read("ack", header) else {
      Issue.record("\(header) acts")
      return
    }
    #expect(
      Self.read("ack", "Auto-Submitted: no\nReturn-Path: <ann@example.org>\nPrecedence: normal\n")
        == Self.act(.acknowledge))
  }

  @Test func thePageIsFoundInTheHeaders() {
    for header in [
      "To: \(Self.recipient)\n", "To: \"Signalbox\" <\(Self.recipient)>,\n other@example.org\n",
      "Delivered-To: \(Self.recipient)\nTo: a@b\n", "X-Original-To: \(Self.recipient)\nTo: \(Self.recipient)\n",
      "Cc: \(Self.recipient)\n",
    ] {
      #expect(Self.read("ack", header, to: nil) == Self.act(.acknowledge), "\(header)")
    }
    let other = "signalbox+\(String(Self.token.reversed()))@example.org"
    for (header, sentence) in [
      ("To: signalbox@example.org\n", "names no page"), ("To: signalbox+short@example.org\n", "names no page"),
      ("To: signalbox+\(Self.token)x@example.org\n", "names no page"), ("", "names no page"),
      ("To: \(Self.recipient), \(other)\n", "several pages"),
    ] {
      guard case .refused(let text) = Self.read("ack", header, to: nil) else {
        Issue.record("\(header) acts")
        continue
      }
      #expect(text.contains(sentence))
    }
  }

  @Test func encodingsAndPartsAreRead() {
    let parts = """
      --b
      Content-Type: text/html

      <p>resolve</p>
      --b
      Content-Type: multipart/alternative; boundary="inner; x"

      --inner; x
      Content-Type: text/plain; charset=iso-8859-1
      Content-Transfer-Encoding: quoted-printable

      note K=FChler =
      neu
      --inner; x--
      --b
      Content-Type: text/plain

      ack
      --b--
      """
    let mixed = "MIME-Version: 1.0\nContent-Type: multipart/mixed; charset=x;\n boundary=b\n"
    #expect(Self.read(parts, mixed) == Self.act(.note("Kühler neu")))
    #expect(Self.read(parts.replacing("\n", with: "\r\n"), mixed) == Self.act(.note("Kühler neu")))
    let attached = "--b\nContent-Type: text/plain\nContent-Disposition: attachment\n\nresolve\n--b\n\nack\n--b--\n"
    #expect(Self.read(attached, mixed) == Self.act(.acknowledge))
    let base64 = "Content-Type: TEXT/PLAIN; charset=\"utf-8\"\nContent-Transfer-Encoding: BASE64\n"
    #expect(Self.read("bm90ZSBncsO8w59l\r\nCg==\r\n", base64) == Self.act(.note("grüße")))
    #expect(Self.read("ack=0A=", "Content-Transfer-Encoding: quoted-printable\n") == Self.act(.acknowledge))
    for (body, headers) in [
      ("<p>ack</p>", "Content-Type: text/html\n"), ("ack", "Content-Type: multipart/mixed\n"),
      ("ack", "Content-Type: multipart/mixed; boundary=\"\"\n"), ("%%%%", base64),
      ("--b\nContent-Type: image/png\n\nack\n--b--\n", mixed),
    ] {
      guard case .refused = Self.read(body, headers) else {
        Issue.record("\(headers) acts")
        continue
      }
    }
  }

  /// What is made to be slow or deep, or random, ends quickly with some reading.
  @Test func hostileMessagesEnd() {
    let nested = (0..<2_000).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }.joined()
    var readings = [MailReply.read(Array(nested.utf8), recipient: Self.recipient)]
    readings.append(
      Self.read(String(repeating: "--b\n", count: 100_000), "Content-Type: multipart/mixed; boundary=b\n"))
    readings.append(Self.read("ack", String(repeating: "A: b\n", count: 20_000)))
    readings.append(MailReply.read(Array(repeating: 0x20, count: MailReply.bytesMax), recipient: nil))
    readings.append(MailReply.read(Array(repeating: 0x61, count: MailReply.bytesMax + 1), recipient: nil))
    if case .refused(let sentence) = readings[4] { #expect(sentence.contains("more than 1 MiB")) }
    var generator = SystemRandomNumberGenerator()
    let words = [
      "ack", "\n", "\r\n", ":", "--b", "=", ">", "Content-Type: ", "multipart/mixed; boundary=b", "\u{0}", "+",
    ]
    for _ in 0..<300 {
      let text = (0..<60).map { _ in words.randomElement(using: &generator) ?? "" }.joined()
      readings.append(MailReply.read(Array(text.utf8), recipient: Self.recipient))
    }
    #expect(readings.count == 305)
  }
}
